package webrtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// station is a worker that has a live stream: it sends pictures when it is told to, each with its number. It is its own
// live.Relay.
type station struct {
	handler session.Handler
	relayed chan struct{} // closed when it has the stream

	mu    sync.Mutex
	asked bool // for a key frame
	sent  int
}

func (s *station) Set(context.Context, wire.Set) error { return nil }

func (s *station) KeyFrame(context.Context, uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	return nil
}

func (s *station) Close(context.Context) error { return nil }

func (s *station) relay(_ context.Context, _ string, _ session.Settings, _ wire.Relay, _ *os.File, h session.Handler) (live.Worker, wire.Opened, error) {
	s.handler = h
	h.Init(new(worker).picture(wire.RelayVideo))
	close(s.relayed)
	return s, wire.Opened{Video: wire.VideoInfo{
		TimeScale: pictureRate, Rate: [2]int{25, 1}, SourceSize: [2]int{32, 24}, Size: [2]int{64, 48}, Aspect: [2]int{1, 1}, Scale: 2,
	}}, nil
}

// picture sends the next picture, a key frame where one was asked for.
func (s *station) picture() {
	s.mu.Lock()
	key := s.asked
	s.asked = false
	n := s.sent
	s.sent++
	s.mu.Unlock()
	s.handler.Packet(wire.Packet{
		Run: wire.RelayVideo, Key: key, PTS: int64(n) * pictureRate / 25, DTS: int64(n) * pictureRate / 25, Duration: pictureRate / 25,
		Data: fmt.Appendf([]byte{0, 0, 0, 4, 0x41}, "%3d", n),
	})
}

// newStudio returns what has live sessions, of workers that relay, until the test ends.
func newStudio(t *testing.T, relay live.Relay) (*session.Manager, *live.Studio) {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 1 << 20})
	must(t, err)
	scale := func(string) (int, error) { return 2, nil }
	manager, err := session.New(session.Options{
		Starter: &worker{}, Cache: store, Scale: scale, Capacity: session.Capacity{Sessions: 4, CoreMS: 1e6, GPUMS: 1e6},
		Segment: time.Second, ReadAhead: 3 * time.Second, Idle: time.Minute, Wait: time.Minute,
	})
	must(t, err)
	studio, err := live.New(live.Options{Sessions: manager, Relay: relay, Scale: scale, Open: time.Minute, Window: time.Minute, Part: time.Second, Idle: time.Minute})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = manager.Run(ctx) })
	running.Go(func() { _ = studio.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		must(t, store.Close())
	})
	return manager, studio
}

// about is what a live session of these tests is.
var about = session.About{
	Kind: session.KindLive, Source: "player", Settings: session.Settings{Model: "a-x2", Strength: 1, Filters: filters.Neutral(), Quality: -1, Burn: -1},
}

// TestLiveViewerIsSentWhatIsMadeFromNowOn has a client take its time to connect: what was made meanwhile is not sent.
func TestLiveViewerIsSentWhatIsMadeFromNowOn(t *testing.T) {
	worker := &station{relayed: make(chan struct{}), asked: true}
	manager, studio := newStudio(t, worker.relay)
	s, c := serve(t, func(o *Options) { o.Sessions, o.Studio = manager, studio }), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	l, err := studio.Start(t.Context(), about, live.Stream{Audio: wire.AudioNone, Feed: func(ctx context.Context, _ io.Writer) error {
		<-ctx.Done()
		return nil
	}})
	must(t, err)
	defer func() {
		l.End(session.CauseClient)
		<-l.Ended()
	}()
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	sending.Go(func() {
		for pause(ctx, 5*time.Millisecond) == nil {
			worker.picture()
		}
	})
	answer, err := s.Watch(t.Context(), l.ID(), c.offer())
	must(t, err)
	eventually(t, "pictures were made", func() bool { return worker.number() > 50 })
	made := worker.number()
	c.accept(answer.SDP)
	packet, _, err := c.track().ReadRTP()
	must(t, err)
	if n := number(t, Packet{Data: append([]byte{0, 0, 0, 4}, packet.Payload...)}); n < made {
		t.Errorf("the first picture is number %d of %d", n, made)
	}
	must(t, s.HangUp(t.Context(), l.ID(), answer.Peer))
}

func (s *station) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// TestPageWithoutAPictureIsSaid has a page connect and send nothing: the session ends for that, and not for its worker.
func TestPageWithoutAPictureIsSaid(t *testing.T) {
	manager, studio := newStudio(t, func(
		ctx context.Context, _ string, _ session.Settings, _ wire.Relay, _ *os.File, _ session.Handler,
	) (live.Worker, wire.Opened, error) {
		<-ctx.Done() // it has nothing to look at
		return nil, wire.Opened{}, context.Cause(ctx)
	})
	s := serve(t, func(o *Options) { o.Sessions, o.Studio, o.Connect = manager, studio, 3*time.Second })
	p := newPage(t, webrtc.MimeTypeVP8, nil)
	answer, err := s.Loop(t.Context(), about, p.offer())
	must(t, err)
	p.accept(answer.SDP)
	l, err := manager.Find(answer.Session)
	must(t, err)
	<-l.(*live.Session).Ended()
	ended := (*session.EndedError)(nil)
	if err := l.(*live.Session).Err(); !errors.As(err, &ended) || ended.Failure == nil || ended.Failure.Code != string(problem.PictureMissing) {
		t.Errorf("%v %+v", err, ended)
	}
	p.over()
}
