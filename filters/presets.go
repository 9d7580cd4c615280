package filters

import (
	"fmt"
	"regexp"
	"slices"
)

// The presets that are no look of their own.
const (
	PresetNone   = "none"   // every filter neutral
	PresetCustom = "custom" // the caller's own values and nothing else
)

// Preset is a look with a name.
type Preset struct {
	ID       string   `json:"id"`
	Meaning  string   `json:"meaning"`
	Settings Settings `json:"settings"`
}

// Presets returns every preset, in the order in which a menu shows them. The
// caller may change the slice.
func Presets() []Preset {
	return []Preset{
		look(PresetNone, "the picture as it is", nil),
		look("cinematic", "deep, a little cool in the shadows, with a breath of grain", func(s *Settings) {
			s.Contrast, s.Saturation, s.Gamma, s.Vignette, s.Grain = 1.1, 0.92, 0.97, 1, 6
			s.ShadowHue, s.ShadowTint, s.HighlightHue, s.HighlightTint = 190, 0.06, 35, 0.05
		}),
		look("vintage", "faded and yellowed, as an old print", func(s *Settings) {
			s.Brightness, s.Contrast, s.Saturation, s.Temperature, s.Vignette, s.Grain = 0.04, 0.85, 0.7, 5000, 1.5, 18
		}),
		look("vivid", "strong colours", func(s *Settings) {
			s.Contrast, s.Saturation, s.Sharpness = 1.12, 1.45, 0.5
		}),
		look("noir", "hard black and white", func(s *Settings) {
			s.Contrast, s.Saturation, s.Gamma, s.Vignette, s.Grain = 1.4, 0, 0.92, 2, 14
		}),
		look("warm", "evening light", func(s *Settings) {
			s.Temperature, s.Saturation = 5000, 1.05
		}),
		look("cool", "overcast light", func(s *Settings) {
			s.Temperature = 8500
		}),
		look("hdr-pop", "bright, crisp and colourful", func(s *Settings) {
			s.Contrast, s.Saturation, s.Gamma, s.Sharpness = 1.2, 1.3, 1.1, 1
		}),
		look("sepia", "brown monochrome", func(s *Settings) {
			s.Contrast, s.Saturation = 0.95, 0
			s.ShadowHue, s.ShadowTint, s.HighlightHue, s.HighlightTint = 32, 0.2, 38, 0.2
		}),
		look("pastel", "light and pale", func(s *Settings) {
			s.Brightness, s.Contrast, s.Saturation, s.Gamma = 0.08, 0.8, 0.7, 1.1
		}),
		look("cyberpunk", "violet shadows, pink light", func(s *Settings) {
			s.Contrast, s.Saturation, s.Temperature, s.Vignette = 1.2, 1.25, 7500, 1
			s.ShadowHue, s.ShadowTint, s.HighlightHue, s.HighlightTint = 255, 0.25, 320, 0.15
		}),
		look("drama", "dark, hard and subdued", func(s *Settings) {
			s.Contrast, s.Saturation, s.Gamma, s.Sharpness, s.Vignette = 1.35, 0.85, 0.9, 0.8, 1.5
		}),
		look("soft-glow", "smooth, warm and light", func(s *Settings) {
			s.Brightness, s.Contrast, s.Saturation, s.Gamma, s.Temperature, s.Denoise = 0.04, 0.92, 1.05, 1.15, 6000, 6
		}),
		look("sharp-hd", "clean and crisp", func(s *Settings) {
			s.Contrast, s.Sharpness, s.Denoise = 1.05, 1.5, 2
		}),
		look("retrogame", "loud colours and hard edges", func(s *Settings) {
			s.Contrast, s.Saturation, s.Sharpness = 1.25, 1.6, 3
		}),
		look("teal-orange", "teal shadows against orange skin", func(s *Settings) {
			s.Contrast, s.Saturation = 1.1, 1.1
			s.ShadowHue, s.ShadowTint, s.HighlightHue, s.HighlightTint = 188, 0.2, 30, 0.18
		}),
		look(PresetCustom, "the caller's own values and nothing else", nil),
	}
}

// look returns the preset that differs from neutral by change.
func look(id, meaning string, change func(*Settings)) Preset {
	p := Preset{ID: id, Meaning: meaning, Settings: Neutral()}
	if change != nil {
		change(&p.Settings)
	}
	return p
}

// Overrides are the values that a caller sets itself; nil is one that it leaves
// alone.
type Overrides struct {
	Brightness    *float64 `json:"brightness,omitempty"`
	Contrast      *float64 `json:"contrast,omitempty"`
	Saturation    *float64 `json:"saturation,omitempty"`
	Gamma         *float64 `json:"gamma,omitempty"`
	Sharpness     *float64 `json:"sharpness,omitempty"`
	Temperature   *float64 `json:"temperature,omitempty"`
	Vignette      *float64 `json:"vignette,omitempty"`
	Grain         *float64 `json:"grain,omitempty"`
	Denoise       *float64 `json:"denoise,omitempty"`
	ShadowHue     *float64 `json:"shadow_hue,omitempty"`
	ShadowTint    *float64 `json:"shadow_tint,omitempty"`
	HighlightHue  *float64 `json:"highlight_hue,omitempty"`
	HighlightTint *float64 `json:"highlight_tint,omitempty"`
	LUT           *string  `json:"lut,omitempty"` // "" takes it away
}

// Set sets the value of a filter by its id, and reports whether there is one.
func (o *Overrides) Set(id string, value float64) bool {
	for _, f := range Table() {
		if f.ID == id {
			*f.own(o) = &value
			return true
		}
	}
	return false
}

// Apply returns s with the caller's own values in place of its.
func (o Overrides) Apply(s Settings) Settings {
	for _, f := range Table() {
		if v := *f.own(&o); v != nil {
			*f.of(&s) = *v
		}
	}
	if o.LUT != nil {
		s.LUT = *o.LUT
	}
	return s
}

// Resolve returns the settings of a preset, "" for none, with the caller's own
// values in place of the preset's. They may lie outside their ranges: Clamp them,
// and tell the caller which. The error wraps ErrPreset or ErrLUTName.
func Resolve(preset string, own Overrides) (Settings, error) {
	all := Presets()
	i := slices.IndexFunc(all, func(p Preset) bool { return p.ID == preset })
	if preset == "" {
		i = 0
	}
	if i < 0 {
		return Settings{}, fmt.Errorf("%w: %.64q", ErrPreset, preset)
	}
	s := own.Apply(all[i].Settings)
	return s, CheckLUTName(s.LUT)
}

// lutName is what every id of the API looks like. It holds no separator and no
// "..", so it cannot lead out of a folder.
var lutName = regexp.MustCompile(`^[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*$`)

// maxLUTName bounds a name; file systems allow 255 bytes.
const maxLUTName = 128

// CheckLUTName returns an error that wraps ErrLUTName unless name is "" or can
// be the name of a LUT.
func CheckLUTName(name string) error {
	if name != "" && (len(name) > maxLUTName || !lutName.MatchString(name)) {
		return fmt.Errorf("%w: %.64q", ErrLUTName, name)
	}
	return nil
}

// Description is what the API says of the filters.
type Description struct {
	Filters []Filter `json:"filters"`
	Presets []Preset `json:"presets"`
}

// Describe returns every filter and every preset.
func Describe() Description { return Description{Filters: Table(), Presets: Presets()} }
