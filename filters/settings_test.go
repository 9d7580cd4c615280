package filters

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestTableIsSettings holds the table to the fields, whose names in JSON are the
// ids, in Settings and in Overrides.
func TestTableIsSettings(t *testing.T) {
	var ids []string
	for _, f := range Table() {
		ids = append(ids, f.ID)
		var s Settings
		*f.of(&s) = 1
		if text, err := json.Marshal(s); err != nil || !strings.Contains(string(text), `"`+f.ID+`":1`) {
			t.Errorf("%s is not in %s (%v)", f.ID, text, err)
		}
		one, o := 1.0, Overrides{}
		*f.own(&o) = &one
		if text, err := json.Marshal(o); err != nil || string(text) != `{"`+f.ID+`":1}` {
			t.Errorf("%s is %s in Overrides (%v)", f.ID, text, err)
		}
		if !(f.Min <= f.Neutral && f.Neutral <= f.Max && f.Min < f.Max) || f.Meaning == "" {
			t.Errorf("%+v is no range", f)
		}
	}
	for _, of := range []any{Settings{}, Overrides{}} {
		fields := reflect.TypeOf(of)
		for i := range fields.NumField() {
			id, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
			if id != "lut" && !slices.Contains(ids, id) {
				t.Errorf("%s of %s is not in the table", id, fields)
			}
		}
	}
}

// TestRangesAreThoseOfferedBefore holds the ranges that users have had to what
// they were.
func TestRangesAreThoseOfferedBefore(t *testing.T) {
	want := map[string][3]float64{
		"brightness": {-1, 1, 0}, "contrast": {0, 3, 1}, "saturation": {0, 3, 1}, "gamma": {0.1, 10, 1}, "sharpness": {0, 5, 0},
		"temperature": {1000, 15000, 6500}, "vignette": {0, 5, 0}, "grain": {0, 100, 0}, "denoise": {0, 25, 0},
	}
	for _, f := range Table() {
		if w, ok := want[f.ID]; ok && w != [3]float64{f.Min, f.Max, f.Neutral} {
			t.Errorf("%s is %v to %v, %v when neutral, want %v", f.ID, f.Min, f.Max, f.Neutral, w)
		}
		delete(want, f.ID)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestClamp(t *testing.T) {
	for _, f := range Table() {
		for _, test := range []struct{ in, want float64 }{
			{f.Min, f.Min},
			{f.Max, f.Max},
			{f.Min - 1, f.Min},
			{f.Max + 1, f.Max},
			{math.MaxFloat64, f.Max},
			{math.NaN(), f.Neutral},
			{math.Inf(1), f.Neutral},
			{math.Inf(-1), f.Neutral},
		} {
			s := Neutral()
			*f.of(&s) = test.in
			got, changed := s.Clamp()
			want := Neutral()
			*f.of(&want) = test.want
			if got != want {
				t.Errorf("%s: %v became %+v", f.ID, test.in, got)
			}
			if told := slices.Equal(changed, []string{f.ID}); told != (test.in != test.want) {
				t.Errorf("%s: %v became %v, told of %v", f.ID, test.in, test.want, changed)
			}
		}
	}
}

func TestIsNeutral(t *testing.T) {
	s := Neutral()
	s.ShadowHue, s.HighlightHue = 90, 180
	if !s.IsNeutral() {
		t.Error("a hue without a tint is not neutral")
	}
	if (Settings{}).IsNeutral() {
		t.Error("the zero value is neutral")
	}
	for _, f := range Table() {
		s := Neutral()
		*f.of(&s) = (f.Neutral + f.Max) / 2
		if hue := strings.HasSuffix(f.ID, "_hue"); s.IsNeutral() != hue {
			t.Errorf("%s at %v: neutral is %v", f.ID, *f.of(&s), s.IsNeutral())
		}
	}
	if (Settings{LUT: "x"}).IsNeutral() {
		t.Error("a LUT is neutral")
	}
}

func TestPresets(t *testing.T) {
	want := strings.Fields("none cinematic vintage vivid noir warm cool hdr-pop sepia pastel cyberpunk drama soft-glow sharp-hd retrogame teal-orange custom")
	seen := map[Settings]string{}
	for i, p := range Presets() {
		if i >= len(want) || p.ID != want[i] {
			t.Errorf("preset %d is %s", i, p.ID)
		}
		if clamped, changed := p.Settings.Clamp(); clamped != p.Settings {
			t.Errorf("%s is out of range: %v", p.ID, changed)
		}
		plain := p.ID == PresetNone || p.ID == PresetCustom
		if p.Settings.IsNeutral() != plain {
			t.Errorf("%s is neutral: %v", p.ID, !plain)
		}
		if other := seen[p.Settings]; other != "" && !plain {
			t.Errorf("%s is %s", p.ID, other)
		}
		seen[p.Settings] = p.ID
	}
	if n := len(Presets()); n != len(want) {
		t.Errorf("%d presets, want %d", n, len(want))
	}
}

func TestResolve(t *testing.T) {
	grain, lut := 3.0, "film.look"
	for _, test := range []struct {
		preset string
		own    Overrides
		want   func(*Settings)
	}{
		{"", Overrides{}, func(*Settings) {}},
		{"none", Overrides{}, func(*Settings) {}},
		{"warm", Overrides{}, func(s *Settings) { s.Temperature, s.Saturation = 5000, 1.05 }},
		{"warm", Overrides{Grain: &grain, LUT: &lut}, func(s *Settings) { s.Temperature, s.Saturation, s.Grain, s.LUT = 5000, 1.05, 3, lut }},
		{"custom", Overrides{Grain: &grain}, func(s *Settings) { s.Grain = 3 }},
	} {
		want := Neutral()
		test.want(&want)
		if got, err := Resolve(test.preset, test.own); err != nil || got != want {
			t.Errorf("%q gives %+v, %v", test.preset, got, err)
		}
	}
	if _, err := Resolve("Noir", Overrides{}); !errors.Is(err, ErrPreset) {
		t.Errorf("an unknown preset: %v", err)
	}
	for _, name := range []string{"../x", "a/b", ".cube", "a..b", "a b", "ä", "a\x00", strings.Repeat("a", 129)} {
		if _, err := Resolve("none", Overrides{LUT: &name}); !errors.Is(err, ErrLUTName) {
			t.Errorf("LUT %q: %v", name, err)
		}
	}
}
