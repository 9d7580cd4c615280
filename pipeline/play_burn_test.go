package pipeline

import (
	"bytes"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestPlayBurns draws bitmap subtitles into the picture: where and while they are
// shown its pixels change, elsewhere and otherwise they do not, whichever segment a
// run begins with.
func TestPlayBurns(t *testing.T) {
	t.Parallel()
	const width, height, begin, end = 160, 96, 600 * time.Millisecond, 5400 * time.Millisecond
	sup := write(t, "in.sup", testmedia.PGS(width, height, end-begin, 0))
	in := ffmpeg(t, "-f", "lavfi", "-i", "color=0x204060:s=160x96:r=10:d=7", "-itsoffset", "0.6", "-i", sup, "-map", "0", "-map", "1",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-c:s", "copy", "-cluster_time_limit", "1000", "in.mkv")
	f := opened(t, in)
	plain := playPlan(t, f, playSpec())
	if len(plain.Text) != 1 || !plain.Text[0].Bitmap {
		t.Fatalf("texts: %+v", plain.Text)
	}
	s := playSpec()
	s.Burn = 0
	burnt := playPlan(t, f, s)
	if burnt.Timeline != plain.Timeline {
		t.Fatalf("the film is cut otherwise: %+v", burnt.Timeline)
	}
	for k := range segments(burnt.Timeline) {
		without, with := playVideo(t, f, plain, k), playVideo(t, f, burnt, k)
		a, b := without.lumas(t), with.lumas(t)
		if len(a) != len(b) || len(a) == 0 || len(b) != len(with.packets) {
			t.Fatalf("segment %d: %d pictures with, %d without", k, len(b), len(a))
		}
		for i := range b {
			at := time.Duration(mulDiv(with.packets[i].PTS, int64(time.Second), burnt.Timeline.TimeScale))
			inside, outside := difference(a[i], b[i], 2*width, 2*height)
			shown := at >= begin && at < end
			if shown != (inside > 30) || outside > 2 {
				t.Errorf("from segment %d, at %s: inside the caption's box pixels differ by %.1f, outside by %.1f", k, at, inside, outside)
			}
		}
	}
}

// lumas decodes what a collector has into planes of luma.
func (c *collector) lumas(t testing.TB) (planes [][]byte) {
	t.Helper()
	raw := tool(t, bytes.NewReader(c.annexB()), "ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	n := c.inits[0].Width * c.inits[0].Height
	for ; len(raw) >= n; raw = raw[n:] {
		planes = append(planes, raw[:n])
	}
	return planes
}

// difference returns by how much two pictures of twice the size of testmedia.PGS's
// differ on average, in its box of 32×8 pixels at 20, 16 and outside. The border of
// the box, which a codec blurs, is left out.
func difference(a, b []byte, width, height int) (inside, outside float64) {
	const border = 8
	var in, out int
	for y := range height {
		for x := range width {
			d := int(a[y*width+x]) - int(b[y*width+x])
			switch d = max(d, -d); {
			case x >= 40+border && x < 104-border && y >= 32+border/2 && y < 48-border/2:
				inside, in = inside+float64(d), in+1
			case x < 40-border || x >= 104+border || y < 32-border || y >= 48+border:
				outside, out = outside+float64(d), out+1
			}
		}
	}
	return inside / float64(in), outside / float64(out)
}
