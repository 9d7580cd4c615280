package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrokenOff proves that a file that breaks off does not pass as whole, and
// that what is there can be had.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, args string }{
		{"in.mp4", "-c:v libx264 -preset ultrafast -g 5 -c:a aac -movflags +faststart"},
		{"in.mkv", "-c:v libx264 -preset ultrafast -g 5 -c:a aac"},
		{"in.avi", "-c:v mpeg4 -c:a mp2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			whole := ffmpeg(t, append(append(strings.Fields("-f lavfi -i testsrc2=s=96x64:r=25:d=4 -f lavfi -i sine=d=4:r=48000"), strings.Fields(c.args)...), c.name)...)
			if _, res, _ := transcode(t, whole, spec()); res.Encoded != 100 {
				t.Errorf("of the whole file %d pictures", res.Encoded)
			}
			half := head(t, whole, 0.6)
			s := spec()
			_, _, err := tryTranscode(t, half, &s)
			refused(t, err, CodeDamaged, "breaks off")
			s = spec()
			s.Duration = time.Second
			if _, res, _ := transcode(t, half, s); res.Encoded < 25 || res.Encoded > 26 {
				t.Errorf("of the first second %d pictures", res.Encoded)
			}
			if c.name == "in.avi" {
				return // without its index GStreamer counts the duration that is there
			}
			s = spec()
			s.Duration = time.Minute
			_, _, err = tryTranscode(t, half, &s)
			refused(t, err, CodeDamaged, "breaks off at")
		})
	}
}

// TestSourceShrinks cuts a file off between the probe and the run, as a
// download that begins anew does: no announced size tells of it.
func TestSourceShrinks(t *testing.T) {
	t.Parallel()
	in := ffmpeg(t, strings.Fields("-f lavfi -i testsrc2=s=96x64:r=25:d=4 -c:v libx264 -preset ultrafast -g 5 in.mkv")...)
	p := planned(t, in, spec())
	if info, err := os.Stat(in); err != nil || os.Truncate(in, info.Size()/2) != nil {
		t.Fatal(err)
	}
	_, err := Runner{Log: quiet}.Run(t.Context(), p)
	refused(t, err, CodeDamaged, "breaks off at")
}

// planned probes a file and plans what s asks for.
func planned(t testing.TB, in string, s Spec) Plan {
	t.Helper()
	m, err := Probe(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if s.Output == "" {
		s.Output = filepath.Join(t.TempDir(), "out."+string(s.Container))
	}
	p, err := NewPlan(m, s, Has)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSizeChanges joins two recordings of different size.
func TestSizeChanges(t *testing.T) {
	t.Parallel()
	var joined []byte
	for _, size := range []string{"160x90", "96x64"} {
		part := ffmpeg(t, append(pattern(size), strings.Fields("-c:v libx264 -preset ultrafast -g 5 -c:a aac in.ts")...)...)
		data, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, data...)
	}
	s := spec()
	_, _, err := tryTranscode(t, write(t, "joined.ts", joined), &s)
	refused(t, err, CodeSizeChanged, "from 160×90 with pixels of 1:1 to 96×64")
}

// TestSmallAndLongPictures proves that each codec takes the smallest pictures
// or says from where on it does.
func TestSmallAndLongPictures(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"1x1", "2x2", "3x3", "16x16", "17x13", "25x9", "9000x2", "2x9000"} {
		in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=320x240:r=5:d=1", "-vf", "format=yuv444p,scale="+size, "-c:v", "ffv1", "-pix_fmt", "yuv444p", "in.mkv")
		for _, c := range Codecs() {
			s := spec()
			s.Codec = c
			p, res, err := tryTranscode(t, in, &s)
			least := map[VideoCodec]map[string]bool{HEVC: {"1x1": true, "2x2": true, "3x3": true, "17x13": true, "25x9": true}, AV1: {"1x1": true}}
			switch {
			case strings.Contains(size, "9000"):
				refused(t, err, CodeTooLarge, "18000 pixels long")
			case least[c][size]:
				refused(t, err, CodeSpec, "too small")
			case err != nil || res.Encoded != 5:
				t.Errorf("%s of %s: %d pictures, %v", c, size, res.Encoded, err)
			default:
				if d := describeFile(t, s.Output); d.Streams[0].Width != p.Width || d.Streams[0].Height != p.Height {
					t.Errorf("%s of %s: %d×%d is written", c, size, d.Streams[0].Width, d.Streams[0].Height)
				}
			}
		}
	}
}

// TestRange asks for parts that the file does not have, and counts a film's
// pictures in those that it has.
func TestRange(t *testing.T) {
	t.Parallel()
	film := ffmpeg(t, strings.Fields("-f lavfi -i testsrc2=s=96x64:r=24000/1001:d=5 -f lavfi -i sine=d=5:r=48000 -c:v libx264 -preset ultrafast -g 30 -c:a ac3 in.mkv")...)
	for _, c := range []struct {
		start, duration time.Duration
		least, most     int64 // pictures that begin in it; one more may reach into it
	}{
		{0, 2 * time.Second, 48, 48},
		{time.Second, 2 * time.Second, 48, 49},
		{4 * time.Second, time.Hour, 24, 25},
		{0, time.Hour, 120, 120},
		{4900 * time.Millisecond, 0, 2, 3},
	} {
		s := spec()
		s.Start, s.Duration = c.start, c.duration
		if _, res, _ := transcode(t, film, s); res.Encoded < c.least || res.Encoded > c.most {
			t.Errorf("from %s for %s: %d pictures instead of %d to %d", c.start, c.duration, res.Encoded, c.least, c.most)
		}
	}
	for _, start := range []time.Duration{20 * time.Second, 1000 * time.Hour} {
		s := spec()
		s.Start = start
		_, _, err := tryTranscode(t, film, &s)
		refused(t, err, CodeSpec, "before the end")
	}
}

// TestPartWithoutPicture asks for a part of a film in which there is only sound.
func TestPartWithoutPicture(t *testing.T) {
	t.Parallel()
	in := ffmpeg(t, strings.Fields("-f lavfi -i testsrc2=s=96x64:r=25:d=1 -f lavfi -i sine=d=4 -vf setpts=PTS+3/TB -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a ac3 in.mkv")...)
	s := spec()
	s.Duration = time.Second
	_, err := Runner{Log: quiet}.Run(t.Context(), planned(t, in, s))
	refused(t, err, CodeSpec, "no picture from 0s to 1s")
}
