package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// errEnough ends a run that has made what a test wants of it.
var errEnough = errors.New("enough")

// upTo keeps what a run makes before a tick, and then ends it.
type upTo struct {
	collector
	end  int64
	stop context.CancelCauseFunc
}

func (u *upTo) Packet(p Packet) error {
	if p.PTS >= u.end {
		u.stop(errEnough)
		return nil
	}
	return u.collector.Packet(p)
}

// playAlone makes one segment by a run of its own.
func playAlone(t testing.TB, f Film, p PlayPlan, k int) *collector {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	u := &upTo{end: int64(k+1) * p.Timeline.Ticks, stop: cancel}
	r, err := PlayVideo(f, p, k, u, playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx); err != nil && !errors.Is(err, errEnough) {
		t.Fatalf("segment %d alone: %v", k, err)
	}
	return &u.collector
}

// segments returns how many segments the server tells of a film.
func segments(l Timeline) int {
	return int((l.InTicks(l.End) + l.Ticks - 1) / l.Ticks)
}

// checkPromise makes a film in one go and each segment alone, and holds both
// against what a playlist promises, and unless loose says otherwise one against
// the other. It returns the numbers in the pictures with their times.
func checkPromise(t *testing.T, f Film, p PlayPlan, loose bool) (numbers []int, at []time.Duration) {
	t.Helper()
	l := p.Timeline
	whole := playVideo(t, f, p, 0)
	count, next := 0, int64(0)
	bySegment := map[int][]Packet{}
	for i, b := range whole.packets {
		k := int(b.PTS / l.Ticks)
		first := len(bySegment[k]) == 0
		if first {
			count++
		}
		if b.PTS != next || b.DTS != b.PTS || b.Duration <= 0 || first != (b.PTS == int64(k)*l.Ticks) || b.Key != first {
			t.Errorf("picture %d at %d for %d, key %v; the one before ends at %d", i, b.PTS, b.Duration, b.Key, next)
		}
		next = b.PTS + b.Duration
		bySegment[k] = append(bySegment[k], b)
		at = append(at, time.Duration(mulDiv(b.PTS, int64(time.Second), l.TimeScale)))
	}
	if want := segments(l); count != want || next != l.InTicks(l.End) {
		t.Errorf("%d segments until tick %d, promised are %d until %d", count, next, want, l.InTicks(l.End))
	}
	numbers = whole.numbers(t, 2)
	if len(numbers) != len(whole.packets) {
		t.Fatalf("%d pictures in %d packets", len(numbers), len(whole.packets))
	}
	done := 0
	for k := range segments(l) {
		alone := playAlone(t, f, p, k)
		checkWhole(t, l, k, alone.packets)
		if loose {
			continue
		}
		same := func(a, b Packet) bool { return a.PTS == b.PTS && a.Duration == b.Duration && a.Key == b.Key }
		if !slices.EqualFunc(alone.packets, bySegment[k], same) {
			t.Errorf("segment %d alone has %v, in one go %v", k, placesOf(alone.packets), placesOf(bySegment[k]))
			done += len(bySegment[k])
			continue
		}
		if want := numbers[done : done+len(bySegment[k])]; !slices.Equal(alone.numbers(t, 2), want) {
			t.Errorf("segment %d alone shows %v, in one go %v", k, alone.numbers(t, 2), want)
		}
		done += len(bySegment[k])
	}
	return numbers, at
}

// checkWhole wants the packets of a segment to begin with a key frame, the only
// one, and to fill it.
func checkWhole(t *testing.T, l Timeline, k int, packets []Packet) {
	t.Helper()
	next := int64(k) * l.Ticks
	for i, b := range packets {
		if b.PTS != next || b.Duration <= 0 || b.Key != (i == 0) {
			t.Errorf("segment %d: picture %d at %d for %d, key %v; the one before ends at %d", k, i, b.PTS, b.Duration, b.Key, next)
		}
		next = b.PTS + b.Duration
	}
	if want := min(int64(k+1)*l.Ticks, l.InTicks(l.End)); next != want {
		t.Errorf("segment %d ends at %d, want %d", k, next, want)
	}
}

func placesOf(packets []Packet) (places []string) {
	for _, p := range packets {
		places = append(places, fmt.Sprintf("%d+%d %v", p.PTS, p.Duration, p.Key))
	}
	return places
}

// raw is what follows the two inputs of counted in its arguments.
const (
	rawVideo = "-c:v libx264 -preset ultrafast -g 50"
	rawSound = "-c:a aac"
)

// oddFilms are films whose times are not what one would like.
var oddFilms = []struct {
	name   string
	args   string                                 // of ffmpeg, behind a counted clip of 6 s at 25 pictures a second
	change func(t *testing.T, path string) string // the file into another; nil leaves it
	first  int                                    // number in the first picture
	end    time.Duration                          // of the film
	shown  func(n int) time.Duration              // when picture n is shown; nil for n/25 s
	beeps  bool                                   // its sound can be held against its pictures
	loose  bool                                   // demuxers time it otherwise after a seek
}{
	{"no sound", "-an in.mkv", nil, 0, 6 * time.Second, nil, false, false},
	{"no cues and no duration", rawSound + " in.mkv", streamed("matroska", "-live", "1"), 0, 6 * time.Second, nil, true, false},
	{"fragmented MP4", rawSound + " -movflags +frag_keyframe+delay_moov in.mp4", nil, 0, 6 * time.Second, nil, true, false},
	{"AVI", "-c:v mpeg4 -bf 0 -q:v 2 -c:a libmp3lame in.avi", nil, 0, 6040 * time.Millisecond, later(1, 40*time.Millisecond), true, false}, // its first chunk is empty
	{"AVI with B frames", "-c:v mpeg4 -bf 2 -q:v 2 -c:a ac3 in.avi", nil, 0, 6 * time.Second, nil, true, false},
	{"FLV", rawSound + " -ar 44100 in.flv", nil, 0, 6 * time.Second, nil, true, false},
	{"programme stream", "-c:v mpeg2video -q:v 2 -bf 2 -c:a mp2 in.mpg", nil, 0, 6 * time.Second, nil, true, false},
	{"transport stream at ten hours", rawSound + " -output_ts_offset 36000 in.ts", nil, 0, 6 * time.Second, nil, true, false},
	{"Matroska at ten hours", rawSound + " -output_ts_offset 36000 in.mkv", nil, 0, 6 * time.Second, nil, true, false},
	{"open groups", "-c:v libx264 -preset fast -g 30 -bf 3 -x264-params open-gop=1 " + rawSound + " in.ts", nil, 0, 6 * time.Second, nil, true, false},
	{"one key frame", "-c:v libx264 -preset fast -g 1000 -bf 3 " + rawSound + " in.mp4", nil, 0, 6 * time.Second, nil, true, false},
	{"Matroska that claims an hour", rawSound + " in.mkv", claimMatroska(3600e3), 0, 6 * time.Second, nil, true, false},
	{"Matroska that claims a second", rawSound + " in.mkv", claimMatroska(1000), 0, 6 * time.Second, nil, true, false},
	{"Matroska that claims 40 s", rawSound + " in.mkv", claimMatroska(40e3), 0, 6 * time.Second, nil, true, false},
	{"MP4 that claims an hour", rawSound + " in.mp4", claimMP4(3600), 0, 6 * time.Second, nil, true, false},
	{"MP4 that claims four seconds", rawSound + " in.mp4", claimMP4(4), 0, 6 * time.Second, nil, true, false},
	{"Matroska cut short", rawSound + " in.mkv", shortened(0.7), 0, 0, nil, true, false},
	{"MP4 cut short", rawSound + " -movflags +faststart in.mp4", shortened(0.7), 0, 0, nil, true, false},
	{"transport stream cut short", rawSound + " in.ts", shortened(0.7), 0, 0, nil, true, false},
	{"a gap of four seconds", "-filter:v setpts=PTS+gte(N\\,70)*4/TB -fps_mode passthrough -an in.mkv", nil, 0, 10 * time.Second, later(70, 4*time.Second), false, false},
	{"a gap of four seconds in MP4", "-filter:v setpts=PTS+gte(N\\,70)*4/TB -fps_mode passthrough -an in.mp4", nil, 0, 10 * time.Second, later(70, 4*time.Second), false, false},
	// tsdemux (1.22) takes the gap for a new clock.
	{"a gap of four seconds in a transport stream", "-filter:v setpts=PTS+gte(N\\,70)*4/TB -fps_mode passthrough -an in.ts", nil, 0, 0, nil, false, true},
	{"a slide each seven seconds", "-filter:v select=lt(n\\,4),settb=1/1000,setpts=N*7000 -fps_mode passthrough -an in.mkv", nil, 0, 0, slides, false, false},
	{"a slide each seven seconds in MP4", "-filter:v select=lt(n\\,4),settb=1/1000,setpts=N*7000 -fps_mode passthrough -an in.mp4", nil, 0, 0, slides, false, false},
	{"every third missing midway", "-filter:v select=not(between(n\\,40\\,90)*eq(mod(n\\,3)\\,0)) -fps_mode passthrough " + rawSound + " in.mkv", nil, 0, 6 * time.Second, nil, true, false},
	{"slower midway", "-filter:v settb=1/1000,setpts=N*40+max(0\\,N-70)*60 -fps_mode passthrough -an in.mkv", nil, 0, 0, slower, false, false},
	{"slower midway in MP4", "-filter:v settb=1/1000,setpts=N*40+max(0\\,N-70)*60 -fps_mode passthrough -an in.mp4", nil, 0, 0, slower, false, false},
	{"sound earlier", "-filter:v select=gte(n\\,18) -fps_mode passthrough " + rawSound + " in.mkv", nil, 18, 5280 * time.Millisecond, later(0, -720*time.Millisecond), true, false},
	{"sound earlier in MP4", "-filter:v select=gte(n\\,18) -fps_mode passthrough " + rawSound + " in.mp4", nil, 18, 5280 * time.Millisecond, later(0, -720*time.Millisecond), true, false},
	{"sound earlier in a transport stream", "-filter:v select=gte(n\\,18) -fps_mode passthrough " + rawSound + " in.ts", nil, 18, 5280 * time.Millisecond, later(0, -720*time.Millisecond), true, false},
	{"sound later", "-filter:a aselect=gte(t\\,1.3) " + rawSound + " in.mkv", nil, 0, 6 * time.Second, nil, true, false},
	{"sound later in MP4", "-filter:a aselect=gte(t\\,1.3) " + rawSound + " in.mp4", nil, 0, 6 * time.Second, nil, true, false},
	{"sound later in a transport stream", "-filter:a aselect=gte(t\\,1.3) " + rawSound + " in.ts", nil, 0, 6 * time.Second, nil, true, false},
	{"sound longer", "-filter:v select=lt(n\\,40) -fps_mode passthrough " + rawSound + " in.mkv", nil, 0, 0, nil, true, false},
	{"sound longer in MP4", "-filter:v select=lt(n\\,40) -fps_mode passthrough " + rawSound + " in.mp4", nil, 0, 0, nil, true, false},
	{"sound shorter", "-filter:a aselect=lt(t\\,2.6) " + rawSound + " in.mkv", nil, 0, 6 * time.Second, nil, true, false},
	{"sound with a hole", "-filter:a aselect=not(between(t\\,1.7\\,3.6)) " + rawSound + " in.mkv", nil, 0, 6 * time.Second, nil, true, false},
	{"sound with a hole in MP4", "-filter:a aselect=not(between(t\\,1.7\\,3.6)) " + rawSound + " in.mp4", nil, 0, 6 * time.Second, nil, true, false},
	{"sound with a hole that is encoded", "-filter:a aselect=not(between(t\\,1.7\\,3.6)) -c:a libmp3lame in.mkv", nil, 0, 6 * time.Second, nil, true, false},
}

func later(from int, by time.Duration) func(int) time.Duration {
	return func(n int) time.Duration {
		at := time.Duration(n) * 40 * time.Millisecond
		if n >= from {
			at += by
		}
		return at
	}
}

func slides(n int) time.Duration { return time.Duration(n) * 7 * time.Second }

func slower(n int) time.Duration {
	return time.Duration(n*40+max(0, n-70)*60) * time.Millisecond
}

// streamed writes a file anew as into a pipe, where nothing can be filled in later.
func streamed(format string, args ...string) func(*testing.T, string) string {
	return func(t *testing.T, path string) string {
		t.Helper()
		all := slices.Concat([]string{"-v", "error", "-nostdin", "-i", path, "-map", "0", "-c", "copy", "-f", format}, args, []string{"pipe:1"})
		return write(t, "streamed", tool(t, nil, "ffmpeg", all...))
	}
}

// claimMatroska writes another Duration into a Matroska file, in ms:
// https://www.rfc-editor.org/rfc/rfc9559.html#section-5.1.2.10.
func claimMatroska(ms float64) func(*testing.T, string) string {
	return edited(func(t *testing.T, data []byte) {
		t.Helper()
		i := bytes.Index(data, []byte{0x44, 0x89, 0x88})
		if i < 0 {
			t.Fatal("there is no Duration")
		}
		binary.BigEndian.PutUint64(data[i+3:], math.Float64bits(ms))
	})
}

// claimMP4 writes other durations into mvhd, tkhd and mdhd: ISO/IEC 14496-12 §8.2.2.
func claimMP4(seconds uint32) func(*testing.T, string) string {
	return edited(func(t *testing.T, data []byte) {
		t.Helper()
		found := 0
		for _, box := range []struct {
			name            string
			scale, duration int // offsets behind the name; scale 0 for mvhd's
		}{{"mvhd", 12, 16}, {"tkhd", 0, 20}, {"mdhd", 12, 16}} {
			for rest := data; ; found++ {
				i := bytes.Index(rest, []byte(box.name))
				if i < 0 {
					break
				}
				rest = rest[i+4:]
				scale := uint32(1000)
				if box.scale > 0 {
					scale = binary.BigEndian.Uint32(rest[box.scale:])
				}
				binary.BigEndian.PutUint32(rest[box.duration:], seconds*scale)
			}
		}
		if found < 5 {
			t.Fatalf("%d of 5 boxes", found)
		}
	})
}

func edited(edit func(t *testing.T, data []byte)) func(*testing.T, string) string {
	return func(t *testing.T, path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, data)
		return write(t, "edited", data)
	}
}

func shortened(share float64) func(*testing.T, string) string {
	return func(t *testing.T, path string) string { t.Helper(); return cut(t, path, share) }
}

// TestPlayOddFilms plays films with odd times: every segment that is promised is
// made, in one go and each alone, every picture is there at its time, and sound
// lies with its picture.
func TestPlayOddFilms(t *testing.T) {
	t.Parallel()
	for _, c := range oddFilms {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(c.args)
			if !strings.Contains(c.args, "-c:v") {
				args = append(strings.Fields(rawVideo), args...)
			}
			in := counted(t, testmedia.Spec{Width: 160, Height: 120, Rate: testmedia.Ratio{Num: 25, Den: 1}, Frames: 150}, args...)
			if c.change != nil {
				in = c.change(t, in)
			}
			f := opened(t, in)
			p := playPlan(t, f, playSpec())
			if c.end != 0 && (p.Timeline.End-c.end).Abs() > 40*time.Millisecond {
				t.Errorf("the film ends at %s, want %s", p.Timeline.End, c.end)
			}
			numbers, at := checkPromise(t, f, p, c.loose)
			if !c.loose {
				checkShown(t, numbers, at, c.first, c.shown)
			}
			if c.beeps {
				checkSound(t, f, p, c.shown)
			}
		})
	}
}

// checkShown wants each new picture at its time to within half a frame of 25, and
// none missing up to the last.
func checkShown(t *testing.T, numbers []int, at []time.Duration, first int, shown func(int) time.Duration) {
	t.Helper()
	if shown == nil {
		shown = later(0, 0)
	}
	if len(numbers) == 0 || numbers[0] != first {
		t.Fatalf("pictures %v begin not with %d", numbers, first)
	}
	for i, n := range numbers {
		switch {
		case i > 0 && n == numbers[i-1]: // held
		case i > 0 && n < numbers[i-1]:
			t.Errorf("picture %d after %d", n, numbers[i-1])
		case (at[i] - max(0, shown(n))).Abs() > 20*time.Millisecond:
			t.Errorf("picture %d at %s, want %s", n, at[i], shown(n))
		}
	}
}

// checkSound wants frames without a gap over the whole film, from each segment on
// the same ones, and beeps where the pictures that they belong to are.
func checkSound(t *testing.T, f Film, p PlayPlan, shown func(int) time.Duration) {
	t.Helper()
	if shown == nil {
		shown = later(0, 0)
	}
	s := p.Audio[0]
	whole := playSound(t, f, p, 0, 0)
	if int64(len(whole.packets)) != s.Frames || whole.packets[0].PTS != s.First {
		t.Errorf("%d frames of sound from %d, want %d from %d", len(whole.packets), whole.packets[0].PTS, s.Frames, s.First)
	}
	for i, b := range whole.packets {
		if b.PTS != s.First+int64(i)*aacFrame {
			t.Fatalf("frame %d of sound at %d", i, b.PTS)
		}
	}
	checkBeepsAt(t, whole.beeps(t, s.Rate), shown)
	for k := 1; k < segments(p.Timeline); k++ {
		from := s.FirstOf(p.Timeline, k)
		if from >= s.Frames {
			continue // its end is in the middle of the last segment
		}
		part := playSound(t, f, p, 0, k)
		if len(part.packets) == 0 || int64(len(part.packets)) != s.Frames-from || part.packets[0].PTS != s.First+from*aacFrame {
			t.Errorf("segment %d of sound: %d frames, want %d", k, len(part.packets), s.Frames-from)
			continue
		}
		checkBeepsAt(t, part.beeps(t, s.Rate), shown)
	}
}

// checkBeepsAt wants every beep where its picture is shown, to within 40 ms.
func checkBeepsAt(t *testing.T, at []time.Duration, shown func(int) time.Duration) {
	t.Helper()
	for _, b := range at {
		near := false
		for second := range 12 {
			near = near || (b-shown(second*25)).Abs() < 40*time.Millisecond
		}
		if !near && b > 50*time.Millisecond { // one that is cut at the beginning is heard from there on
			t.Errorf("a beep at %s belongs to no picture; beeps at %v", b, at)
		}
	}
}
