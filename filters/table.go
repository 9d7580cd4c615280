package filters

// Filter describes one value of Settings. Its ID is the value's name in JSON.
type Filter struct {
	ID      string  `json:"id"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Neutral float64 `json:"neutral"`
	Unit    string  `json:"unit,omitempty"` // "" for a plain number
	Meaning string  `json:"meaning"`

	of  func(*Settings) *float64
	own func(*Overrides) **float64
}

// Table returns every filter with a number, in the order in which a menu shows
// them. The caller may change the slice.
func Table() []Filter {
	return []Filter{
		{
			"brightness", -1, 1, 0, "", "is added to luma, in parts of the way from black to white",
			func(s *Settings) *float64 { return &s.Brightness }, func(o *Overrides) **float64 { return &o.Brightness },
		},
		{
			"contrast", 0, 3, 1, "", "stretches luma about mid-grey",
			func(s *Settings) *float64 { return &s.Contrast }, func(o *Overrides) **float64 { return &o.Contrast },
		},
		{
			"saturation", 0, 3, 1, "", "multiplies chroma; 0 leaves no colour",
			func(s *Settings) *float64 { return &s.Saturation }, func(o *Overrides) **float64 { return &o.Saturation },
		},
		{
			"gamma", 0.1, 10, 1, "", "bends luma between black and white, which stay; more is brighter",
			func(s *Settings) *float64 { return &s.Gamma }, func(o *Overrides) **float64 { return &o.Gamma },
		},
		{
			"sharpness", 0, 5, 0, "", "adds so many times the fine detail of luma",
			func(s *Settings) *float64 { return &s.Sharpness }, func(o *Overrides) **float64 { return &o.Sharpness },
		},
		{
			"temperature", 1000, 15000, 6500, "K", "is the light that white looks lit by: lower is warmer, redder",
			func(s *Settings) *float64 { return &s.Temperature }, func(o *Overrides) **float64 { return &o.Temperature },
		},
		{
			"vignette", 0, 5, 0, "", "darkens the corners, each unit by a fifth; the centre stays",
			func(s *Settings) *float64 { return &s.Vignette }, func(o *Overrides) **float64 { return &o.Vignette },
		},
		{
			"grain", 0, 100, 0, "%", "is film grain; 100 has a standard deviation of a tenth of the way from black to white in mid-grey",
			func(s *Settings) *float64 { return &s.Grain }, func(o *Overrides) **float64 { return &o.Grain },
		},
		{
			"denoise", 0, 25, 0, "levels", "is the standard deviation of the noise that is smoothed away, in 8-bit code values; edges stay",
			func(s *Settings) *float64 { return &s.Denoise }, func(o *Overrides) **float64 { return &o.Denoise },
		},
		{
			"shadow_hue", 0, 360, 0, "°", "is the colour of the shadows' tint: 0 red, 120 green, 240 blue",
			func(s *Settings) *float64 { return &s.ShadowHue }, func(o *Overrides) **float64 { return &o.ShadowHue },
		},
		{
			"shadow_tint", 0, 1, 0, "", "adds so much of the full colour to the darker tones; black stays",
			func(s *Settings) *float64 { return &s.ShadowTint }, func(o *Overrides) **float64 { return &o.ShadowTint },
		},
		{
			"highlight_hue", 0, 360, 0, "°", "is the colour of the highlights' tint",
			func(s *Settings) *float64 { return &s.HighlightHue }, func(o *Overrides) **float64 { return &o.HighlightHue },
		},
		{
			"highlight_tint", 0, 1, 0, "", "adds so much of the full colour to the lighter tones; white stays",
			func(s *Settings) *float64 { return &s.HighlightTint }, func(o *Overrides) **float64 { return &o.HighlightTint },
		},
	}
}
