package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

const millisecond = time.Millisecond

// TestTime proves frame by frame that every picture comes out once, in order,
// at its time, with the sound where it was: the numbers, flashes and beeps are
// read out of the two files.
func TestTime(t *testing.T) {
	t.Parallel()
	film := testmedia.Ratio{Num: 24000, Den: 1001}
	for _, c := range []struct {
		name, file string
		rate       testmedia.Ratio
		args       string
		into       Container
	}{
		{"film in Matroska", "in.mkv", film, "-c:v libx264 -preset ultrafast -bf 2 -c:a ac3", Matroska},
		{"film in MP4, into MP4", "in.mp4", film, "-c:v libx264 -preset ultrafast -bf 2 -c:a aac", MP4},
		{"MP4 with edit lists", "in.mp4", testmedia.Ratio{Num: 25, Den: 1}, "-c:v libx264 -preset ultrafast -bf 2 -c:a aac", Matroska},
		{"Matroska into MP4", "in.mkv", testmedia.Ratio{Num: 25, Den: 1}, "-c:v libx264 -preset ultrafast -bf 2 -c:a aac", MP4},
		{"transport stream", "in.ts", testmedia.Ratio{Num: 25, Den: 1}, "-c:v mpeg2video -b:v 1M -bf 2 -c:a mp2", Matroska},
		{"transport stream of H.264", "in.ts", testmedia.Ratio{Num: 25, Den: 1}, "-c:v libx264 -preset ultrafast -bf 2 -c:a aac", Matroska},
		{"AVI", "in.avi", testmedia.Ratio{Num: 25, Den: 1}, "-c:v mpeg4 -c:a libmp3lame", Matroska},
		{"WebM", "in.webm", testmedia.Ratio{Num: 30, Den: 1}, "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus", Matroska},
		{"variable rate", "in.mkv", testmedia.Ratio{Num: 25, Den: 1}, "-vf select='not(eq(mod(n\\,7)\\,3))+lt(n\\,20)' -fps_mode vfr -c:v libx264 -preset ultrafast -c:a ac3", Matroska},
		{"sound half a second late", "in.mkv", testmedia.Ratio{Num: 25, Den: 1}, "-af asetpts=PTS+0.5/TB -c:v libx264 -preset ultrafast -c:a ac3", Matroska},
		{"sound half a second late in MP4", "in.mp4", testmedia.Ratio{Num: 25, Den: 1}, "-af asetpts=PTS+0.5/TB -c:v libx264 -preset ultrafast -c:a ac3", MP4},
		{"picture half a second late", "in.mkv", testmedia.Ratio{Num: 25, Den: 1}, "-vf setpts=PTS+0.5/TB -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a ac3", Matroska},
		{"picture half a second late in MP4", "in.mp4", testmedia.Ratio{Num: 25, Den: 1}, "-vf setpts=PTS+0.5/TB -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a aac", MP4},
		{"picture half a second late in TS", "in.ts", testmedia.Ratio{Num: 25, Den: 1}, "-vf setpts=PTS+0.5/TB -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a ac3", Matroska},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := counted(t, testmedia.Spec{Width: 160, Height: 128, Frames: 62, Rate: c.rate}, append(strings.Fields(c.args), c.file)...)
			s := spec()
			s.Container = c.into
			_, _, out := transcode(t, in, s)
			compareTimes(t, in, out)
		})
	}
}

// compareTimes holds the pictures and the sound of out, twice as large as in,
// against those of in.
func compareTimes(t *testing.T, in, out string) {
	t.Helper()
	was, wasAt, lit := readPictures(t, in, 1)
	is, at, litIs := readPictures(t, out, 2)
	if len(is) != len(was) {
		t.Fatalf("%d pictures instead of %d", len(is), len(was))
	}
	// A file may begin at any time: transport streams do. What counts is the
	// distance of everything to everything else.
	shift := at[0] - wasAt[0]
	for i := range was {
		if is[i] != was[i] {
			t.Fatalf("picture %d is number %d instead of %d", i, is[i], was[i])
		}
		if d := at[i] - shift - wasAt[i]; d.Abs() > 2*millisecond {
			t.Errorf("picture %d is shown at %s, %s off", i, at[i], d)
		}
	}
	wasBeeps, isBeeps := beeps(t, in), beeps(t, out)
	wasLit, isLit := testmedia.Flashes(wasAt, lit), testmedia.Flashes(at, litIs)
	if len(isBeeps) != len(wasBeeps) || len(isBeeps) == 0 || len(isLit) != len(wasLit) || len(isLit) != len(isBeeps) {
		t.Fatalf("flashes %v, beeps %v; in the source %v and %v", isLit, isBeeps, wasLit, wasBeeps)
	}
	for i := range isBeeps {
		// GStreamer's demuxers do not give out sound from before the first picture,
		// so a beep in the first packet, which needs the one before, fades in.
		allowed := 5 * millisecond
		if i == 0 {
			allowed = 32 * millisecond
		}
		if d := (isBeeps[i] - isLit[i]) - (wasBeeps[i] - wasLit[i]); d.Abs() > allowed {
			t.Errorf("beep %d is %s further from its flash than in the source (%s after it)", i, d, wasBeeps[i]-wasLit[i])
		}
	}
}

// TestProgramStream proves that all pictures come out of a stream that gives
// times to some of them only.
func TestProgramStream(t *testing.T) {
	t.Parallel()
	in := counted(t, testmedia.Spec{Width: 160, Height: 128, Frames: 50, Rate: testmedia.Ratio{Num: 25, Den: 1}},
		"-c:v", "mpeg2video", "-b:v", "1M", "-bf", "2", "-c:a", "mp2", "in.mpg")
	_, _, out := transcode(t, in, spec())
	numbers, at, lit := readPictures(t, out, 2)
	for i, n := range numbers {
		if n != i || (at[i]-at[0]-time.Duration(i)*40*millisecond).Abs() > 2*millisecond {
			t.Errorf("picture %d is number %d at %s", i, n, at[i])
		}
	}
	flashes, beeps := testmedia.Flashes(at, lit), beeps(t, out)
	if len(numbers) != 50 || len(flashes) != 2 || len(beeps) != 2 || (beeps[1]-flashes[1]).Abs() > 20*millisecond {
		t.Errorf("%d pictures, flashes %v, beeps %v", len(numbers), flashes, beeps)
	}
}

// TestNoDrift proves that 23.976 frames a second stay that for twelve minutes.
func TestNoDrift(t *testing.T) {
	t.Parallel()
	const frames = 17280
	in := ffmpeg(t, "-f", "lavfi", "-i", "color=black:s=32x32:r=24000/1001", "-frames:v", "17280", "-c:v", "mpeg4", "in.mp4")
	for _, into := range []Container{Matroska, MP4} {
		s := spec()
		s.Container = into
		_, _, out := transcode(t, in, s)
		at := times(t, out, "v:0")
		if len(at) != frames {
			t.Fatalf("%s: %d pictures instead of %d", into, len(at), frames)
		}
		for i := range at {
			if want := time.Duration(i) * time.Second * 1001 / 24000; (at[i] - want).Abs() > millisecond {
				t.Fatalf("%s: picture %d is shown at %s instead of %s", into, i, at[i], want)
			}
		}
	}
}
