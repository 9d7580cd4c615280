package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// collector keeps what a run makes.
type collector struct {
	mu      sync.Mutex
	inits   []StreamInit
	packets []Packet
	cues    []Cue
	reached time.Duration
	after   int    // packets after which done is called, 0 for never
	done    func() // may be nil
}

func (c *collector) Init(i StreamInit) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inits = append(c.inits, i)
	return nil
}

func (c *collector) Packet(p Packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.Data = bytes.Clone(p.Data)
	c.packets = append(c.packets, p)
	if len(c.packets) == c.after {
		c.done()
	}
	return nil
}

func (c *collector) Cue(cue Cue) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cues = append(c.cues, cue)
	return nil
}

func (c *collector) Reached(until time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reached = until
	return nil
}

// opened opens a file as a session gets it.
func opened(t testing.TB, path string) Film {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) //nolint:errcheck // only read from
	r, err := source.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return Film{Name: "film", Reader: r}
}

func playSpec() PlaySpec {
	return PlaySpec{
		Model: "nearest-x2", Scale: 2, Strength: 1, Filters: filters.Neutral(), Threads: Threads{1, 1, 2}, Quality: 10, Burn: -1,
	}
}

// playPlan probes and plans a film with segments of a second.
func playPlan(t testing.TB, f Film, s PlaySpec) PlayPlan {
	t.Helper()
	m, err := ProbeFilm(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	x, err := MeasureExtent(t.Context(), f, m)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlayPlan(m, NewTimeline(m, x, time.Second), x, s, Has)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func playOptions() PlayOptions {
	return PlayOptions{Log: slog.New(slog.DiscardHandler), Limit: 1 << 30, Stall: 20 * time.Second}
}

// playVideo runs the picture from a segment to the end.
func playVideo(t testing.TB, f Film, p PlayPlan, segment int) *collector {
	t.Helper()
	c := &collector{}
	r, err := PlayVideo(f, p, segment, c, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatalf("from segment %d: %v", segment, err)
	}
	return c
}

// annexB returns what a collector has as a stream that ffmpeg reads.
func (c *collector) annexB() []byte {
	start := []byte{0, 0, 0, 1}
	var out []byte
	config := c.inits[0].Data // ISO/IEC 14496-15 §5.3.3.1.2
	rest := config[6:]
	for range config[5] & 31 {
		n := int(binary.BigEndian.Uint16(rest))
		out = append(append(out, start...), rest[2:2+n]...)
		rest = rest[2+n:]
	}
	for n, rest := rest[0], rest[1:]; n > 0; n-- {
		size := int(binary.BigEndian.Uint16(rest))
		out = append(append(out, start...), rest[2:2+size]...)
		rest = rest[2+size:]
	}
	for _, p := range c.packets {
		for rest := p.Data; len(rest) > 4; {
			n := int(binary.BigEndian.Uint32(rest))
			out = append(append(out, start...), rest[4:4+n]...)
			rest = rest[4+n:]
		}
	}
	return out
}

// numbers decodes what a collector has and reads the number in each picture.
func (c *collector) numbers(t testing.TB, scale float64) []int {
	t.Helper()
	raw := tool(t, bytes.NewReader(c.annexB()), "ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
	f := frame.New(frame.Layout{Format: frame.I420, Width: c.inits[0].Width, Height: c.inits[0].Height}, 1)
	var numbers []int
	for len(raw) > 0 {
		for p := range f.Planes {
			n := f.RowBytes(p) * rows(f.Layout, p)
			copy(f.Planes[p].Data, raw[:n])
			raw = raw[n:]
		}
		n, err := testmedia.ReadNumber(f, scale)
		if err != nil {
			t.Fatalf("picture %d: %v", len(numbers), err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// TestPlayVideo plays a film from each of its segments on: the pictures, their
// times and their key frames are the same wherever a run begins.
func TestPlayVideo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		rate testmedia.Ratio
		args string
	}{
		{"23.976", testmedia.Ratio{Num: 24000, Den: 1001}, "-c:v libx264 -g 100 -c:a aac in.mkv"},
		{"24", testmedia.Ratio{Num: 24, Den: 1}, "-c:v libx264 -preset ultrafast -c:a aac in.mp4"},
		{"25", testmedia.Ratio{Num: 25, Den: 1}, "-c:v mpeg2video -g 12 -bf 2 -q:v 2 -c:a mp2 in.ts"},
		{"29.97", testmedia.Ratio{Num: 30000, Den: 1001}, "-c:v libx264 -c:a aac in.mkv"},
		{"50", testmedia.Ratio{Num: 50, Den: 1}, "-c:v libx264 -c:a aac in.ts"},
		{"59.94", testmedia.Ratio{Num: 60000, Den: 1001}, "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 4M -c:a libvorbis in.webm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			frames := 7*c.rate.Num/c.rate.Den/2 + 3
			in := counted(t, testmedia.Spec{Width: 320, Height: 180, Rate: c.rate, Frames: frames}, strings.Fields(c.args)...)
			f := opened(t, in)
			p := playPlan(t, f, playSpec())
			per := p.Timeline.Frames
			if want := (frames + per - 1) / per; p.Timeline.Rate != (Fraction{c.rate.Num, c.rate.Den}) || int(p.Timeline.Last/time.Millisecond) != int(p.Timeline.time(int64(frames-1), int64(c.rate.Num), int64(c.rate.Den))/time.Millisecond) {
				t.Fatalf("timeline %+v, want %d frames in %d segments", p.Timeline, frames, want)
			}
			for k := 0; k*per < frames; k++ {
				got := playVideo(t, f, p, k)
				checkRun(t, p, got, k*per, frames, k)
			}
		})
	}
}

// checkRun holds a run against the frames it must have.
func checkRun(t *testing.T, p PlayPlan, got *collector, from, frames, segment int) {
	t.Helper()
	per := p.Timeline.Frames
	numbers := got.numbers(t, 2)
	var want []int
	for i := from; i < frames; i++ {
		want = append(want, i)
	}
	if !slices.Equal(numbers, want) {
		t.Errorf("segment %d: pictures %v, want %d to %d", segment, numbers, from, frames-1)
	}
	length := p.Timeline.Ticks / int64(per)
	for i, packet := range got.packets {
		n := from + i
		if packet.PTS != int64(n)*length || packet.DTS != packet.PTS || packet.Duration != length || packet.Key != (n%per == 0) {
			t.Errorf("segment %d: picture %d has pts %d dts %d duration %d key %v, want %d %d %v", segment, n,
				packet.PTS, packet.DTS, packet.Duration, packet.Key, int64(n)*length, length, n%per == 0)
		}
	}
}

// TestPlayLimit proves that a run waits at its limit, goes on from it, and ends
// at once when it is told to.
func TestPlayLimit(t *testing.T) {
	t.Parallel()
	in := counted(t, testmedia.Spec{Width: 320, Height: 180, Frames: 120}, "-c:v", "libx264", "in.mkv")
	f := opened(t, in)
	p := playPlan(t, f, playSpec())
	o := playOptions()
	o.Limit = 2
	at := make(chan struct{}, 2)
	c := &collector{after: 48, done: func() { at <- struct{}{} }}
	r, err := PlayVideo(f, p, 0, c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	<-at
	for deadline := time.Now().Add(10 * time.Second); !r.Stats().Waiting; {
		if time.Now().After(deadline) {
			t.Fatal("it does not wait at its limit")
		}
	}
	c.mu.Lock()
	if len(c.packets) != 48 {
		t.Errorf("%d packets before the limit at 48", len(c.packets))
	}
	c.after = 72
	c.mu.Unlock()
	r.Limit(3)
	<-at
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
