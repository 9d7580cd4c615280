package playback

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/problem"
)

// cubeSuffix ends the names of the files.
const cubeSuffix = ".cube"

// LUTs are the colour tables in a folder, which may change while the server runs.
type LUTs struct {
	folder string // "" for none
}

// NewLUTs returns the tables of a folder, "" for none. It must be there.
func NewLUTs(folder string) (LUTs, error) {
	if folder == "" {
		return LUTs{}, nil
	}
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err != nil {
		return LUTs{}, fmt.Errorf("luts.path: must be a folder: %w", err)
	}
	return LUTs{folder}, nil
}

// Names lists the tables that a filter may name.
func (l LUTs) Names() ([]string, error) {
	names := []string{}
	if l.folder == "" {
		return names, nil
	}
	entries, err := os.ReadDir(l.folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), cubeSuffix)
		if is && name != "" && !e.IsDir() && filters.CheckLUTName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Read returns the text of a table. Errors are problems, or the system's.
func (l LUTs) Read(name string) ([]byte, error) {
	if err := filters.CheckLUTName(name); err != nil {
		return nil, err
	}
	if l.folder == "" {
		return nil, problem.New(problem.LUTUnknown, "there are no colour tables: luts.path is not set")
	}
	root, err := os.OpenRoot(l.folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // nothing was written
	// Looked at before it is opened: opening a pipe would wait.
	info, err := root.Stat(name + cubeSuffix)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, problem.New(problem.LUTUnknown, "there is no colour table %q", name).Because(err)
	}
	if err != nil {
		return nil, err
	}
	file, err := root.Open(name + cubeSuffix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // likewise
	text, err := io.ReadAll(io.LimitReader(file, filters.MaxCubeBytes+1))
	if err != nil {
		return nil, err
	}
	if _, err := filters.Parse(bytes.NewReader(text)); err != nil {
		return nil, problem.New(problem.LUTUnknown, "the colour table %q cannot be used: %s", name, err).Because(err)
	}
	return text, nil
}
