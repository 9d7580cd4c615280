package models

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// valid returns a manifest that passes Check, for tests to break.
func valid() Manifest {
	return Manifest{
		ID: "some-model.v2", Title: "Some model", Architecture: "convolutions", Scale: 2, Kind: RGB,
		Input: Input{Layout: "NCHW", Type: "float16", White: 1}, Size: Size{Multiple: 4, Width: 64, Height: 32},
		Content: Animation, Speed: Medium, Licence: "Apache-2.0", Source: "somebody",
		URL: "https://example.org/some-model.onnx", SHA256: strings.Repeat("0a", 32), Bytes: 1234,
	}
}

func TestCheckNamesTheBrokenRule(t *testing.T) {
	if err := valid().Check(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		key   string
		spoil func(*Manifest)
	}{
		{"id", func(m *Manifest) { m.ID = "../up" }},
		{"title", func(m *Manifest) { m.Title = " " }},
		{"title", func(m *Manifest) { m.Title = "two\nlines" }},
		{"architecture", func(m *Manifest) { m.Architecture = "" }},
		{"scale", func(m *Manifest) { m.Scale = 0 }},
		{"scale", func(m *Manifest) { m.Scale = 5 }},
		{"kind", func(m *Manifest) { m.Kind = "yuv" }},
		{"input.layout", func(m *Manifest) { m.Input.Layout = "HW" }},
		{"input.type", func(m *Manifest) { m.Input.Type = "int4" }},
		{"input.white", func(m *Manifest) { m.Input.White = 2 }},
		{"size.multiple", func(m *Manifest) { m.Size.Multiple = 0 }},
		{"size.width", func(m *Manifest) { m.Size.Width = 63 }},
		{"size.height", func(m *Manifest) { m.Size.Height = -4 }},
		{"content", func(m *Manifest) { m.Content = "" }},
		{"speed", func(m *Manifest) { m.Speed = "warp" }},
		{"licence", func(m *Manifest) { m.Licence = "" }},
		{"source", func(m *Manifest) { m.Source = "" }},
		{"url", func(m *Manifest) { m.URL = "http://example.org/m.onnx" }},
		{"url", func(m *Manifest) { m.URL = "https://user:word@example.org/m.onnx" }},
		{"url", func(m *Manifest) { m.URL = "https:///m.onnx" }},
		{"sha256", func(m *Manifest) { m.SHA256 = strings.Repeat("0A", 32) }},
		{"sha256", func(m *Manifest) { m.SHA256 = "0a" }},
		{"bytes", func(m *Manifest) { m.Bytes = 0 }},
		{"bytes", func(m *Manifest) { m.Bytes = MaxBytes + 1 }},
	}
	for _, test := range tests {
		m := valid()
		test.spoil(&m)
		err := m.Check()
		if !errors.Is(err, ErrManifest) || !strings.Contains(err.Error(), test.key+": must be ") {
			t.Errorf("%s: %v", test.key, err)
		}
	}
}

func TestCheckNamesAllBrokenRules(t *testing.T) {
	err := Manifest{}.Check()
	for _, key := range []string{"id", "title", "scale", "kind", "input.layout", "size.multiple", "content", "speed", "licence", "source", "sha256", "bytes"} {
		if !strings.Contains(err.Error(), key+": must be ") {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
}

func TestParseManifest(t *testing.T) {
	good, err := json.Marshal(valid())
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseManifest(good); err != nil || m != valid() {
		t.Errorf("got %+v, %v", m, err)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"not JSON":      "id: some-model",
		"an array":      "[]",
		"null":          "null",
		"a wrong type":  strings.Replace(string(good), `"scale":2`, `"scale":"2"`, 1),
		"a fraction":    strings.Replace(string(good), `"bytes":1234`, `"bytes":1234.5`, 1),
		"unknown key":   strings.Replace(string(good), `"scale":2`, `"scale":2,"scales":2`, 1),
		"nested key":    strings.Replace(string(good), `"white":1`, `"white":1,"black":0`, 1),
		"two objects":   string(good) + string(good),
		"a broken rule": strings.Replace(string(good), `"scale":2`, `"scale":9`, 1),
	} {
		if _, err := ParseManifest([]byte(text)); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"swift-s-x2": true, "a": true, "A_1.2.3": true, "-": true, strings.Repeat("x", maxID): true,
		"": false, ".": false, "..": false, ".hidden": false, "a.": false, "a..b": false, "a/b": false, `a\b`: false,
		"../a": false, "a b": false, "a\n": false, "a\x00": false, "é": false, "%2e%2e": false,
		strings.Repeat("x", maxID+1): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestSPDX(t *testing.T) {
	for s, want := range map[string]bool{
		"MIT": true, "Apache-2.0": true, "GPL-2.0+": true, "CC-BY-NC-SA-4.0": true, "LicenseRef-own": true,
		"MIT OR Apache-2.0": true, "(MIT OR BSD-3-Clause) AND Zlib": true, "GPL-2.0-only WITH Classpath-exception-2.0": true,
		"": false, "MIT AND": false, "OR MIT": false, "MIT MIT": false, "(MIT": false, "MIT)": false, "()": false,
		"MIT/BSD": false, "see the web page": false, "MIT (BSD)": false,
	} {
		if got := spdx(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

// FuzzParseManifest proves that what is taken keeps every rule and comes back
// the same after it was written.
func FuzzParseManifest(f *testing.F) {
	if own, err := os.ReadFile(Default + ".json"); err == nil {
		f.Add(own)
	}
	f.Add([]byte(`{"id":"x","scale":2,"input":{"white":255},"licence":"(MIT"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			if !errors.Is(err, ErrManifest) {
				t.Fatalf("an error without a name: %v", err)
			}
			return
		}
		if strings.ContainsAny(m.ID, "/\\\x00") || strings.Contains(m.ID, "..") {
			t.Fatalf("id %q", m.ID)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseManifest(again); err != nil || back != m {
			t.Fatalf("%+v came back as %+v, %v", m, back, err)
		}
	})
}
