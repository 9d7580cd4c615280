package models

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes a model into a folder.
func put(t *testing.T, folder, id string, data []byte, change func(*Manifest)) {
	t.Helper()
	m, err := manifest(Default)
	if err != nil {
		t.Fatal(err)
	}
	m.ID, m.SHA256, m.Bytes = id, digest(data), int64(len(data))
	if change != nil {
		change(&m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{id + ".json": text, id + ".onnx": data} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCatalogue lists what a folder has beside the embedded models, and leaves out
// what is not right with a fault that names it.
func TestCatalogue(t *testing.T) {
	folder := t.TempDir()
	put(t, folder, "mine-x2", []byte("a network"), nil)
	put(t, folder, "other-hash", []byte("a network"), func(m *Manifest) { m.SHA256 = digest([]byte("another")) })
	put(t, folder, "other-id", []byte("a network"), func(m *Manifest) { m.ID = "someone" })
	put(t, folder, Default, []byte("a network"), nil)
	put(t, folder, "no-licence", []byte("a network"), func(m *Manifest) { m.Licence = "" })
	put(t, folder, "no-file", []byte("a network"), nil)
	if err := os.Remove(filepath.Join(folder, "no-file.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults, err := NewCatalogue(folder)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range c.List() {
		ids = append(ids, m.ID)
	}
	if want := []string{"mine-x2", Default}; !slices.Equal(ids, want) {
		t.Errorf("models %v, want %v", ids, want)
	}
	for _, name := range []string{"other-hash", "other-id", Default, "no-licence", "no-file"} {
		if !slices.ContainsFunc(faults, func(err error) bool { return strings.HasPrefix(err.Error(), "model "+name+".json: ") }) {
			t.Errorf("no fault names %s: %v", name, faults)
		}
	}
	if len(faults) != 5 {
		t.Errorf("faults %v", faults)
	}
	f, err := c.Open("mine-x2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read from
	if data, err := io.ReadAll(f); err != nil || string(data) != "a network" {
		t.Errorf("read %q, %v", data, err)
	}
	if f, err := c.Open(Default); f != nil || err != nil {
		t.Errorf("an embedded model opens as %v, %v", f, err)
	}
	if _, err := c.Open("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown model opens: %v", err)
	}
	if _, _, err := NewCatalogue(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that there is not was read")
	}
	if err := Verify([]byte("a network"), digest([]byte("another"))); !errors.Is(err, ErrHash) {
		t.Errorf("other data passes: %v", err)
	}
}
