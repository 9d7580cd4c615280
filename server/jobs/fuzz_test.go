package jobs

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/upscaled-media/upscaled/server/playback"
)

// FuzzURLName makes names of files of the ends of URLs: plain ones, in their folder.
func FuzzURLName(f *testing.F) {
	for _, base := range []string{"a.mkv", "..", ".hidden", "a\x00b", "%2e%2e", "\xff", "...", "film.tar.gz", "a/b", ""} {
		f.Add(base)
	}
	f.Fuzz(func(t *testing.T, base string) {
		name := outputName(plain(base), "mkv")
		if !fs.ValidPath(name) || strings.ContainsAny(name, "/\x00\n") || name[0] == '.' || !utf8.ValidString(name) || !isOutput(name) {
			t.Errorf("%q becomes %q", base, name)
		}
	})
}

// FuzzOrder reads orders as the control protocol does, and looks at what they mean
// without a file.
func FuzzOrder(f *testing.F) {
	for _, document := range []string{
		`{"source":"films/a.mkv"}`, `{"source":"films","match":"[a-","min_height":5,"max_height":4}`,
		`{"source":"a","name":"../x.mkv","container":"mp4"}`, `{"source":"a","priority":11}`, `{"source":"a","start":1e300}`, `{`,
		`{"source":"a","filters":{"gamma":1e9},"strength":2,"webhook":{"url":"http://[::1]"}}`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		o, err := playback.Decode[Order](document, "payload")
		if err != nil {
			return
		}
		for _, folder := range []bool{false, true} {
			if o.check(folder) == nil {
				o.takes("films/" + o.Match)
			}
		}
		if p := o.priority(); p < minPriority || p > maxPriority {
			t.Errorf("priority %d of %s", p, document)
		}
		container, err := o.container()
		if err == nil && o.Name != "" && (!strings.HasSuffix(strings.ToLower(o.Name), "."+container) || strings.Contains(o.Name, "/")) {
			t.Errorf("name %q in %s", o.Name, container)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Error(err)
		}
	})
}
