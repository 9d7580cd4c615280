package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestPlayWrongClaims plays films that are long enough for their end to be sought
// near the one that they claim: what is promised is all that is there, and it is
// made from the second segment on and in each of the last ones alone.
func TestPlayWrongClaims(t *testing.T) {
	t.Parallel()
	const args = "-c:v libx264 -preset ultrafast -g 25 -c:a aac "
	for _, c := range []struct {
		name, args string
		change     func(t *testing.T, path string) string
		sought     bool // runs begin where they are to, though the film claims to end before
	}{
		{"Matroska that claims 10 s", "in.mkv", claimMatroska(10e3), true},
		{"Matroska that claims 35 s", "in.mkv", claimMatroska(35e3), true},
		{"Matroska that claims 400 s", "in.mkv", claimMatroska(400e3), true},
		{"Matroska at ten hours that claims 35 s", "-output_ts_offset 36000 in.mkv", claimMatroska(35e3), true},
		{"Matroska without an index that claims 35 s", "in.mkv", func(t *testing.T, path string) string {
			t.Helper()
			return withoutCues(t, claimMatroska(35e3)(t, path))
		}, true},
		{"MP4 that claims 10 s", "in.mp4", claimMP4(10), false},
		{"MP4 that claims 35 s", "in.mp4", claimMP4(35), false},
		{"MP4 that claims 400 s", "in.mp4", claimMP4(400), true},
		{"transport stream", "in.ts", func(_ *testing.T, path string) string { return path }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const frames, rate = 200, 5
			in := counted(t, testmedia.Spec{Width: 160, Height: 120, Rate: testmedia.Ratio{Num: rate, Den: 1}, Frames: frames}, strings.Fields(args+c.args)...)
			f := opened(t, c.change(t, in))
			p := playPlan(t, f, playSpec())
			if !p.Timeline.Measured || p.Timeline.End != 40*time.Second || p.InOneGo == c.sought {
				t.Fatalf("ends at %s, measured %v, in one go %v", p.Timeline.End, p.Timeline.Measured, p.InOneGo)
			}
			checkRun(t, p, playVideo(t, f, p, 1), rate, frames, 1)
			for k := 37; k < 40; k++ {
				checkRun(t, p, playAlone(t, f, p, k), k*rate, (k+1)*rate, k)
			}
			s := p.Audio[0]
			for _, k := range []int{1, 39} {
				got, from := playSound(t, f, p, 0, k), s.FirstOf(p.Timeline, k)
				if int64(len(got.packets)) != s.Frames-from {
					t.Errorf("segment %d of sound: %d frames, want %d", k, len(got.packets), s.Frames-from)
				}
			}
		})
	}
}

// withoutCues hides the index of a Matroska file, and where it is to be found.
func withoutCues(t *testing.T, path string) string {
	t.Helper()
	return edited(func(t *testing.T, data []byte) {
		t.Helper()
		hidden := 0
		for i := range data[:len(data)-4] {
			if string(data[i:i+4]) == "\x1c\x53\xbb\x6b" {
				data[i+3] = 0x6c // an ID that means nothing
				hidden++
			}
		}
		if hidden != 2 {
			t.Fatalf("%d of 2 places name an index", hidden)
		}
	})(t, path)
}

// told is an output that keeps all that Reached is told.
type told struct {
	collector
	until []time.Duration
}

func (o *told) Reached(until time.Duration) error {
	o.until = append(o.until, until)
	return o.collector.Reached(until)
}

// TestPlayTextClock plays the subtitles of films with odd times: cues lie where
// they are in the film's time, and what is told of how far the film was read is
// never behind its end and grows bit by bit.
func TestPlayTextClock(t *testing.T) {
	t.Parallel()
	srt := filepath.Join(t.TempDir(), "in.srt")
	if err := os.WriteFile(srt, []byte("1\n00:00:03,000 --> 00:00:04,000\nearly\n\n2\n00:00:38,000 --> 00:00:39,000\nlate\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	early, late := Cue{3 * time.Second, 4 * time.Second, "early"}, Cue{38 * time.Second, 39 * time.Second, "late"}
	for _, c := range []struct {
		name, args string
		change     func(t *testing.T, path string) string
	}{
		{"Matroska", "-c:s srt in.mkv", nil},
		{"Matroska at ten hours", "-c:s srt -output_ts_offset 36000 in.mkv", nil},
		{"Matroska that claims 35 s", "-c:s srt in.mkv", claimMatroska(35e3)},
		{"Matroska at ten hours that claims 35 s", "-c:s srt -output_ts_offset 36000 in.mkv", claimMatroska(35e3)},
		{"MP4 that claims 35 s", "-c:s mov_text in.mp4", claimMP4(35)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := ffmpeg(t, append(strings.Fields("-f lavfi -i testsrc2=s=96x64:r=5:d=40 -f lavfi -i sine=d=40 -i "+srt+" -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -g 25"),
				strings.Fields(c.args)...)...)
			if c.change != nil {
				in = c.change(t, in)
			}
			f := opened(t, in)
			p := playPlan(t, f, playSpec())
			if p.Timeline.End != 40*time.Second {
				t.Fatalf("ends at %s", p.Timeline.End)
			}
			for segment, want := range map[int][]Cue{0: {early, late}, 1: {early, late}, 30: {late}} {
				o := &told{}
				r, err := PlayText(f, p, 0, segment, o, playOptions())
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(o.cues, want, sameCue) {
					t.Errorf("from segment %d: cues %+v", segment, o.cues)
				}
				checkTold(t, segment, o.until, p.Timeline.End)
			}
		})
	}
}

// checkTold wants a clock that goes from a segment to the end in steps of less than
// five seconds.
func checkTold(t *testing.T, segment int, until []time.Duration, end time.Duration) {
	t.Helper()
	before := time.Duration(segment) * time.Second
	for _, at := range until {
		if at > end || at-before > 5*time.Second {
			t.Errorf("from segment %d: told of %s after %s, all are %v", segment, at, before, until)
			return
		}
		before = max(before, at)
	}
	if !slices.IsSorted(until) || before != end {
		t.Errorf("from segment %d: told of %v", segment, until)
	}
}
