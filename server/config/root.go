package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Root is a folder whose files may be played.
type Root struct {
	Name string // begins the names of films below it; unique
	Path string // absolute
}

// String writes the root as it stands in the environment.
func (r Root) String() string { return r.Name + "=" + r.Path }

// idForm is what ids of models and names of roots look like. Nothing in it can
// be taken for part of a path, except for one single name.
var idForm = regexp.MustCompile(`^[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)*$`)

var errRoots = errors.New("must be a list of {name: NAME, path: PATH}")

// decodeRoots reads a list of mappings from a file, or NAME=PATH,NAME=PATH.
func decodeRoots(value any) ([]Root, error) {
	var roots []Root
	switch value := value.(type) {
	case string:
		for _, entry := range splitList(value) {
			name, path, ok := strings.Cut(entry, "=")
			if !ok {
				return nil, errors.New("must be NAME=PATH,NAME=PATH")
			}
			roots = append(roots, Root{name, path})
		}
	case []any:
		for _, entry := range value {
			root, err := decodeRoot(entry)
			if err != nil {
				return nil, err
			}
			roots = append(roots, root)
		}
	default:
		return nil, errRoots
	}
	return roots, checkRoots(roots)
}

func decodeRoot(entry any) (Root, error) {
	members, ok := entry.(map[string]any)
	if !ok || !slices.Equal(slices.Sorted(maps.Keys(members)), []string{"name", "path"}) {
		return Root{}, errRoots
	}
	name, isText := members["name"].(string)
	path, isPath := members["path"].(string)
	if !isText || !isPath {
		return Root{}, errRoots
	}
	return Root{name, path}, nil
}

func checkRoots(roots []Root) error {
	seen := map[string]bool{}
	for _, root := range roots {
		switch {
		case !idForm.MatchString(root.Name):
			return fmt.Errorf("the name %q must be letters, digits, -, _ and single dots between them", root.Name)
		case seen[root.Name]:
			return fmt.Errorf("the name %q must stand there once", root.Name)
		case !filepath.IsAbs(root.Path):
			return fmt.Errorf("the path of %q must be absolute", root.Name)
		}
		seen[root.Name] = true
	}
	return nil
}
