package pipeline

import (
	"bytes"
	"strconv"
	"testing"
	"time"
)

// heardFrames notes the frames of a track that is passed on, by number.
type heardFrames struct{ data []string }

func (h *heardFrames) Init(StreamInit) error       { return nil }
func (h *heardFrames) Cue(Cue) error               { return nil }
func (h *heardFrames) Reached(time.Duration) error { return nil }
func (h *heardFrames) Packet(p Packet) error {
	h.data = append(h.data, string(p.Data))
	return nil
}

// TestTimesOfPassedSound sends frames of AAC, each with the number as its data that it has in the film, at times that are
// exact, rounded, missing, shared and wrong: each is to be in its place, and silence where there is none.
func TestTimesOfPassedSound(t *testing.T) {
	const frames, untimed = 1000, time.Duration(-1)
	at := func(n int) time.Duration { return time.Duration(n) * 1024 * time.Second / 48000 }
	for name, c := range map[string]struct {
		// time returns that of frame n; without ok it does not come.
		time func(n int) (pts time.Duration, ok bool)
		lost func(n int) bool // of those that come; nil: none
	}{
		"exact": {func(n int) (time.Duration, bool) { return at(n), true }, nil},
		"of whole milliseconds, up": {func(n int) (time.Duration, bool) {
			return (at(n) + time.Millisecond - 1).Truncate(time.Millisecond), true
		}, nil},
		"one of eight": {func(n int) (time.Duration, bool) {
			if n%8 > 0 {
				return untimed, true
			}
			return at(n), true
		}, nil},
		"shared by eight": {func(n int) (time.Duration, bool) { return at(n / 8 * 8), true }, nil},
		"with a hole":     {func(n int) (time.Duration, bool) { return at(n), n < 300 || n >= 700 }, nil},
		"with a hole, one of two": {func(n int) (time.Duration, bool) {
			if n%2 > 0 {
				return untimed, n < 300 || n >= 700
			}
			return at(n), n < 300 || n >= 700
		}, nil},
		"every fifth":   {func(n int) (time.Duration, bool) { return at(n), n%5 == 0 }, nil},
		"to the middle": {func(n int) (time.Duration, bool) { return at(n), n < 500 }, nil},
		"one ten seconds late": {func(n int) (time.Duration, bool) {
			if n == 300 {
				return at(n) + 10*time.Second, true
			}
			return at(n), true
		}, nil},
		"one ten seconds early": {func(n int) (time.Duration, bool) {
			if n == 800 {
				return at(n) - 10*time.Second, true
			}
			return at(n), true
		}, nil},
		"one behind the end": {func(n int) (time.Duration, bool) {
			if n == 300 {
				return time.Hour, true
			}
			return at(n), true
		}, nil},
		"the first behind the end": {func(n int) (time.Duration, bool) {
			if n == 0 {
				return time.Hour, true
			}
			return at(n), true
		}, func(n int) bool { return n < 1 }},
		"two behind the end": {func(n int) (time.Duration, bool) {
			if n == 300 || n == 301 {
				return time.Hour + at(n), true
			}
			return at(n), true
		}, func(n int) bool { return n == 300 || n == 301 }},
	} {
		t.Run(name, func(t *testing.T) {
			var g gate
			line := Timeline{End: at(frames), TimeScale: 1000, Ticks: 1000}
			g.init(line, 1000)
			plan := SoundPlan{Codec: SoundAAC, Passed: true, Rate: 48000, Channels: 2, Frames: frames}
			var got heardFrames
			l := newSoundLane(PlayPlan{Timeline: line, Audio: []SoundPlan{plan}}, 0, 0, &got, &g)
			for n := range frames {
				pts, comes := c.time(n)
				if !comes {
					continue
				}
				if err := l.buffer(playBuffer{data: strconv.AppendInt(nil, int64(n), 10), pts: pts, timed: pts != untimed, key: true}); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.end(); err != nil {
				t.Fatal(err)
			}
			if len(got.data) != frames {
				t.Fatalf("%d frames come, want %d", len(got.data), frames)
			}
			silent := plan.silence()
			for n, data := range got.data {
				_, comes := c.time(n)
				want := strconv.Itoa(n)
				if !comes || c.lost != nil && c.lost(n) {
					want = string(silent)
				}
				if data != want {
					if bytes.Equal([]byte(data), silent) {
						data = "silence"
					}
					t.Fatalf("in the place of frame %d is %s", n, data)
				}
			}
		})
	}
}
