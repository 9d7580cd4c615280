package grade

import (
	"math"

	"github.com/upscaled-media/upscaled/filters"
)

// Grade is the colour part of settings for video of one matrix. The zero value
// is of no use. It does not change; many goroutines may use it.
type Grade struct {
	kr, kb             float64
	set                filters.Settings
	gain               [3]float64 // of R', G' and B'
	balanced           bool       // gain is not all 1
	shadows, highlight [2]float64 // Cb and Cr of the tints
	cube               *filters.Cube
}

// New returns the grade of clamped settings, with the weights of red and blue in
// luma, and a LUT or nil.
func New(s filters.Settings, cube *filters.Cube, kr, kb float64) *Grade {
	g := &Grade{kr: kr, kb: kb, set: s, cube: cube, balanced: s.Temperature != neutralKelvin}
	g.gain = Balance(s.Temperature, kr, kb)
	g.shadows = g.tint(s.ShadowHue, s.ShadowTint)
	g.highlight = g.tint(s.HighlightHue, s.HighlightTint)
	return g
}

// IsNeutral reports whether every colour stays as it is.
func (g *Grade) IsNeutral() bool {
	s := g.set
	return g.Separable() && s.Brightness == 0 && s.Contrast == 1 && s.Saturation == 1 && s.Gamma == 1
}

// Separable reports whether luma depends on luma alone, and each of Cb and Cr on
// itself alone.
func (g *Grade) Separable() bool {
	return !g.balanced && g.set.ShadowTint == 0 && g.set.HighlightTint == 0 && g.cube == nil
}

// At returns what becomes of a colour.
func (g *Grade) At(y, cb, cr float64) (y2, cb2, cr2 float64) {
	y, cb, cr = g.tone(y), cb*g.set.Saturation, cr*g.set.Saturation
	if g.balanced {
		rgb := g.rgb(y, cb, cr)
		for i := range rgb {
			rgb[i] *= g.gain[i]
		}
		y, cb, cr = g.ycc(rgb)
	}
	// Of the Bernstein polynomials of degree 3 those that are 0 at black and at
	// white, with a top of 1 at a third and at two thirds: tints fade in and out.
	t := min(max(y, 0), 1)
	dark, light := 27.0/4*t*(1-t)*(1-t), 27.0/4*t*t*(1-t)
	cb += dark*g.shadows[0] + light*g.highlight[0]
	cr += dark*g.shadows[1] + light*g.highlight[1]
	if g.cube != nil {
		y, cb, cr = g.ycc(g.cube.At(g.rgb(y, cb, cr)))
	}
	return y, cb, cr
}

// tone is brightness, contrast and gamma. Beyond black and white, where gamma has
// no meaning, it leaves the level.
func (g *Grade) tone(y float64) float64 {
	y = (y-0.5)*g.set.Contrast + 0.5 + g.set.Brightness
	if g.set.Gamma == 1 || y <= 0 || y >= 1 {
		return y
	}
	return math.Pow(y, 1/g.set.Gamma)
}

// tint returns Cb and Cr of so much of the full colour of a hue in degrees.
func (g *Grade) tint(hue, amount float64) [2]float64 {
	var rgb [3]float64
	for i := range rgb {
		// A trapezoid a third of the circle behind the last: the hue of HSV.
		away := math.Abs(math.Remainder(hue-120*float64(i), 360)) / 60
		rgb[i] = min(max(2-away, 0), 1)
	}
	_, cb, cr := g.ycc(rgb)
	return [2]float64{cb * amount, cr * amount}
}

// rgb returns R'G'B' of Y'CbCr (ITU-T H.273 §8.3).
func (g *Grade) rgb(y, cb, cr float64) [3]float64 {
	r := y + 2*(1-g.kr)*cr
	b := y + 2*(1-g.kb)*cb
	return [3]float64{r, (y - g.kr*r - g.kb*b) / (1 - g.kr - g.kb), b}
}

// ycc returns Y'CbCr of R'G'B'.
func (g *Grade) ycc(rgb [3]float64) (y, cb, cr float64) {
	y = g.kr*rgb[0] + (1-g.kr-g.kb)*rgb[1] + g.kb*rgb[2]
	return y, (rgb[2] - y) / (2 * (1 - g.kb)), (rgb[0] - y) / (2 * (1 - g.kr))
}
