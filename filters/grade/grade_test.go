package grade

import (
	"math"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/filters"
)

// The weights of BT.709.
const kr, kb = 0.2126, 0.0722

func with(change func(*filters.Settings)) filters.Settings {
	s := filters.Neutral()
	change(&s)
	return s
}

// TestBlackBodies compares chromaticities with those of the Planckian locus
// (Wyszecki and Stiles, Color Science); 2856 K is the CIE's illuminant A. At 1000 K
// nearly all light is in the end of the red, where the observer's fit is 0.011 off.
func TestBlackBodies(t *testing.T) {
	for kelvin, want := range map[float64][2]float64{
		2000: {0.5267, 0.4133}, 2856: {0.4476, 0.4074}, 4000: {0.3805, 0.3768}, 6500: {0.3135, 0.3237}, 10000: {0.2807, 0.2884},
	} {
		c := blackBody(kelvin)
		sum := c[0] + c[1] + c[2]
		if x, y := c[0]/sum, c[1]/sum; math.Abs(x-want[0]) > 0.003 || math.Abs(y-want[1]) > 0.003 {
			t.Errorf("%v K lies at %.4f, %.4f, want %v", kelvin, x, y, want)
		}
	}
}

// TestBalance goes through the range: against green, red falls and, from where a
// light has blue at all, blue rises; luma of grey stays.
func TestBalance(t *testing.T) {
	lastRed, lastBlue := math.Inf(1), 0.0
	for kelvin := 1000.0; kelvin <= 15000; kelvin += 100 {
		g := Balance(kelvin, kr, kb)
		red, blue := g[0]/g[1], g[2]/g[1]
		if red >= lastRed || kelvin > 2000 && blue <= lastBlue {
			t.Errorf("%v K is not cooler than what is before it: %v", kelvin, g)
		}
		if luma := kr*g[0] + (1-kr-kb)*g[1] + kb*g[2]; math.Abs(luma-1) > 1e-9 {
			t.Errorf("%v K makes luma of grey %v", kelvin, luma)
		}
		lastRed, lastBlue = red, blue
	}
	for i, v := range Balance(6500, kr, kb) {
		if math.Abs(v-1) > 1e-12 {
			t.Errorf("6500 K changes component %d by %v", i, v)
		}
	}
}

func TestGrade(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(*filters.Settings)
		in, want [3]float64
	}{
		"nothing":    {func(*filters.Settings) {}, [3]float64{0.3, 0.1, -0.2}, [3]float64{0.3, 0.1, -0.2}},
		"brightness": {func(s *filters.Settings) { s.Brightness = 0.25 }, [3]float64{0.3, 0.1, -0.2}, [3]float64{0.55, 0.1, -0.2}},
		"contrast":   {func(s *filters.Settings) { s.Contrast = 2 }, [3]float64{0.3, 0.1, -0.2}, [3]float64{0.1, 0.1, -0.2}},
		"saturation": {func(s *filters.Settings) { s.Saturation = 3 }, [3]float64{0.3, 0.1, -0.1}, [3]float64{0.3, 0.3, -0.3}},
		"gamma":      {func(s *filters.Settings) { s.Gamma = 2 }, [3]float64{0.25, 0.1, -0.2}, [3]float64{0.5, 0.1, -0.2}},
		"below":      {func(s *filters.Settings) { s.Gamma = 2 }, [3]float64{-0.05, 0, 0}, [3]float64{-0.05, 0, 0}},
		"tint":       {func(s *filters.Settings) { s.ShadowHue, s.ShadowTint = 240, 0.5 }, [3]float64{1.0 / 3, 0, 0}, [3]float64{1.0 / 3, 0.25, -0.0722 / (2 * (1 - kr)) / 2}},
		"white":      {func(s *filters.Settings) { s.ShadowTint, s.HighlightTint = 1, 1 }, [3]float64{1, 0, 0}, [3]float64{1, 0, 0}},
		"black":      {func(s *filters.Settings) { s.ShadowTint, s.HighlightTint = 1, 1 }, [3]float64{0, 0, 0}, [3]float64{0, 0, 0}},
	} {
		g := New(with(test.change), nil, kr, kb)
		y, cb, cr := g.At(test.in[0], test.in[1], test.in[2])
		for i, v := range []float64{y, cb, cr} {
			if math.Abs(v-test.want[i]) > 1e-9 {
				t.Errorf("%s: %v becomes %v, %v, %v, want %v", name, test.in, y, cb, cr, test.want)
				break
			}
		}
		if g.IsNeutral() != (name == "nothing") {
			t.Errorf("%s: neutral is %v", name, g.IsNeutral())
		}
	}
}

// TestHues looks at the way on the colour plane that a tint takes: red raises Cr
// most, blue Cb, green lowers both.
func TestHues(t *testing.T) {
	for hue, want := range map[float64][2]float64{0: {-1, 1}, 120: {-1, -1}, 240: {1, -1}, 360: {-1, 1}, 60: {-1, 1}, 180: {1, -1}, 300: {1, 1}} {
		g := New(with(func(s *filters.Settings) { s.HighlightHue, s.HighlightTint = hue, 1 }), nil, kr, kb)
		_, cb, cr := g.At(0.6, 0, 0)
		if cb*want[0] <= 0 || cr*want[1] <= 0 {
			t.Errorf("hue %v moves by %v, %v", hue, cb, cr)
		}
	}
}

// TestSeparable checks what the curves rely on: luma must not move with chroma,
// nor Cb with anything else.
func TestSeparable(t *testing.T) {
	text := "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n"
	cube, err := filters.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if New(filters.Neutral(), cube, kr, kb).Separable() {
		t.Error("a LUT is separable")
	}
	for _, p := range filters.Presets() {
		g := New(p.Settings, nil, kr, kb)
		if !g.Separable() {
			continue
		}
		y1, cb1, cr1 := g.At(0.3, 0.1, -0.1)
		y2, _, _ := g.At(0.3, -0.3, 0.4)
		_, cb3, cr3 := g.At(0.8, 0.1, -0.1)
		if y1 != y2 || cb1 != cb3 || cr1 != cr3 {
			t.Errorf("%s is not separable", p.ID)
		}
	}
}
