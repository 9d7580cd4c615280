// Package filters is the one definition of the picture filters that a user can
// move while a film plays: their names, ranges and defaults, and the presets made
// of them. It is pure: what is done to pixels is in elements/adjust.
package filters

// Settings are the strengths of all filters. The zero value is not neutral;
// Neutral is.
type Settings struct {
	Brightness  float64 `json:"brightness"`    // −1 to 1, 0 is neutral
	Contrast    float64 `json:"contrast"`      // 0 to 3, 1 is neutral
	Saturation  float64 `json:"saturation"`    // 0 to 3, 1 is neutral
	Gamma       float64 `json:"gamma"`         // 0.1 to 10, 1 is neutral
	Sharpness   float64 `json:"sharpness"`     // 0 to 5, 0 is neutral
	Temperature float64 `json:"temperature"`   // kelvin, 1000 to 15000, 6500 is neutral, lower is warmer
	Vignette    float64 `json:"vignette"`      // 0 to 5, 0 is neutral, more darkens the corners more
	Grain       float64 `json:"grain"`         // 0 to 100, 0 is neutral
	Denoise     float64 `json:"denoise"`       // 0 to 25, 0 is neutral
	LUT         string  `json:"lut,omitempty"` // name of a .cube file in the configured folder, "" for none
}

// Neutral leaves every picture as it is, bit for bit.
func Neutral() Settings {
	return Settings{Contrast: 1, Saturation: 1, Gamma: 1, Temperature: 6500}
}
