package session

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// runOf returns the run of a rendition.
func runOf(t *testing.T, r *rendition) uint32 {
	t.Helper()
	if r.run == nil {
		t.Fatalf("there is no run of %s", r.name)
	}
	return r.run.id
}

// TestRunsAreBounded has a worker say more than any film has. Each is to fail its session before much of it is kept.
func TestRunsAreBounded(t *testing.T) {
	mib := make([]byte, 1<<20) // one, of which all packets are
	for name, c := range map[string]struct {
		atMost int
		tell   func(s *Session, h handler, n int)
	}{
		"packets of the picture": {maxPackets + 1, func(s *Session, h handler, n int) {
			h.Packet(wire.Packet{Run: runOf(t, s.video), PTS: int64(n & 1), DTS: int64(n & 1)})
		}},
		"bytes of the picture": {maxPictureBytes>>20 + 1, func(s *Session, h handler, _ int) {
			h.Packet(wire.Packet{Run: runOf(t, s.video), Data: mib})
		}},
		"bytes of sound": {maxSoundBytes>>20 + 1, func(s *Session, h handler, _ int) {
			h.Packet(wire.Packet{Run: runOf(t, s.audio[0]), Data: mib})
		}},
		"packets of text": {1, func(s *Session, h handler, _ int) {
			h.Packet(wire.Packet{Run: runOf(t, s.text[0])})
		}},
		"cues": {maxCues + 1, func(s *Session, h handler, _ int) {
			h.Cue(wire.Cue{Run: runOf(t, s.text[0]), End: time.Second, Text: "a"})
		}},
		"text of cues": {maxCueBytes>>20 + 1, func(s *Session, h handler, _ int) {
			h.Cue(wire.Cue{Run: runOf(t, s.text[0]), End: time.Second, Text: strings.Repeat("a", 1<<20)})
		}},
		"cues of the picture": {1, func(s *Session, h handler, _ int) {
			h.Cue(wire.Cue{Run: runOf(t, s.video), End: time.Second, Text: "a"})
		}},
		"codec data": {maxTurns + 2, func(s *Session, h handler, n int) {
			config, err := hex.DecodeString(avcConfigs[1+n%2])
			if err != nil {
				t.Fatal(err)
			}
			codec := map[int]string{0: "avc1.64000a", 1: "avc1.64000b"}[n%2]
			h.Init(wire.Init{Run: runOf(t, s.video), Codec: codec, CodecData: config, Width: 64, Height: 48, Aspect: [2]int{1, 1}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := heard(t)
			h := handler{s}
			for n := range c.atMost - 1 {
				if c.tell(s, h, n); s.Err() != nil {
					t.Fatalf("it fails at %d of %d: %v", n+1, c.atMost, s.Err())
				}
			}
			c.tell(s, h, c.atMost-1)
			var ended *EndedError
			if err := s.Err(); !errors.As(err, &ended) || ended.Failure == nil || ended.Failure.Code != CodeWorkerFailed {
				t.Errorf("it goes on with %d: %v", c.atMost, err)
			}
		})
	}
}

// TestWhatWasSaidIsLetGo has cues and packets come and go for longer than would fit at once.
func TestWhatWasSaidIsLetGo(t *testing.T) {
	s := heard(t)
	h, text := handler{s}, strings.Repeat("a", maxCueBytes/8)
	for k := range 20 {
		begin := time.Duration(k) * time.Second
		h.Cue(wire.Cue{Run: runOf(t, s.text[0]), Start: begin, End: begin + time.Second/2, Text: text})
		h.Progress(wire.Progress{Run: runOf(t, s.text[0]), Until: begin + time.Second})
		if err := s.Err(); err != nil {
			t.Fatalf("after %d s: %v", k, err)
		}
	}
	if held := s.text[0].run.held; held != 0 {
		t.Errorf("%d bytes are held at the end", held)
	}
}
