package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

func playSound(t testing.TB, f Film, p PlayPlan, track, segment int) *collector {
	t.Helper()
	c := &collector{}
	r, err := PlaySound(f, p, track, segment, c, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatalf("from segment %d: %v", segment, err)
	}
	return c
}

// adts returns what a collector has as a stream that ffmpeg reads: each frame with
// a header of its own (ISO/IEC 14496-3 §1.A.2.2.1).
func (c *collector) adts() []byte {
	config := binary.BigEndian.Uint16(c.inits[0].Data)
	profile, frequency, channels := config>>11-1, config>>7&15, config>>3&15
	var out []byte
	for _, p := range c.packets {
		n := len(p.Data) + 7
		out = append(out, 0xff, 0xf1, byte(profile<<6|frequency<<2|channels>>2), byte(int(channels&3)<<6|n>>11), byte(n>>3), byte(n<<5|0x1f), 0xfc)
		out = append(out, p.Data...)
	}
	return out
}

// beeps decodes what a collector has and returns the film times of its beeps.
func (c *collector) beeps(t testing.TB, rate int) []time.Duration {
	t.Helper()
	pcm := tool(t, bytes.NewReader(c.adts()), "ffmpeg", "-v", "error", "-f", "aac", "-i", "-", "-ac", "2", "-ar", "48000", "-f", "s16le", "-")
	begin := time.Duration(c.packets[0].PTS) * time.Second / time.Duration(rate)
	at := testmedia.Beeps(pcm)
	for i := range at {
		at[i] += begin
	}
	return at
}

// TestPlaySound plays the sound of a film from each of its segments on: frames
// follow one another without a gap, they are the same wherever a run begins, and
// the beeps are heard with the pictures that they belong to.
func TestPlaySound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args   string
		passed bool
	}{
		{"-c:v libx264 -preset ultrafast -c:a aac in.mkv", true},
		{"-c:v libx264 -preset ultrafast -c:a aac in.mp4", true},
		{"-c:v libx264 -preset ultrafast -c:a aac in.ts", true},
		{"-c:v libx264 -preset ultrafast -c:a libmp3lame in.mkv", false},
		{"-c:v libx264 -preset ultrafast -c:a ac3 -ar 44100 in.ts", false},
		{"-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus in.webm", false},
		{"-c:v libx264 -preset ultrafast -c:a pcm_s16le -ac 1 in.mkv", false},
		{"-c:v libx264 -preset ultrafast -c:a flac in.mkv", false},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			in := counted(t, testmedia.Spec{Width: 160, Height: 120, Rate: testmedia.Ratio{Num: 24000, Den: 1001}, Frames: 120}, strings.Fields(c.args)...)
			f := opened(t, in)
			p := playPlan(t, f, playSpec())
			s := p.Audio[0]
			if s.Passed != c.passed {
				t.Fatalf("passed %v: %+v", s.Passed, s)
			}
			whole := playSound(t, f, p, 0, 0)
			first := whole.packets[0].PTS
			if int64(len(whole.packets)) != s.Frames || first != s.First {
				t.Errorf("%d frames from %d, want %d from %d", len(whole.packets), first, s.Frames, s.First)
			}
			for i, packet := range whole.packets {
				if packet.PTS != first+int64(i)*aacFrame || packet.Duration != aacFrame {
					t.Fatalf("frame %d at %d for %d", i, packet.PTS, packet.Duration)
				}
			}
			checkBeeps(t, whole.beeps(t, s.Rate), 0, 5)
			for k := 1; k < 5; k++ {
				from := s.FirstOf(p.Timeline, k)
				part := playSound(t, f, p, 0, k)
				if int64(len(part.packets)) != s.Frames-from || part.packets[0].PTS != s.First+from*aacFrame {
					t.Errorf("segment %d: %d frames from %d, want %d from %d", k, len(part.packets), part.packets[0].PTS, s.Frames-from, s.First+from*aacFrame)
				}
				checkBeeps(t, part.beeps(t, s.Rate), k, 5)
				if c.passed && !slices.EqualFunc(part.packets, whole.packets[from:], func(a, b Packet) bool { return bytes.Equal(a.Data, b.Data) }) {
					t.Errorf("segment %d: other frames than in one go", k)
				}
			}
		})
	}
}

// checkBeeps wants a beep at each second of the counted clip from one on, to
// within 40 ms. That of the segment's own beginning may be cut.
func checkBeeps(t *testing.T, at []time.Duration, from, to int) {
	t.Helper()
	var missing []string
	for s := from; s < to; s++ {
		frame := (s*24000 + 1000) / 1001
		want := time.Duration(frame) * 1001 * time.Second / 24000
		if !slices.ContainsFunc(at, func(got time.Duration) bool { return (got - want).Abs() < 40*time.Millisecond }) && s > from {
			missing = append(missing, fmt.Sprint(want))
		}
	}
	if missing != nil {
		t.Errorf("from segment %d: no beep at %v; there are %v", from, missing, at)
	}
}

// TestPlaySoundToTheLastSegment plays a sound that is longer than the film with the
// limit that a server sets at most: the number of segments. The last frame is the
// one that the film ends in.
func TestPlaySoundToTheLastSegment(t *testing.T) {
	t.Parallel()
	in := counted(t, testmedia.Spec{Width: 160, Height: 120, Frames: 72}, strings.Fields("-c:v libx264 -preset ultrafast -c:a aac -af apad=pad_dur=0.2 in.mkv")...)
	f := opened(t, in)
	p := playPlan(t, f, playSpec())
	s := p.Audio[0]
	last := time.Duration(s.First+(s.Frames-1)*aacFrame) * time.Second / time.Duration(s.Rate)
	frame := aacFrame * time.Second / time.Duration(s.Rate)
	if end := p.Timeline.End; end != p.Timeline.Begin(3) || last >= end || last+frame < end {
		t.Fatalf("the film ends at %s, the last frame begins at %s", end, last)
	}
	options := playOptions()
	options.Limit = 3
	c := &collector{}
	r, err := PlaySound(f, p, 0, 0, c, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, errors.New("it does not come to its end"))
	defer cancel()
	if err := r.Run(ctx); err != nil || int64(len(c.packets)) != s.Frames {
		t.Errorf("%d frames of %d: %v", len(c.packets), s.Frames, err)
	}
}
