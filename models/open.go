package models

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Default is the id of the model that is used when none is asked for.
const Default = "swift-s-x2"

// embedded holds ID.json and ID.onnx of every model that is in the binary.
//
//go:embed *.json *.onnx
var embedded embed.FS

// Model is a model's ONNX file in memory and what is known of it.
type Model struct {
	// Manifest of a model that was opened by its path has only Title (the file's
	// name), SHA256 and Bytes: the rest is found out by running it.
	Manifest Manifest
	Path     string // of the file; "" for an embedded model
	Data     []byte // the whole ONNX file; not to be changed
}

// Name returns what to call the model: its id, or the name of its file.
func (m Model) Name() string {
	if m.Manifest.ID != "" {
		return m.Manifest.ID
	}
	return m.Manifest.Title
}

// List returns the manifests of the embedded models, sorted by id.
func List() ([]Manifest, error) {
	var list []Manifest
	for _, id := range ids() {
		m, err := manifest(id)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// Open returns the model that name stands for. A name that holds a path
// separator or ends in .onnx is the path of a file; any other is an id. The
// error wraps ErrBadID, ErrUnknown, ErrManifest, ErrHash, ErrFile, or what the
// file system said.
func Open(name string) (Model, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, "/") || strings.HasSuffix(name, ".onnx") {
		return openFile(name)
	}
	return openEmbedded(name)
}

func openEmbedded(id string) (Model, error) {
	if !ValidID(id) {
		return Model{}, fmt.Errorf("%w: %q (a file is named by its path or by ending in .onnx)", ErrBadID, id)
	}
	known := ids()
	if !slices.Contains(known, id) {
		return Model{}, fmt.Errorf("%w: %q; there is %s", ErrUnknown, id, strings.Join(known, ", "))
	}
	m, err := manifest(id)
	if err != nil {
		return Model{}, err
	}
	data, err := embedded.ReadFile(id + ".onnx")
	if err != nil {
		return Model{}, fmt.Errorf("%w: %s: %w", ErrHash, id, err)
	}
	if err := m.verify(data); err != nil {
		return Model{}, err
	}
	return Model{Manifest: m, Data: data}, nil
}

// ids returns the ids of the embedded models, sorted.
func ids() []string {
	entries, err := embedded.ReadDir(".")
	if err != nil {
		return nil // the root of an embed.FS is always there
	}
	var list []string
	for _, e := range entries { // sorted by name
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			list = append(list, id)
		}
	}
	return list
}

func manifest(id string) (Manifest, error) {
	data, err := embedded.ReadFile(id + ".json")
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %s: %w", ErrManifest, id, err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s: %w", id, err)
	}
	if m.ID != id {
		return Manifest{}, fmt.Errorf("%w: %s.json has the id %q", ErrManifest, id, m.ID)
	}
	return m, nil
}

// verify returns ErrHash unless data has the size and the hash of m.
func (m Manifest) verify(data []byte) error {
	if int64(len(data)) != m.Bytes {
		return fmt.Errorf("%w: %s has %d bytes instead of %d", ErrHash, m.ID, len(data), m.Bytes)
	}
	if got := digest(data); got != m.SHA256 {
		return fmt.Errorf("%w: %s has the sha256 %s instead of %s", ErrHash, m.ID, got, m.SHA256)
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// openFile reads the model file at path, which must be a regular file of 1 to
// MaxBytes bytes.
func openFile(path string) (Model, error) {
	// Opening a pipe or a device could block for ever, so look first; the
	// opened file is looked at again in case it was exchanged meanwhile.
	info, err := os.Stat(path)
	if err != nil {
		return Model{}, fmt.Errorf("model file: %w", err)
	}
	if err := usable(path, info); err != nil {
		return Model{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Model{}, fmt.Errorf("model file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	if info, err = f.Stat(); err != nil {
		return Model{}, fmt.Errorf("model file: %w", err)
	}
	if err := usable(path, info); err != nil {
		return Model{}, err
	}
	// The file may grow while it is read; what comes behind its size is cut off
	// and then told by the size.
	data, err := io.ReadAll(io.LimitReader(f, info.Size()+1))
	if err != nil {
		return Model{}, fmt.Errorf("model file: %w", err)
	}
	if int64(len(data)) != info.Size() {
		return Model{}, fmt.Errorf("%w: %s changed while it was read", ErrFile, path)
	}
	return Model{
		Manifest: Manifest{Title: filepath.Base(path), SHA256: digest(data), Bytes: info.Size()},
		Path:     path, Data: data,
	}, nil
}

func usable(path string, info os.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", ErrFile, path)
	case info.Size() == 0:
		return fmt.Errorf("%w: %s is empty", ErrFile, path)
	case info.Size() > MaxBytes:
		return fmt.Errorf("%w: %s has %d bytes; at most %d are read", ErrFile, path, info.Size(), int64(MaxBytes))
	}
	return nil
}
