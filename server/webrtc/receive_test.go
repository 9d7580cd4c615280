package webrtc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// sink is the session of a page that makes nothing: what it is fed can be read.
type sink struct {
	feed   *feed
	fed    *io.PipeReader
	stream *matroska.Reader // of fed
	all    []int            // pictures that have come
	ended  chan error       // has what the session ended with
}

// enter connects a page to a server, and plays its pictures until the test ends.
func (p *page) enter(s *Server) *sink {
	p.t.Helper()
	fed, to := io.Pipe()
	k := &sink{fed: fed, ended: make(chan error, 1)}
	answer, err := s.give(p.t.Context(), p.offer(), func(ctx context.Context, start func(func()), feed *feed) (maker, error) {
		k.feed = feed
		context.AfterFunc(ctx, func() { _ = fed.Close() }) // wakes who writes
		start(func() { _ = to.CloseWithError(feed.write(ctx, to)) })
		return k, nil
	})
	must(p.t, err)
	p.accept(answer.SDP)
	p.reaches(webrtc.PeerConnectionStateConnected)
	ctx, cancel := context.WithCancel(p.t.Context())
	var playing sync.WaitGroup
	playing.Go(func() { p.play(ctx) })
	p.t.Cleanup(func() {
		cancel()
		playing.Wait()
		_ = fed.Close()
	})
	return k
}

func (k *sink) ID() string      { return "sink" }
func (k *sink) Stream() Stream  { return silence{} }
func (k *sink) End(cause error) { k.ended <- cause }

// silence is a Stream of nothing.
type silence struct{}

func (silence) Next(ctx context.Context) (Packet, error) {
	<-ctx.Done()
	return Packet{}, context.Cause(ctx)
}
func (silence) KeyFrame() {}
func (silence) Close()    {}

// pictures returns which of the page's pictures have come, by their content, when the given one or a later one has. They
// begin, and go on behind one that is missing, with one of the key frames, which are 25 apart.
func (k *sink) pictures(p *page, until int) []int {
	p.t.Helper()
	late := time.AfterFunc(patience, func() { _ = k.fed.CloseWithError(errConnect) })
	defer late.Stop()
	if k.stream == nil {
		var err error
		k.stream, err = matroska.NewReader(k.fed)
		must(p.t, err)
	}
	for len(k.all) == 0 || k.all[len(k.all)-1] < until {
		b, err := k.stream.Next()
		must(p.t, err)
		n := slices.IndexFunc(p.pictures, func(of Packet) bool { return bytes.Equal(of.Data, b.Data) })
		if n < 0 {
			p.t.Fatalf("picture %d is none that the page sent", len(k.all))
		}
		if follows := len(k.all) > 0 && n == k.all[len(k.all)-1]+1; !follows && n%25 != 0 {
			p.t.Fatalf("picture %d comes behind %v", n, k.all)
		}
		k.all = append(k.all, n)
	}
	return k.all
}

// tamper changes the packets of a client's picture, or leaves them out.
type tamper struct {
	interceptor.NoOp
	change func(picture int, h *rtp.Header) (send bool)
}

// NewInterceptor implements interceptor.Factory.
func (t *tamper) NewInterceptor(string) (interceptor.Interceptor, error) { return t, nil }

// BindLocalStream implements interceptor.Interceptor.
func (t *tamper) BindLocalStream(info *interceptor.StreamInfo, to interceptor.RTPWriter) interceptor.RTPWriter {
	if !strings.HasPrefix(info.MimeType, "video/") {
		return to
	}
	picture := 0
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		n := picture
		if h.Marker {
			picture++
		}
		if !t.change(n, h) {
			return len(payload), nil
		}
		return to.Write(h, payload, a)
	})
}

// unknown is a type of payload that nobody has agreed on, and none that RTCP has (RFC 5761 §4).
const unknown = 55

// TestPacketThatCannotBeReadIsLost has a page send single packets that nobody can read: what follows is taken in.
func TestPacketThatCannotBeReadIsLost(t *testing.T) {
	p := newPage(t, webrtc.MimeTypeVP8, filmVP8(t, "160x96", "4"), &tamper{change: func(picture int, h *rtp.Header) bool {
		if picture == 10 {
			h.PayloadType = unknown
		}
		return true
	}})
	got := p.enter(serve(t, nil)).pictures(p, 30)
	if slices.Contains(got, 10) {
		t.Errorf("%v", got)
	}
}

// TestPageThatSendsNonsenseIsGivenUp has a page send nothing but what nobody can read, after a while.
func TestPageThatSendsNonsenseIsGivenUp(t *testing.T) {
	p := newPage(t, webrtc.MimeTypeVP8, filmVP8(t, "640x360", "8"), &tamper{change: func(picture int, h *rtp.Header) bool {
		if picture > 5 {
			h.PayloadType = unknown
		}
		return true
	}})
	k := p.enter(serve(t, nil))
	k.pictures(p, 5)
	select {
	case cause := <-k.ended:
		if !errors.Is(cause, errNonsense) {
			t.Error(cause)
		}
	case <-time.After(patience):
		t.Error("it is not given up")
	}
}

// TestLossBegsForAKeyFrame has a page lose a packet for good: it is asked for a key frame, not too often, and nothing is
// taken in before one comes.
func TestLossBegsForAKeyFrame(t *testing.T) {
	dropped := false
	p := newPage(t, webrtc.MimeTypeVP8, filmVP8(t, "320x180", "4"), &tamper{change: func(picture int, _ *rtp.Header) bool {
		if picture == 26 && !dropped {
			dropped = true
			return false
		}
		return true
	}})
	begun := time.Now()
	k := p.enter(serve(t, nil))
	got := k.pictures(p, 55)
	lasted := time.Since(begun)
	if slices.Contains(got, 26) {
		t.Errorf("%v", got)
	}
	if n := p.begged.Load(); n < 1 || int(n-1) > int(lasted/begging) {
		t.Errorf("a key frame was asked for %d times in %s", n, lasted)
	}
	if n := k.feed.figures().Pictures; n < 23 { // those that came behind it
		t.Errorf("%d pictures are counted as dropped", n)
	}
}

// TestOnePictureIsTakenIn has a page send two, in sections of their own: they are not mixed.
func TestOnePictureIsTakenIn(t *testing.T) {
	p := newPage(t, webrtc.MimeTypeVP8, filmVP8(t, "160x96", "4"))
	second := &page{client: p.client, mime: p.mime, pictures: filmVP8(t, "64x48", "4"), sound: p.sound}
	second.picture, _ = p.sends(p.mime, "second")
	k := p.enter(serve(t, nil))
	k.pictures(p, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var playing sync.WaitGroup
	defer playing.Wait()
	defer cancel()
	playing.Go(func() { second.play(ctx) })
	k.pictures(p, 60)
}
