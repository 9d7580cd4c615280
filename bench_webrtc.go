package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
)

const (
	// askedWebRTC is the time from a picture to its upscaled self, in ms.
	askedWebRTC = 500
	// watched is how long each client watches.
	watched = 8 * time.Second
)

// webrtc measures how late pictures are that go through the server by WebRTC: those of
// a live source that a client watches, and a client's own that it has back. They carry
// numbers, which are read from what came; the time of each is that of its last packet.
func (b *sessionBench) webrtc(ctx context.Context) error {
	clip, err := drawLive(ctx, b.dir)
	if err != nil {
		return err
	}
	cam := &sender{clip: clip, sent: map[int]time.Time{}}
	source := httptest.NewServer(cam)
	defer source.Close()
	set := map[string]string{"media.http.hosts": source.Listener.Addr().String(), "admission.share": "1"}
	return b.serve(ctx, set, func(ctx context.Context, d *daemon.Daemon) error {
		watch := func(ctx context.Context, c *caller) (*sender, error) {
			return cam, c.watch(ctx, d, playback.Order{Source: source.URL + "/clip.ts", Live: true, Model: b.model})
		}
		loop := func(ctx context.Context, c *caller) (*sender, error) {
			return c.loop(ctx, d, "/v1/whip?"+url.Values{"return": {"sendrecv"}, "model": {b.model}}.Encode(), clip)
		}
		return errors.Join(
			b.calls(ctx, d, "WHEP: picture of a live source sent → upscaled picture there", watch),
			b.calls(ctx, d, "loopback: picture sent → upscaled picture back", loop),
		)
	})
}

// calls measures some connections.
func (b *sessionBench) calls(ctx context.Context, d *daemon.Daemon, name string, begin func(context.Context, *caller) (*sender, error)) error {
	var middle, most, share []float64
	for range b.runs {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		delays, part, err := b.call(ctx, begin)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		middle, most = append(middle, percentile(delays, 0.5)), append(most, percentile(delays, 0.95))
		share = append(share, 100*part)
	}
	b.most(name+", median", "ms", askedWebRTC, middle...)
	b.most(name+", 95 %", "ms", askedWebRTC, most...)
	b.most(name+", pictures made in time", "%", 0, share...)
	return nil
}

// call watches over one connection, and returns how late each picture was in
// milliseconds, and the share of those sent that came.
func (b *sessionBench) call(ctx context.Context, begin func(context.Context, *caller) (*sender, error)) (delays []float64, share float64, err error) {
	ctx, hangUp := context.WithCancel(ctx)
	c, err := newCaller()
	if err != nil {
		hangUp()
		return nil, 0, err
	}
	var from *sender
	defer func() {
		hangUp()
		err = errors.Join(err, c.close())
	}()
	if from, err = begin(ctx, c); err != nil {
		return nil, 0, err
	}
	if err := c.receive(ctx, watched); err != nil {
		return nil, 0, err
	}
	came, err := c.numbers(ctx, filepath.Join(b.dir, "webrtc.ts"))
	if err != nil {
		return nil, 0, err
	}
	return from.delays(came)
}

// sender sends the pictures of a clip over and over, in real time.
type sender struct {
	clip liveClip
	mu   sync.Mutex
	sent map[int]time.Time // guarded by mu: when, by the number
}

// run hands over each picture when it is due, until ctx ends.
func (s *sender) run(ctx context.Context, send func(i int, au [][]byte) error) error {
	begun := time.Now()
	for i := 0; ; i++ {
		if err := pause(ctx, time.Until(begun.Add(time.Duration(i)*time.Second/filmRate))); err != nil {
			return err
		}
		number := i % len(s.clip)
		s.mu.Lock()
		s.sent[number] = time.Now()
		s.mu.Unlock()
		if err := send(i, s.clip[number]); err != nil {
			return err
		}
	}
}

// ServeHTTP sends the clip as a transport stream.
func (s *sender) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	track := &mpegts.Track{Codec: &codecs.H264{}}
	stream := &mpegts.Writer{W: w, Tracks: []*mpegts.Track{track}}
	if err := stream.Initialize(); err != nil {
		panic(http.ErrAbortHandler)
	}
	out := http.NewResponseController(w)
	_ = s.run(r.Context(), func(i int, au [][]byte) error { // it ends with who asked
		at := liveTicks(i)
		return errors.Join(stream.WriteH264(track, at, at, au), out.Flush())
	})
}

// delays returns how late pictures came, in milliseconds, and the share of those sent
// meanwhile that came.
func (s *sender) delays(came []numbered) (all []float64, share float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range came {
		sent, known := s.sent[p.number]
		if !known || p.at.Before(sent) {
			return nil, 0, fmt.Errorf("picture %d came before it was sent", p.number)
		}
		all = append(all, milliseconds(p.at.Sub(sent)))
	}
	if len(came) < filmRate {
		return nil, 0, fmt.Errorf("%d pictures came in %s", len(came), watched)
	}
	lasted := s.sent[came[len(came)-1].number].Sub(s.sent[came[0].number])
	return all, float64(len(came)-1) / math.Round(lasted.Seconds()*filmRate), nil
}
