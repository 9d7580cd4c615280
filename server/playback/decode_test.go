package playback

import (
	"errors"
	"slices"
	"testing"

	"github.com/upscaled-media/upscaled/server/problem"
)

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for document, where := range map[string][]string{
		`{}`:                                    {"body"},
		`[]`:                                    {"body"},
		`{"source":"a/b`:                        {"body"},
		`{"source":""}`:                         {"body.source"},
		`{"source":"a/b","sauce":1}`:            {"body.sauce"},
		`{"Source":"a/b"}`:                      {"body", "body.Source"},
		`{"source":"a/b","strength":1.5}`:       {"body.strength"},
		`{"source":"a/b","strength":"1"}`:       {"body.strength"},
		`{"source":"a/b","provider":"abacus"}`:  {"body.provider"},
		`{"source":"a/b","audio":-1}`:           {"body.audio"},
		`{"source":"a/b","audio":1.5}`:          {"body.audio"},
		`{"source":"a/b","filters":{"hue":1}}`:  {"body.filters.hue"},
		`{"source":"a/b","output":{"width":1}}`: {"body.output.width"},
		`{"source":"a/b","start":-1}`:           {"body.start"},
		`{"source":"a/b","start":1e300}`:        {"body.start"},
	} {
		_, err := Decode[Order]([]byte(document), "body")
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.BadRequest {
			t.Errorf("%s: %v", document, err)
			continue
		}
		var got []string
		for _, f := range p.Faults {
			got = append(got, f.Where)
		}
		slices.Sort(got)
		if !slices.Equal(got, where) {
			t.Errorf("%s: faults %+v, want at %v", document, p.Faults, where)
		}
	}
}

func TestDecodeTakesWhatIsRight(t *testing.T) {
	o, err := Decode[Order]([]byte(`{"source":"a/b","strength":0,"preset":"warm","filters":{"contrast":9,"lut":"x"},"output":{"height":720},"burn":2,"start":1.5}`), "body")
	if err != nil || *o.Strength != 0 || o.Preset != "warm" || *o.Filters.Contrast != 9 || *o.Output.Height != 720 || *o.Burn != 2 || o.Start != 1.5 {
		t.Errorf("%+v: %v", o, err)
	}
	c, err := Decode[Change]([]byte(`{"model":null,"burn":-1}`), "payload")
	if err != nil || c.Model != nil || *c.Burn != -1 {
		t.Errorf("%+v: %v", c, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"source":"films/a.mkv","filters":{"contrast":1.2}}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Decode[Order](data, "body")
		if err == nil && (o.Source == "" || o.Start < 0 || o.Strength != nil && (*o.Strength < 0 || *o.Strength > 1)) {
			t.Errorf("%q became %+v", data, o)
		}
	})
}
