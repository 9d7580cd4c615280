package live

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// still is a worker that takes everything and does nothing.
type still struct{}

func (still) Set(context.Context, wire.Set) error    { return nil }
func (still) KeyFrame(context.Context, uint32) error { return nil }
func (still) Close(context.Context) error            { return nil }

// studio returns a Studio, which does not run, whose workers find a stream.
func studio(t *testing.T, found wire.Opened) *Studio {
	t.Helper()
	s, _ := idleStudio(t, func(context.Context, string, session.Settings, wire.Relay, *os.File, session.Handler) (Worker, wire.Opened, error) {
		return still{}, found, nil
	})
	return s
}

// listening returns a session that has begun and of which nothing runs, to be told what a worker says.
func listening(t *testing.T) handler {
	t.Helper()
	s, err := studio(t, wire.Opened{}).begin(session.About{Kind: session.KindLive, Owner: "me", Source: "camera"}, Stream{})
	if err != nil {
		t.Fatal(err)
	}
	s.Describe(wire.Opened{})
	return handler{s}
}

// TestProgressOfDays tells of a stream that has gone on for more than 28 h, where nanoseconds times 90 kHz are more than
// 63 bits hold.
func TestProgressOfDays(t *testing.T) {
	t.Parallel()
	h := listening(t)
	h.Packet(wire.Packet{Run: wire.RelayVideo, Key: true, PTS: 90000 * 110_000})
	h.Stats(wire.Stats{})
	if p := h.Snapshot().Progress; p == nil || p.Position != 110_000*time.Second {
		t.Errorf("the progress is %+v", p)
	}
}

// avcC describes pictures of 64×48.
const avcC = "0164000affe100156764000aacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800"

// pictures and sounds return the Init of a run.
func pictures(t *testing.T) wire.Init {
	t.Helper()
	data, err := hex.DecodeString(avcC)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Init{Run: wire.RelayVideo, Codec: "avc1.64000a", CodecData: data, Width: 64, Height: 48, Aspect: [2]int{1, 1}}
}

func sounds() wire.Init {
	return wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}
}

// TestInits tells of streams that players can begin with, and of those that nothing can be made of: what comes of a
// worker that was taken over.
func TestInits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		init wire.Init
		good bool
	}{
		"pictures":            {pictures(t), true},
		"sound":               {sounds(), true},
		"another run":         {wire.Init{Run: 3, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}, false},
		"no data of pictures": {wire.Init{Run: wire.RelayVideo, Codec: "avc1.64000a", Width: 64, Height: 48, Aspect: [2]int{1, 1}}, false},
		"no data of sound":    {wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2"}, false},
		"another codec":       {wire.Init{Run: wire.RelayAudio, Codec: "opus", CodecData: []byte{0x11, 0x90}}, false},
		// Index 15 says that the rate follows in 24 bits, which are 0.
		"sound of 0 Hz": {wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2", CodecData: []byte{0x17, 0x80, 0, 0, 0x10, 0}}, false},
	} {
		h := listening(t)
		h.Init(c.init)
		var ended *session.EndedError
		switch err := h.Err(); {
		case c.good && err != nil:
			t.Errorf("%s: %v", name, err)
		case !c.good && (!errors.As(err, &ended) || ended.Failure == nil || ended.Failure.Code != session.CodeWorkerFailed):
			t.Errorf("%s: the session goes on: %v", name, err)
		}
	}
}

// TestSoundOf0Hz has it packaged all the same: times are divided by its rate there.
func TestSoundOf0Hz(t *testing.T) {
	t.Parallel()
	if got, err := track(wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2", CodecData: []byte{0x17, 0x80, 0, 0, 0x10, 0}}); err == nil {
		t.Errorf("it is a track of %d Hz", got.ClockRate)
	}
}

// TestStreamsThatAreNone has workers find what no worker of ours finds.
func TestStreamsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]wire.Opened{
		"no ticks":   {},
		"other ones": {Video: wire.VideoInfo{TimeScale: 1000}},
		"two sounds": {Video: wire.VideoInfo{TimeScale: wire.RelayTimeScale}, Audio: make([]wire.AudioInfo, 2)},
	} {
		s := studio(t, found)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = s.Run(ctx) })
		silent := func(ctx context.Context, _ io.Writer) error {
			<-ctx.Done()
			return nil
		}
		about := session.About{Kind: session.KindLive, Owner: "me", Source: "camera"}
		if _, err := s.Start(t.Context(), about, Stream{Feed: silent}); err == nil {
			t.Errorf("%s: it begins", name)
		}
		cancel()
		running.Wait()
	}
}
