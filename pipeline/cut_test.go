package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestCut proves that a part of a file begins and ends with the asked picture,
// and that the sound begins with it.
func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file, args string
		start, duration  time.Duration
		first, n         int
		into             Container
	}{
		{"Matroska", "in.mkv", "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a ac3", 1200 * millisecond, 1600 * millisecond, 30, 40, Matroska},
		{"Matroska to the end", "in.mkv", "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a ac3", 1560 * millisecond, 0, 39, 61, MP4},
		{"beginning of Matroska", "in.mkv", "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a ac3", 0, 1520 * millisecond, 0, 38, Matroska},
		{"MP4", "in.mp4", "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a aac", 1200 * millisecond, 1600 * millisecond, 30, 40, MP4},
		{"between pictures", "in.mp4", "-c:v libx264 -preset ultrafast -g 30 -c:a aac", 1215 * millisecond, 1600 * millisecond, 31, 40, Matroska},
		{"transport stream", "in.ts", "-c:v libx264 -preset ultrafast -bf 2 -g 30 -c:a ac3", 1200 * millisecond, 1600 * millisecond, 30, 40, Matroska},
		{"without sound", "in.mkv", "-an -c:v libx264 -preset ultrafast -g 30", 1200 * millisecond, 1600 * millisecond, 30, 40, Matroska},
		{"part of MPEG-4 in AVI", "in.avi", "-c:v mpeg4 -g 30 -c:a libmp3lame", 1200 * millisecond, 1600 * millisecond, 30, 40, Matroska},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := counted(t, testmedia.Spec{Width: 160, Height: 128, Frames: 100, Rate: testmedia.Ratio{Num: 25, Den: 1}},
				append(strings.Fields(c.args), c.file)...)
			s := spec()
			s.Container, s.Start, s.Duration = c.into, c.start, c.duration
			_, _, out := transcode(t, in, s)
			numbers, at, lit := readPictures(t, out, 2)
			// A picture that the cut goes through may be there or not.
			if d := numbers[0] - c.first; d < -1 || d > 0 || len(numbers) < c.n || len(numbers) > c.n+1 {
				t.Errorf("%d pictures from number %d on instead of %d from %d on", len(numbers), numbers[0], c.n, c.first)
			}
			for i, n := range numbers {
				if n != numbers[0]+i {
					t.Fatalf("picture %d is number %d", i, n)
				}
			}
			if strings.Contains(c.args, "-an") {
				return
			}
			flashes, beeps := testmedia.Flashes(at, lit), beeps(t, out)
			if len(flashes) < 1 || len(beeps) != len(flashes) {
				t.Fatalf("flashes %v, beeps %v", flashes, beeps)
			}
			for i := range beeps {
				if d := beeps[i] - flashes[i]; d.Abs() > 20*millisecond {
					t.Errorf("beep %d at %s, %s after its flash", i, beeps[i], d)
				}
			}
		})
	}
}

// TestPart takes a part of streams and of files, to the picture.
func TestPart(t *testing.T) {
	t.Parallel()
	for _, in := range []struct {
		file, args string
		late       int // how many pictures long nothing is shown and heard
	}{
		{"in.mkv", "-c:a aac", 0},
		{"in.mkv", "-c:a flac", 0},
		{"in.ts", "-c:a aac", 0},
		{"in.mp4", "-c:a aac -movflags faststart", 0},
		{"in.mp4", "-c:a aac -movflags frag_keyframe+delay_moov", 0},
		{"in.mp4", "-c:a aac -movflags frag_keyframe+empty_moov", 2}, // without an edit list that takes it back
		{"in.flv", "-c:a aac", 0},
	} {
		for _, c := range []struct{ start, duration time.Duration }{
			{1200 * millisecond, 1500 * millisecond}, {0, 2320 * millisecond}, {0, 1875 * millisecond}, {2320 * millisecond, 0},
		} {
			for _, streamed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s %s %s streamed %t", in.file, in.args, c.start, c.duration, streamed), func(t *testing.T) {
					t.Parallel()
					args := append(strings.Fields("-c:v libx264 -preset veryfast -g 25 "+in.args), in.file)
					path := counted(t, testmedia.Spec{Width: 320, Height: 240, Frames: partFrames}, args...)
					s := spec()
					s.Start, s.Duration = c.start, c.duration
					run := transcode
					if streamed {
						run = piped
					}
					_, res, out := run(t, path, s)
					checkPart(t, out, in.late, c.start, c.duration)
					if n := len(times(t, out, "v:0")); int64(n) != res.Encoded {
						t.Errorf("%d pictures can be read of %d", n, res.Encoded)
					}
				})
			}
		}
	}
}

// The film of which parts are taken: its pictures, and how many of them a second.
const (
	partFrames = 100
	partRate   = 24
)

// checkPart holds a part of the film, which is so many pictures late, against what it is to
// have.
func checkPart(t *testing.T, out string, late int, start, duration time.Duration) {
	t.Helper()
	when := func(picture int) time.Duration { return time.Duration(picture+late) * time.Second / partRate }
	end := when(partFrames)
	if duration > 0 {
		end = start + duration
	}
	var want []int
	for n := range partFrames {
		if when(n+1) > start && when(n) < end {
			want = append(want, n)
		}
	}
	numbers, at, _ := readPictures(t, out, 2)
	if !slices.Equal(numbers, want) {
		t.Errorf("pictures %v, not %v", numbers, want)
	}
	for i := range min(len(at), len(want)) {
		due := max(0, when(want[i])-start)
		if (at[i] - due).Abs() > 25*millisecond { // ffmpeg begins with a frame of AAC that primes
			t.Errorf("picture %d at %s, not at %s", i, at[i], due)
		}
	}
	var sounds []time.Duration // there is one a second
	for due := when(0); due < end-20*millisecond; due += time.Second {
		if due >= start {
			sounds = append(sounds, due-start)
		}
	}
	heard := beeps(t, out)
	if len(heard) != len(sounds) || len(sounds) == 0 {
		t.Fatalf("beeps at %v, not at %v", heard, sounds)
	}
	for i := range sounds {
		if (sounds[i] - heard[i]).Abs() > 30*millisecond {
			t.Errorf("beeps at %v, not at %v", heard, sounds)
		}
	}
}

// TestFewPicturesInHEVC asks for more than there is, and for all of it: x265
// with so few pictures needs settings of its own.
func TestFewPicturesInHEVC(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 6; n++ {
		in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-frames:v", strconv.Itoa(n), "-c:v", "libx264", "-preset", "ultrafast", "in.mkv")
		for _, duration := range []time.Duration{0, 10 * time.Second} {
			s := spec()
			s.Codec, s.Duration = HEVC, duration
			if _, res, out := transcode(t, in, s); res.Encoded != int64(n) || len(times(t, out, "v:0")) != n {
				t.Errorf("%d pictures instead of %d, %s asked for", res.Encoded, n, duration)
			}
		}
	}
}
