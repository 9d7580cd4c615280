package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the size and hash of every ONNX file here into its manifest")

// TestEmbeddedModels opens every model of the binary. After an ONNX file was
// trained anew, run it with -update.
func TestEmbeddedModels(t *testing.T) {
	if *update {
		writeHashes(t)
		t.Skip("the manifests are written; run again without -update")
	}
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, manifest := range list {
		m, err := Open(manifest.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Manifest != manifest || m.Name() != manifest.ID || m.Path != "" || int64(len(m.Data)) != manifest.Bytes {
			t.Errorf("%s: %+v", manifest.ID, m.Manifest)
		}
	}
	if _, err := Open(Default); err != nil {
		t.Error(err)
	}
}

// TestEveryFileHasItsOther proves that no ONNX file and no manifest is alone.
func TestEveryFileHasItsOther(t *testing.T) {
	entries, err := embedded.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		base := strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".json"), ".onnx")
		for _, other := range []string{base + ".json", base + ".onnx"} {
			if _, err := fs.Stat(embedded, other); err != nil {
				t.Errorf("%s: %v", e.Name(), err)
			}
		}
	}
}

func writeHashes(t *testing.T) {
	t.Helper()
	for _, id := range ids() {
		data, err := os.ReadFile(id + ".onnx")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(id + ".json")
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		m.SHA256, m.Bytes = digest(data), int64(len(data))
		if text, err = json.MarshalIndent(m, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(id+".json", append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.onnx")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge.onnx")
	if err := os.WriteFile(huge, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, MaxBytes+1); err != nil { // a hole: takes no room
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		open string
		want error
		says string
	}{
		"an unknown id":     {"swift-xxl", ErrUnknown, Default},
		"the name of files": {Default + ".json", ErrUnknown, Default},
		"nothing":           {"", ErrBadID, ""},
		"a dot":             {"..", ErrBadID, ""},
		"a space":           {"my model", ErrBadID, ".onnx"},
		"a missing file":    {filepath.Join(dir, "no.onnx"), fs.ErrNotExist, "no.onnx"},
		"a missing name":    {"no-such-model.onnx", fs.ErrNotExist, "no-such-model.onnx"},
		"a traversal":       {"../models/none", fs.ErrNotExist, "none"},
		"a folder":          {dir, ErrFile, "not a regular file"},
		"a device":          {"/dev/zero", ErrFile, "not a regular file"},
		"an empty file":     {empty, ErrFile, "is empty"},
		"a huge file":       {huge, ErrFile, "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(test.open)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q: %v", test.open, err)
			}
		})
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my model.onnx")
	if err := os.WriteFile(path, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{Title: "my model.onnx", SHA256: digest([]byte("weights")), Bytes: 7}
	if m.Manifest != want || m.Path != path || m.Name() != "my model.onnx" || !bytes.Equal(m.Data, []byte("weights")) {
		t.Errorf("%+v", m)
	}
}

func TestVerify(t *testing.T) {
	m := valid()
	data := []byte("weights")
	m.SHA256, m.Bytes = digest(data), 7
	if err := m.verify(data); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"weight", "Weights"} {
		if err := m.verify([]byte(other)); !errors.Is(err, ErrHash) {
			t.Errorf("%q: %v", other, err)
		}
	}
}
