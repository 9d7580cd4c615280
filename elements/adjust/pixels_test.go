package adjust

import (
	"bytes"
	"math"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/filters"
)

// TestNeutralIsBitExact compares every byte, those between the rows too.
func TestNeutralIsBitExact(t *testing.T) {
	for _, id := range []string{filters.PresetNone, filters.PresetCustom} {
		for _, l := range layouts() {
			in := scene(l, 1)
			out := through(t, in, preset(t, id), nil)
			for i := range l.Format.Planes() {
				if !bytes.Equal(in.Planes[i].Data, out.Planes[i].Data) {
					t.Errorf("%s: %s changes plane %d", id, name(l), i)
				}
			}
		}
	}
}

func TestEveryPresetChangesThePicture(t *testing.T) {
	in := scene(film, 1)
	for _, p := range filters.Presets() {
		changed := !same(in, through(t, in, p.Settings, nil))
		if want := p.ID != filters.PresetNone && p.ID != filters.PresetCustom; changed != want {
			t.Errorf("%s changes the picture: %v", p.ID, changed)
		}
	}
}

func TestLargerVignetteDarkensCornersMore(t *testing.T) {
	for _, l := range []frame.Layout{film, {Format: frame.NV12, Width: 191, Height: 127, Matrix: frame.BT709}} {
		in, last := flat(l, pixel{200, 90, 170}), 201
		for _, strength := range []float64{0.5, 1, 2.5, 4, 5} {
			out := through(t, in, with(func(s *filters.Settings) { s.Vignette = strength }), nil)
			corner := at(out, 0, 0)
			if corner.y >= last {
				t.Errorf("%s: at %v the corner is %d, no darker than %d", name(l), strength, corner.y, last)
			}
			last = corner.y
			// 1 − strength/5 of the level above black, and a little more, for the
			// corner's pixel is not quite in the corner.
			if want := 16 + 184*(1-strength/5); math.Abs(float64(corner.y)-want) > 10 {
				t.Errorf("%s: at %v the corner is %d, want about %.0f", name(l), strength, corner.y, want)
			}
			for _, other := range []pixel{at(out, l.Width-1, 0), at(out, 0, l.Height-1), at(out, l.Width-1, l.Height-1)} {
				if abs(other.y-corner.y) > 1 || abs(other.cb-corner.cb) > 1 {
					t.Errorf("%s: at %v corners differ: %+v and %+v", name(l), strength, corner, other)
				}
			}
			if abs(corner.cb-128) >= 38 || abs(corner.cr-128) >= 42 {
				t.Errorf("%s: at %v the corner keeps its colour: %+v", name(l), strength, corner)
			}
			for y := 3 * l.Height / 8; y < 5*l.Height/8; y++ {
				for x := 3 * l.Width / 8; x < 5*l.Width/8; x++ {
					if got := at(out, x, y); got != (pixel{200, 90, 170}) {
						t.Fatalf("%s: at %v the centre is %+v", name(l), strength, got)
					}
				}
			}
		}
	}
}

// TestSharpnessRaisesEdgesAndLeavesFlats looks at a step of luma.
func TestSharpnessRaisesEdgesAndLeavesFlats(t *testing.T) {
	in := draw(film, 1, func(x, _ int) pixel { return pixel{100 + 40*min(x/96, 1), 110, 150} })
	last := 40
	for _, strength := range []float64{0.5, 1, 3, 5} {
		out := through(t, in, with(func(s *filters.Settings) { s.Sharpness = strength }), nil)
		step := at(out, 96, 9).y - at(out, 95, 9).y
		if step <= last {
			t.Errorf("at %v the step is %d, no higher than %d", strength, step, last)
		}
		// The blur takes a quarter of the step from either side.
		if want := 40 * (1 + strength/2); math.Abs(float64(step)-want) > 1 {
			t.Errorf("at %v the step is %d, want %v", strength, step, want)
		}
		last = step
		for y := range in.Height {
			for x := range in.Width {
				if (x < 94 || x > 98) && at(out, x, y) != at(in, x, y) {
					t.Fatalf("at %v the flat at %d, %d has become %+v", strength, x, y, at(out, x, y))
				}
			}
		}
	}
}

func TestDenoiseLowersNoiseAndKeepsEdges(t *testing.T) {
	for _, format := range []frame.Format{frame.I420, frame.NV12} {
		l := film
		l.Format = format
		for _, deviation := range []float64{3, 8} {
			in := noisy(l, deviation)
			out := through(t, in, with(func(s *filters.Settings) { s.Denoise = deviation }), nil)
			for _, side := range []struct{ x0, x1, level int }{{0, 96, 80}, {96, 192, 180}} {
				_, before := statistics(in, side.x0, side.x1)
				mean, after := statistics(out, side.x0, side.x1)
				if after > before/2 {
					t.Errorf("%s: noise of %.2f became %.2f", format, before, after)
				}
				if math.Abs(mean-float64(side.level)) > 0.5 {
					t.Errorf("%s: the side of %d has a mean of %.2f", format, side.level, mean)
				}
			}
			left, _ := statistics(out, 95, 96)
			right, _ := statistics(out, 96, 97)
			if right-left < 95 {
				t.Errorf("%s: the edge of 100 became one of %.1f", format, right-left)
			}
		}
	}
}

// TestDenoiseSmoothsChroma sends noise that is in chroma alone.
func TestDenoiseSmoothsChroma(t *testing.T) {
	for _, format := range []frame.Format{frame.I420, frame.NV12} {
		l := film
		l.Format = format
		in := draw(l, 1, func(x, y int) pixel { return pixel{100, 110 + 4*(x/2%2), 150 - 4*(y/2%2)} })
		out := through(t, in, with(func(s *filters.Settings) { s.Denoise = 10 }), nil)
		for y := 16; y < 32; y++ {
			for x := 16; x < 32; x++ {
				if p := at(out, x, y); p.y != 100 || abs(p.cb-112) > 1 || abs(p.cr-148) > 1 {
					t.Fatalf("%s: %d, %d is %+v", format, x, y, p)
				}
			}
		}
	}
}

func TestGrainMovesAndHasItsStrength(t *testing.T) {
	grey := flat(film, pixel{126, 100, 160})
	for _, strength := range []float64{5, 30, 100} {
		r := rig(t, film, with(func(s *filters.Settings) { s.Grain = strength }), nil)
		first := r.Through(gsttest.Of(grey, 0), film).Frame
		second := r.Through(gsttest.Of(grey, moment(1)), film).Frame
		if same(first, second) {
			t.Errorf("at %v two frames have the same grain", strength)
		}
		mean, deviation := statistics(first, 0, film.Width)
		// Rounding to whole levels adds a twelfth to the variance.
		asked := strength / 100 * 21.9
		want := math.Sqrt(asked*asked + 1.0/12)
		if math.Abs(deviation-want) > 0.06*want || math.Abs(mean-126) > 0.05*want+0.1 {
			t.Errorf("at %v the deviation is %.2f and the mean %.2f, want %.2f and 126", strength, deviation, mean, want)
		}
		if p := at(first, 7, 7); p.cb != 100 || p.cr != 160 {
			t.Errorf("grain has colour: %+v", p)
		}
	}
}

// TestGrainSparesBlackAndWhite looks where noise could only go one way.
func TestGrainSparesBlackAndWhite(t *testing.T) {
	for _, level := range []int{16, 235} {
		in := flat(film, pixel{level, 128, 128})
		if out := through(t, in, with(func(s *filters.Settings) { s.Grain = 100 }), nil); !same(in, out) {
			mean, deviation := statistics(out, 0, film.Width)
			t.Errorf("%d has a mean of %.2f and a deviation of %.2f", level, mean, deviation)
		}
	}
}

// everything are settings in which each filter does something.
func everything() filters.Settings {
	return with(func(s *filters.Settings) {
		s.Denoise, s.Sharpness, s.Temperature, s.Vignette, s.Grain, s.Gamma = 4, 1, 5000, 2, 10, 1.2
	})
}

// TestSizesStridesAndFormats compares each filter on padded rows with packed
// ones, and NV12 with I420: the pixels must be the same.
func TestSizesStridesAndFormats(t *testing.T) {
	sets := map[string]filters.Settings{
		"everything": everything(),
		"curves":     with(func(s *filters.Settings) { s.Gamma, s.Saturation = 1.5, 0.5 }),
	}
	for id, s := range sets {
		want := map[[2]int]frame.Frame{}
		for _, l := range layouts() {
			size := [2]int{l.Width, l.Height}
			if _, ok := want[size]; !ok {
				want[size] = through(t, scene(l, 1), s, nil)
			}
			in := gsttest.Of(scene(l, 64), 0)
			in.Meta = true
			out := rig(t, l, s, nil).Through(in, l).Frame
			if !same(want[size], out) {
				t.Errorf("%s: %s with padded rows differs from packed I420", id, name(l))
			}
		}
	}
}

// FuzzFrames works on pictures of any small size, stride and content, in both
// formats, with any settings: rows apart or packed, the same must come out.
func FuzzFrames(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(1), false, 5.0, 1.0, 5000.0, 2.0, 1.5, []byte{0, 255, 16})
	f.Add(uint8(33), uint8(7), uint8(16), true, 25.0, 5.0, 1000.0, 5.0, 10.0, []byte{255})
	f.Add(uint8(8), uint8(9), uint8(3), true, 0.0, 0.0, 6500.0, 0.0, 0.1, []byte{1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, width, height, align uint8, nv12 bool, denoise, sharpness, kelvin, vignette, gamma float64, content []byte) {
		if width == 0 || height == 0 || width > 80 || height > 80 || align == 0 || len(content) == 0 {
			t.Skip("no picture")
		}
		l := frame.Layout{Format: frame.I420, Width: int(width), Height: int(height), Matrix: frame.BT709}
		if nv12 {
			l.Format = frame.NV12
		}
		colour := func(x, y int) pixel {
			at := func(i int) int { return int(content[(x*7+y*3+i)%len(content)]) }
			return pixel{at(0), at(1), at(2)}
		}
		s := with(func(s *filters.Settings) {
			s.Denoise, s.Sharpness, s.Temperature, s.Vignette, s.Gamma, s.Grain = denoise, sharpness, kelvin, vignette, gamma, 50
		})
		apart := gsttest.Of(draw(l, int(align), colour), 0)
		apart.Meta = true
		out := rig(t, l, s, nil).Through(apart, l).Frame
		if !same(out, through(t, draw(l, 1, colour), s, nil)) {
			t.Errorf("%s with rows of a multiple of %d bytes differs", name(l), align)
		}
	})
}
