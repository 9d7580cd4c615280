package filters

import "math"

// Settings are the strengths of all filters; Table tells their ranges. The zero
// value is not neutral; Neutral is.
type Settings struct {
	Brightness    float64 `json:"brightness"`
	Contrast      float64 `json:"contrast"`
	Saturation    float64 `json:"saturation"`
	Gamma         float64 `json:"gamma"`
	Sharpness     float64 `json:"sharpness"`
	Temperature   float64 `json:"temperature"`
	Vignette      float64 `json:"vignette"`
	Grain         float64 `json:"grain"`
	Denoise       float64 `json:"denoise"`
	ShadowHue     float64 `json:"shadow_hue"`
	ShadowTint    float64 `json:"shadow_tint"`
	HighlightHue  float64 `json:"highlight_hue"`
	HighlightTint float64 `json:"highlight_tint"`
	LUT           string  `json:"lut,omitempty"` // name of a .cube file in the configured folder, "" for none
}

// Neutral leaves every picture as it is, bit for bit.
func Neutral() Settings {
	var s Settings
	for _, f := range Table() {
		*f.of(&s) = f.Neutral
	}
	return s
}

// IsNeutral reports whether s leaves every picture as it is. A hue without a
// tint does nothing, so it may be any.
func (s Settings) IsNeutral() bool {
	if s.ShadowTint == 0 {
		s.ShadowHue = 0
	}
	if s.HighlightTint == 0 {
		s.HighlightHue = 0
	}
	return s == Neutral()
}

// Clamp returns s with each value in its range, and the ids of those that were
// not. What is no number, or not finite, becomes neutral: nobody can have meant
// an end of the range by it.
func (s Settings) Clamp() (clamped Settings, changed []string) {
	for _, f := range Table() {
		v := f.of(&s)
		in := min(max(*v, f.Min), f.Max)
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			in = f.Neutral
		}
		if in != *v { // true for NaN
			*v = in
			changed = append(changed, f.ID)
		}
	}
	return s, changed
}
