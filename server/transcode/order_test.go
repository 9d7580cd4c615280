package transcode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
)

func TestParse(t *testing.T) {
	o, err := Parse("start=90&duration=1m30s&track=0&filters=lut:film,gamma:1.5&video_codec=av1&quality=63&strength=0")
	if err != nil {
		t.Fatal(err)
	}
	if o.Output.Start != 90*time.Second || o.Output.Duration != 90*time.Second || o.Output.Track != 0 || o.Output.Quality != 63 ||
		*o.Picture.Strength != 0 || *o.Picture.Filters.LUT != "film" || *o.Picture.Filters.Gamma != 1.5 {
		t.Errorf("%+v", o)
	}
	if o, err = Parse(""); err != nil || o.Output.Container != "mkv" || o.Output.Track != -1 || o.Output.Quality != -1 || !o.Output.Stream {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for query, want := range map[string]string{
		"Height=720":                 "query.Height: there is no such key",
		"height=720&height=720":      "query.height: must be given once",
		"height=":                    "query.height: must not be empty",
		"height=4321":                "query.height: must be a whole number from 0 to 4320",
		"height=7.5":                 "query.height: must be a whole number",
		"quality=52":                 "query.quality: must be from -1 to 51 for h264 and hevc",
		"quality=64&video_codec=av1": "query.quality: must be a whole number from -1 to 63",
		"video_codec=h265":           "query.video_codec: must be one of h264, hevc, av1, vp9",
		"provider=magic":             "query.provider: must be one of",
		"strength=1.01":              "query.strength: must be a number from 0 to 1",
		"start=-1s":                  "query.start: must be seconds",
		"start=Inf":                  "query.start: must be seconds",
		"duration=0":                 "query.duration: must be seconds",
		"track=-1":                   "query.track: must be a whole number from 0 to 999",
		"filters=gamma":              "query.filters: must be pairs",
		"filters=gama:1":             `query.filters: has no filter "gama"`,
		"filters=gamma:x":            `query.filters: must have a number for "gamma"`,
		"filters=gamma:1,gamma:1":    `query.filters: has "gamma" twice`,
		"height=%zz":                 "query: cannot be read",
		"a=1;b=2":                    "query: cannot be read",
	} {
		_, err := Parse(query)
		if p := playback.Problem(err); err == nil || !strings.HasPrefix(p.Detail, want) || p.Status != 400 {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

// TestDocsRemote looks for each key and its choices on the page.
func TestDocsRemote(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "remote.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Parameters() {
		for _, word := range append([]string{p.Name}, p.Enum...) {
			if p.Name != "provider" && p.Name != "speed" && !strings.Contains(string(page), "`"+word+"`") {
				t.Errorf("docs/remote.md does not tell of %s of %s", word, p.Name)
			}
		}
	}
}

func TestFileName(t *testing.T) {
	for source, want := range map[string]string{ //nolint:gosec // the token is nobody's
		"": "upscaled.mkv", "films/a/night train.avi": "night train.upscaled.mkv", "https://h.example/f.mp4?token=secret": "f.upscaled.mkv",
		"https://h.example/": "upscaled.mkv", "films/.hidden": ".upscaled.mkv",
	} {
		o := Order{Source: source}
		o.Output.Container = "mkv"
		if got := o.fileName(); got != want {
			t.Errorf("%q: %q, want %q", source, got, want)
		}
	}
}

// FuzzParse holds what is taken to its bounds.
func FuzzParse(f *testing.F) {
	f.Add("height=720&filters=gamma:1.2,lut:x&start=1e3&duration=2h")
	f.Add("quality=-1&track=999&strength=1e-300&preset=%20")
	f.Fuzz(func(t *testing.T, query string) {
		o, err := Parse(query)
		if err != nil {
			return
		}
		out := o.Output
		if out.Height < 0 || out.Height > maxHeight || out.Quality < -1 || out.Quality > 63 || out.Track < -1 || out.Start < 0 || out.Duration < 0 ||
			out.Start > maxSeconds*time.Second || types[out.Container] == "" || strings.ContainsAny(o.fileName(), "/\n") && o.Source == "" {
			t.Errorf("%q is taken as %+v", query, o)
		}
	})
}
