package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestFieldsBecomePictures proves for each way of storing fields that there is
// one picture per frame, in order and at its time, of one moment.
func TestFieldsBecomePictures(t *testing.T) {
	t.Parallel()
	const pictures = 25
	spec25 := testmedia.Spec{Width: 160, Height: 128, Frames: pictures, Rate: testmedia.Ratio{Num: 25, Den: 1}, Interlaced: true}
	for _, c := range []struct {
		name, args, file string
		into             Container
		codec            VideoCodec
		changed          string
	}{
		{"MPEG-2 in TS", "-c:v mpeg2video -q:v 2 -flags +ilme+ildct -top 1", "in.ts", Matroska, H264, "interlaced video is deinterlaced"},
		{"H.264 in MP4", "-vf setfield=tff -c:v libx264 -preset ultrafast -qp 10 -flags +ilme+ildct -x264opts tff=1", "in.mp4", MP4, HEVC, "interlaced video is deinterlaced"},
		{"10 bits", "-vf setfield=tff -pix_fmt yuv420p10le -c:v libx264 -preset ultrafast -qp 10 -flags +ilme+ildct -x264opts tff=1", "in.mkv", Matroska, HEVC, "10 bits a sample become 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := counted(t, spec25, append(strings.Fields(c.args), "-an", c.file)...)
			s := spec()
			s.Container, s.Codec = c.into, c.codec
			p, res, out := transcode(t, in, s)
			numbers, at, _ := readPictures(t, out, 2)
			if len(numbers) != pictures {
				t.Fatalf("%d pictures: %v, %d encoded", len(numbers), numbers, res.Encoded)
			}
			for i, n := range numbers {
				if want := time.Duration(i) * 40 * time.Millisecond; n != i || (at[i]-at[0]-want).Abs() > 2*time.Millisecond {
					t.Errorf("picture %d is number %d at %s instead of %s", i, n, at[i]-at[0], want)
				}
			}
			if !strings.Contains(strings.Join(p.Changed, "\n"), c.changed) {
				t.Errorf("changed %q", p.Changed)
			}
			if before, after := combed(t, in, 1), combed(t, out, 2); after > before/3 {
				t.Errorf("rows of two moments alternate by %.2f, by %.2f in the source", after, before)
			}
		})
	}
}

// combed returns how much rows differ from both neighbours the same way, over a
// whole clip: what is drawn has few such rows, two moments in one picture many.
// step is the number of rows that one row of the source has become.
func combed(t *testing.T, path string, step int) float64 {
	t.Helper()
	const w, h = 160, 128
	raw := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", path, "-vf", "scale=160:ih:flags=area,format=gray", "-f", "rawvideo", "-")
	sum, n := 0.0, 0
	for at := 0; at+w*h*step <= len(raw); at += w * h * step {
		f := raw[at : at+w*h*step]
		for y := step; y < (h-1)*step; y++ {
			for x := range w {
				a := int(f[y*w+x]) - int(f[(y-step)*w+x])
				b := int(f[y*w+x]) - int(f[(y+step)*w+x])
				if a*b > 0 {
					sum += float64(min(abs(a), abs(b)))
				}
				n++
			}
		}
	}
	return sum / float64(max(n, 1))
}

func abs(n int) int { return max(n, -n) }

// TestProgressiveStaysProgressive proves that nothing is deinterlaced that is not
// interlaced, and that flagged telecine gets through with its pictures.
func TestProgressiveStaysProgressive(t *testing.T) {
	t.Parallel()
	for file, args := range map[string]string{
		"in.mkv": "-c:v libx264 -preset ultrafast", "in.mpg": "-c:v mpeg2video -q:v 2", "in.ts": "-c:v mpeg2video -q:v 2",
	} {
		in := ffmpeg(t, append(append([]string{"-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=0.4"}, strings.Fields(args)...), file)...)
		p, res, _ := transcode(t, in, spec())
		if strings.Contains(p.Graph.String(), "deinterlace") || res.Encoded != 10 {
			t.Errorf("%s: %d pictures, changed %q", file, res.Encoded, p.Changed)
		}
	}
	telecined := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=96x64:r=24000/1001:d=1", "-vf", "telecine=first_field=top", "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", "-top", "1", "in.mpg")
	_, res, out := transcode(t, telecined, spec())
	if n := len(times(t, telecined, "v:0")); res.Encoded != int64(n) || len(times(t, out, "v:0")) != n {
		t.Errorf("%d pictures of %d", res.Encoded, n)
	}
}

// FuzzColours proves that no colorimetry of a file can break the plan, and that
// one which is fully told is left alone.
func FuzzColours(f *testing.F) {
	for name := range namedColours {
		f.Add(name, "I420", 480)
	}
	f.Add("2:0:0:0", "GBR_10LE", 1080)
	f.Add("1:4:0:0", "", 0)
	f.Add("-1:4:99999999999999999999:3", "AYUV64", 576)
	f.Fuzz(func(t *testing.T, colorimetry, format string, rows int) {
		v := Video{Colorimetry: colorimetry, Format: format, Height: rows}
		c := v.colours()
		if c.Range == 0 || c.Matrix == 0 || c.Transfer == 0 || c.Primaries == 0 {
			t.Errorf("%q leaves %v open", colorimetry, c)
		}
		if again := parseColours(c.String()); again != c {
			t.Errorf("%s is read as %s", c, again)
		}
		told := parseColours(colorimetry)
		if told.Range*told.Matrix*told.Transfer*told.Primaries != 0 && v.sampling() != "RGB" && c != told {
			t.Errorf("%q becomes %s", colorimetry, c)
		}
	})
}
