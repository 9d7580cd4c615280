package adjust

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/filters/grade"
)

// warmth returns how much more red than blue light a grey picture sends, by the
// signs of H.273: Cr is red, Cb is blue.
func warmth(f frame.Frame) int {
	p := at(f, f.Width/2, f.Height/2)
	return p.cr - p.cb
}

func TestWarmIsWarmerAndCoolIsCooler(t *testing.T) {
	grey := flat(film, pixel{126, 128, 128})
	if w := warmth(through(t, grey, preset(t, "warm"), nil)); w < 8 {
		t.Errorf("warm makes red exceed blue by %d only", w)
	}
	if w := warmth(through(t, grey, preset(t, "cool"), nil)); w > -8 {
		t.Errorf("cool makes blue exceed red by %d only", -w)
	}
}

// TestTemperatureFallsFromRedToBlue goes through the range, and looks that luma
// of grey stays.
func TestTemperatureFallsFromRedToBlue(t *testing.T) {
	grey, last := flat(film, pixel{126, 128, 128}), math.MaxInt
	for _, kelvin := range []float64{1000, 2000, 3000, 4500, 6000, 6500, 7500, 10000, 15000} {
		out := through(t, grey, with(func(s *filters.Settings) { s.Temperature = kelvin }), nil)
		w := warmth(out)
		if w >= last {
			t.Errorf("%v K is not cooler than what is before it: %d after %d", kelvin, w, last)
		}
		if y := at(out, 5, 5).y; y < 125 || y > 127 {
			t.Errorf("%v K makes luma 126 into %d", kelvin, y)
		}
		last = w
	}
}

func TestNoirHasNoColour(t *testing.T) {
	out := through(t, scene(film, 1), preset(t, "noir"), nil)
	for y := range out.Height {
		for x := range out.Width {
			if p := at(out, x, y); p.cb != 128 || p.cr != 128 {
				t.Fatalf("pixel %d, %d has colour: %+v", x, y, p)
			}
		}
	}
}

// TestTonesStayWhereTheyMust looks at black and white in both ranges under a
// gamma, which GStreamer's own element moves in limited range.
func TestTonesStayWhereTheyMust(t *testing.T) {
	for _, test := range []struct {
		layout frame.Layout
		tones  [2]int
	}{
		{film, [2]int{16, 235}},
		{frame.Layout{Format: frame.I420, Width: 32, Height: 32, Matrix: frame.BT709, Range: frame.Full}, [2]int{0, 255}},
	} {
		for _, level := range test.tones {
			out := through(t, flat(test.layout, pixel{level, 128, 128}), with(func(s *filters.Settings) { s.Gamma = 2 }), nil)
			if got := at(out, 3, 3).y; got != level {
				t.Errorf("range %v: gamma makes %d into %d", test.layout.Range, level, got)
			}
		}
		grey := (test.tones[0] + test.tones[1]) / 2
		out := through(t, flat(test.layout, pixel{grey, 128, 128}), with(func(s *filters.Settings) { s.Gamma = 2 }), nil)
		want := float64(test.tones[0]) + math.Sqrt(0.5)*float64(test.tones[1]-test.tones[0])
		if got := at(out, 3, 3).y; math.Abs(float64(got)-want) > 1 {
			t.Errorf("range %v: gamma makes grey %d into %d, want %v", test.layout.Range, grey, got, want)
		}
	}
}

// TestSimpleColoursAreExact holds brightness, contrast and saturation to what
// they say, beyond 2, too, where GStreamer's videobalance ends.
func TestSimpleColoursAreExact(t *testing.T) {
	for _, test := range []struct {
		change   func(*filters.Settings)
		in, want pixel
	}{
		{func(s *filters.Settings) { s.Brightness = 0.2 }, pixel{100, 120, 140}, pixel{144, 120, 140}}, // + 43.8
		{func(s *filters.Settings) { s.Brightness = -1 }, pixel{100, 120, 140}, pixel{0, 120, 140}},
		{func(s *filters.Settings) { s.Contrast = 3 }, pixel{135, 128, 128}, pixel{154, 128, 128}}, // 125.5 + 3 × 9.5
		{func(s *filters.Settings) { s.Contrast = 0 }, pixel{30, 128, 128}, pixel{126, 128, 128}},
		{func(s *filters.Settings) { s.Saturation = 3 }, pixel{100, 120, 140}, pixel{100, 104, 164}},
		{func(s *filters.Settings) { s.Saturation = 0 }, pixel{100, 20, 240}, pixel{100, 128, 128}},
	} {
		s := with(test.change)
		if got := at(through(t, flat(film, test.in), s, nil), 9, 9); got != test.want {
			t.Errorf("%+v makes %+v of %+v, want %+v", s, got, test.in, test.want)
		}
	}
}

// TestTablesAreTheGrade compares the table in integers with the exact grade, for
// each matrix and range, over many colours.
func TestTablesAreTheGrade(t *testing.T) {
	set := with(func(s *filters.Settings) {
		s.Temperature, s.Contrast, s.Saturation, s.Gamma = 4000, 1.2, 0.8, 1.3
		s.ShadowHue, s.ShadowTint, s.HighlightHue, s.HighlightTint = 200, 0.2, 30, 0.15
	})
	for _, l := range []frame.Layout{
		{Format: frame.I420, Width: 256, Height: 256, Matrix: frame.BT709},
		{Format: frame.NV12, Width: 256, Height: 256, Matrix: frame.BT601},
		{Format: frame.I420, Width: 256, Height: 256, Matrix: frame.BT709, Range: frame.Full},
	} {
		// Each block of 2 × 2 has one colour of its own.
		in := draw(l, 1, func(x, y int) pixel {
			block := y/2*128 + x/2
			return pixel{block * 7 % 256, block * 13 % 256, block / 5 % 256}
		})
		out := through(t, in, set, nil)
		kr, kb := l.Matrix.Coefficients(l.Height)
		own := layout{kr: kr, kb: kb, full: l.Range == frame.Full}
		luma, chroma := own.codes()
		g := grade.New(set, nil, kr, kb)
		for y := range l.Height {
			for x := range l.Width {
				p, got := at(in, x, y), at(out, x, y)
				y2, cb, cr := g.At(luma.from(float64(p.y)), chroma.from(float64(p.cb)), chroma.from(float64(p.cr)))
				for i, pair := range [][2]float64{{float64(got.y), luma.to(y2)}, {float64(got.cb), chroma.to(cb)}, {float64(got.cr), chroma.to(cr)}} {
					// Half a level of rounding; between the corners tints follow luma, which is bent there.
					if want := min(max(pair[1], 0), 255); math.Abs(pair[0]-want) > 1.6 {
						t.Fatalf("%s: component %d of %+v is %v, want %v", capsOf(l), i, p, pair[0], want)
					}
				}
			}
		}
	}
}

// cube returns a LUT of a size with what f makes of each colour.
func cube(t testing.TB, size int, f func(r, g, b float64) [3]float64) *filters.Cube {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "LUT_3D_SIZE %d\n", size)
	last := float64(size - 1)
	for i := range size * size * size {
		v := f(float64(i%size)/last, float64(i/size%size)/last, float64(i/size/size)/last)
		fmt.Fprintf(&text, "%.6f %.6f %.6f\n", v[0], v[1], v[2])
	}
	c, err := filters.Parse(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentityLUTChangesNothing(t *testing.T) {
	identity := cube(t, 17, func(r, g, b float64) [3]float64 { return [3]float64{r, g, b} })
	for _, l := range layouts() {
		in := scene(l, 1)
		out := through(t, in, filters.Neutral(), identity)
		if off := furthest(in, out, func(p pixel) pixel { return p }); off > 1 {
			t.Errorf("%s: a sample is %d levels off", name(l), off)
		}
	}
}

func TestInvertingLUTInverts(t *testing.T) {
	in := scene(film, 1)
	out := through(t, in, filters.Neutral(), cube(t, 2, func(r, g, b float64) [3]float64 { return [3]float64{1 - r, 1 - g, 1 - b} }))
	if off := furthest(in, out, func(p pixel) pixel { return pixel{251 - p.y, 256 - p.cb, 256 - p.cr} }); off > 1 {
		t.Errorf("a sample is %d levels off", off)
	}
}

// TestCurvedLUTIsClose looks at what the coarse cells of chroma cost a LUT that
// is bent everywhere, in colours that R'G'B' has.
func TestCurvedLUTIsClose(t *testing.T) {
	bent := cube(t, 33, func(r, g, b float64) [3]float64 {
		return [3]float64{r * r * (3 - 2*r), math.Pow(g, 0.8), 0.1 + 0.8*math.Pow(b, 1.2)}
	})
	kr, kb := frame.BT709.Coefficients(0)
	luma, chroma := layout{}.codes()
	g := grade.New(filters.Neutral(), bent, kr, kb)
	in := scene(film, 1)
	off := furthest(in, through(t, in, filters.Neutral(), bent), func(p pixel) pixel {
		y, cb, cr := g.At(luma.from(float64(p.y)), chroma.from(float64(p.cb)), chroma.from(float64(p.cr)))
		return pixel{int(math.Round(luma.to(y))), int(math.Round(chroma.to(cb))), int(math.Round(chroma.to(cr)))}
	})
	if off > 2 {
		t.Errorf("a sample is %d levels off", off)
	}
}

// furthest returns the largest difference of luma from what want makes of the
// pixels that came in, and of chroma where a block has one luma.
func furthest(in, out frame.Frame, want func(pixel) pixel) int {
	most := 0
	for y := range in.Height {
		for x := range in.Width {
			got, w := at(out, x, y), want(at(in, x, y))
			most = max(most, abs(got.y-w.y))
			if flatBlock(in, x, y) {
				most = max(most, abs(got.cb-w.cb), abs(got.cr-w.cr))
			}
		}
	}
	return most
}

// flatBlock reports whether the pixels that share a chroma sample have one luma.
func flatBlock(f frame.Frame, x, y int) bool {
	x0, y0 := x/2*2, y/2*2
	for yy := y0; yy < min(y0+2, f.Height); yy++ {
		for xx := x0; xx < min(x0+2, f.Width); xx++ {
			if at(f, xx, yy).y != at(f, x0, y0).y {
				return false
			}
		}
	}
	return true
}

func abs(v int) int { return max(v, -v) }
