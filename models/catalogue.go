package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Catalogue is the models that a server offers: the embedded ones and those of a
// folder, which holds ID.json, a manifest, and ID.onnx for each. It does not change
// once it is made, so that all methods may be called by any goroutine.
type Catalogue struct {
	folder  string
	list    []Manifest // sorted by id
	outside map[string]bool
}

// NewCatalogue reads the manifests of a folder, "" for none, and holds the files to
// them. What is not right is left out and told in faults; err says that the folder
// cannot be read.
func NewCatalogue(folder string) (c *Catalogue, faults []error, err error) {
	c = &Catalogue{folder: folder, outside: map[string]bool{}}
	if c.list, err = List(); err != nil || folder == "" {
		return c, nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("folder of models: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		m, err := c.read(id)
		if err != nil {
			faults = append(faults, fmt.Errorf("model %s: %w", e.Name(), err))
			continue
		}
		c.list = append(c.list, m)
		c.outside[id] = true
	}
	slices.SortFunc(c.list, func(a, b Manifest) int { return strings.Compare(a.ID, b.ID) })
	return c, faults, nil
}

// maxManifest bounds a manifest in bytes.
const maxManifest = 64 << 10

func (c *Catalogue) read(id string) (Manifest, error) {
	if _, taken := c.Find(id); taken {
		return Manifest{}, fmt.Errorf("%w: an embedded model has the id", ErrManifest)
	}
	if !ValidID(id) {
		return Manifest{}, fmt.Errorf("%w: the name of the file", ErrBadID)
	}
	info, err := os.Stat(filepath.Join(c.folder, id+".json"))
	if err != nil {
		return Manifest{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxManifest {
		return Manifest{}, fmt.Errorf("%w: no file of at most %d bytes", ErrManifest, maxManifest)
	}
	data, err := os.ReadFile(filepath.Join(c.folder, id+".json"))
	if err != nil {
		return Manifest{}, err
	}
	m, err := ParseManifest(data)
	if err != nil {
		return Manifest{}, err
	}
	if m.ID != id {
		return Manifest{}, fmt.Errorf("%w: its id is %q", ErrManifest, m.ID)
	}
	file, err := openFile(c.path(id))
	if err != nil {
		return Manifest{}, err
	}
	return m, m.verify(file.Data)
}

func (c *Catalogue) path(id string) string { return filepath.Join(c.folder, id+".onnx") }

// List returns the manifests, sorted by id; not to be changed.
func (c *Catalogue) List() []Manifest { return c.list }

// Find returns the manifest of a model.
func (c *Catalogue) Find(id string) (Manifest, bool) {
	i := slices.IndexFunc(c.list, func(m Manifest) bool { return m.ID == id })
	if i < 0 {
		return Manifest{}, false
	}
	return c.list[i], true
}

// Open opens the ONNX file of a model for who loads it, and holds it to the
// manifest (see Verify). It is nil for an embedded model, which every worker has.
// The error wraps ErrUnknown, or is the file system's.
func (c *Catalogue) Open(id string) (*os.File, error) {
	if _, known := c.Find(id); !known {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	if !c.outside[id] {
		return nil, nil //nolint:nilnil // there is no file, and none is needed
	}
	f, err := os.Open(c.path(id))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = usable(id+".onnx", info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Verify returns an error that wraps ErrHash unless data has a SHA-256, in
// hexadecimal digits.
func Verify(data []byte, sha256 string) error {
	if got := digest(data); got != sha256 {
		return fmt.Errorf("%w: it has the sha256 %s instead of %s", ErrHash, got, sha256)
	}
	return nil
}
