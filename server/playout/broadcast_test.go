package playout_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// aired is a subscription of what was made: messages, and how it ends.
type aired struct {
	messages []wire.Message
	end      error
	closed   int
}

func (a *aired) Next(context.Context) (wire.Message, error) {
	if len(a.messages) == 0 {
		return nil, a.end
	}
	m := a.messages[0]
	a.messages = a.messages[1:]
	return m, nil
}

func (a *aired) Close() { a.closed++ }

// airedAt is when the stream of show is an hour old, in its picture's ticks of 90 kHz.
const airedAt = 3600 * 90000

// show returns seconds of pictures, 25 a second from an hour on, each with two frames of sound before it, of which the
// first lie before the first picture.
func show(seconds int) *aired {
	config, _ := hex.DecodeString(avcConfigs[2])
	a := &aired{end: &session.EndedError{Cause: session.CauseEOS}, messages: []wire.Message{
		wire.Init{Run: wire.RelayVideo, Codec: "avc1.64000a", CodecData: config, Width: 64, Height: 48, Aspect: [2]int{1, 1}},
		wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}},
	}}
	for n := range 25 * seconds {
		at := int64(airedAt + n*3600)
		data := fmt.Appendf([]byte{0, 0, 0, 20, 0x41}, "picture %12d", n)[:24]
		a.messages = append(a.messages, wire.Packet{Run: wire.RelayVideo, Key: n%25 == 0, PTS: at, DTS: at, Duration: 3600, Data: data})
		for i := range int64(2) {
			heard := at*48/90 + (i-1)*960
			a.messages = append(a.messages, wire.Packet{Run: wire.RelayAudio, Key: true, PTS: heard, DTS: heard, Duration: 960, Data: []byte("sound")})
		}
	}
	return a
}

func airing() wire.Opened {
	return wire.Opened{
		Video: wire.VideoInfo{TimeScale: 90000, Size: [2]int{64, 48}}, Audio: []wire.AudioInfo{{Rate: 48000, Channels: 2, FrameSamples: 960}},
	}
}

func broadcast(t *testing.T, a *aired, audio int) *playout.Broadcast {
	t.Helper()
	b, err := playout.NewBroadcast(t.Context(), a, airing, audio)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// all reads a broadcast to its end.
func all(t *testing.T, b *playout.Broadcast, kind wire.StreamKind) (found []playout.Sample, end error) {
	t.Helper()
	for {
		s, err := b.Next(t.Context())
		if err != nil {
			return found, err
		}
		if s.Kind == kind {
			found = append(found, s)
		}
	}
}

func TestABroadcastBeginsWithItsPicture(t *testing.T) {
	t.Parallel()
	pictures, end := all(t, broadcast(t, show(2), playout.StandardAudio), wire.StreamVideo)
	if len(pictures) != 50 || !errors.Is(end, io.EOF) {
		t.Fatalf("%d pictures, %v", len(pictures), end)
	}
	handed := 0
	for n, p := range pictures {
		if p.Shown() != time.Duration(n)*40*time.Millisecond || (p.Init != nil) != (n == 0) {
			t.Errorf("picture %d is shown at %s, init %v", n, p.Shown(), p.Init)
		}
		if p.Last {
			handed++
		}
	}
	if handed != 17 || !pictures[0].Last { // three pictures are the first 100 ms or more
		t.Errorf("handed on %d times", handed)
	}
	sounds, _ := all(t, broadcast(t, show(2), 0), wire.StreamAudio)
	if len(sounds) != 99 || sounds[0].Shown() != 0 || sounds[0].Init == nil { // without the one before the first picture
		t.Errorf("%d frames of sound from %s on", len(sounds), sounds[0].Shown())
	}
	if silent, _ := all(t, broadcast(t, show(2), playout.NoAudio), wire.StreamAudio); len(silent) != 0 {
		t.Errorf("%d frames of sound", len(silent))
	}
}

// TestABroadcastGoesOn holds that times jump over what a slow reader was cut by, and never go back.
func TestABroadcastGoesOn(t *testing.T) {
	t.Parallel()
	cut := show(4)
	config, _ := hex.DecodeString(avcConfigs[4])
	larger := wire.Init{Run: wire.RelayVideo, CodecData: config, Width: 128, Height: 96}
	cut.messages = append(append(cut.messages[:2+75:2+75], larger), cut.messages[2+150:]...) // a second is lost
	pictures, _ := all(t, broadcast(t, cut, playout.StandardAudio), wire.StreamVideo)
	if at := pictures[25]; len(pictures) != 75 || at.Shown() != 2*time.Second || at.Init == nil || at.Init.Width != 128 || !at.Last {
		t.Errorf("%d pictures, behind the cut %+v", len(pictures), at)
	}
	back := show(1)
	back.messages = append(back.messages, show(1).messages[2:]...) // an hour is over again
	b := broadcast(t, back, playout.StandardAudio)
	latest := map[wire.StreamKind]time.Duration{wire.StreamVideo: -1, wire.StreamAudio: -1}
	count := map[wire.StreamKind]int{}
	for {
		s, err := b.Next(t.Context())
		if err != nil {
			break
		}
		if s.Decoded() <= latest[s.Kind] {
			t.Errorf("%s at %s after %s", s.Kind, s.Decoded(), latest[s.Kind])
		}
		latest[s.Kind] = s.Decoded()
		count[s.Kind]++
	}
	if latest[wire.StreamVideo] != 1960*time.Millisecond || count[wire.StreamVideo] != 50 || count[wire.StreamAudio] != 99 {
		t.Errorf("it ends at %v with %v", latest, count)
	}
}

func TestABroadcastEnds(t *testing.T) {
	t.Parallel()
	a := show(1)
	a.end = &session.EndedError{Cause: session.CauseClient}
	b := broadcast(t, a, playout.StandardAudio)
	if _, end := all(t, b, wire.StreamVideo); !errors.Is(end, a.end) {
		t.Error(end)
	}
	if b.Close(); a.closed != 1 {
		t.Errorf("closed %d times", a.closed)
	}
	if _, err := playout.NewBroadcast(t.Context(), a, airing, 0); !errors.Is(err, a.end) || a.closed != 2 {
		t.Errorf("%v, closed %d times", err, a.closed)
	}
	if _, err := playout.NewBroadcast(t.Context(), show(1), airing, 1); !errors.Is(err, session.ErrNoStream) {
		t.Error(err)
	}
}

// TestBroadcastsAreWhole writes each container to the stream's end, and looks for every sample in it.
func TestBroadcastsAreWhole(t *testing.T) {
	t.Parallel()
	for _, c := range playout.Containers() {
		var out strings.Builder
		flushed := 0
		err := playout.Stream(t.Context(), broadcast(t, show(2), playout.StandardAudio), c, &out, func() error { flushed++; return nil })
		if err != nil || flushed != 18 {
			t.Errorf("%s: %v, handed on %d times", c, err, flushed)
		}
		if n := strings.Count(out.String(), "picture "); n != 50 && c != playout.TS { // which cuts packets
			t.Errorf("%s: %d pictures", c, n)
		}
		if n := strings.Count(out.String(), "sound"); n != 99 && c == playout.Matroska {
			t.Errorf("%s: %d frames of sound", c, n)
		}
	}
}
