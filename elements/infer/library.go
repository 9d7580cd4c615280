package infer

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LibraryEnv names the environment variable that holds the path of the ONNX
// Runtime library, before any other place.
const LibraryEnv = "UPSCALED_ORT_LIBRARY"

// libraryName is the file name of the library on Linux: its soname.
const libraryName = "libonnxruntime.so.1"

//go:embed onnxruntime.version
var versionFile string

// WantedVersion returns the version of ONNX Runtime that this program is
// built and tested with. The installer and the Dockerfile read the same file.
func WantedVersion() string { return strings.TrimSpace(versionFile) }

// findLibrary returns the path of the ONNX Runtime library: the one that env
// names, else the first that exists of .deps/onnxruntime/<version> in the
// executable's folder and its parents, and lib/upscaled beside the executable.
// Only what `go test` and `go run` have just built looks in the working folder
// and its parents: elsewhere whoever can write there would choose code that this
// process runs. A search among parents ends at a folder with a go.mod.
func findLibrary(env, executable, workingDir string) (string, error) {
	if env != "" {
		if _, err := os.Stat(env); err != nil {
			return "", fmt.Errorf("%w: %s names a library that cannot be read: %w", ErrRuntime, LibraryEnv, err)
		}
		return filepath.Abs(env)
	}
	places := parents(filepath.Dir(executable))
	places = append(places, filepath.Join(filepath.Dir(executable), "lib", "upscaled", libraryName))
	if justBuilt(executable) {
		places = append(places, parents(workingDir)...)
	}
	for _, path := range places {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: %w", ErrRuntime, err)
		}
	}
	return "", fmt.Errorf("%w: no %s of version %s beside %s or in a parent folder's .deps; run make deps, or set %s",
		ErrRuntime, libraryName, WantedVersion(), executable, LibraryEnv)
}

// justBuilt reports whether go put the executable into a folder of its own to
// run it at once.
func justBuilt(executable string) bool {
	for _, part := range strings.Split(executable, string(filepath.Separator)) {
		if strings.HasPrefix(part, "go-build") {
			return true
		}
	}
	return false
}

// parents returns where the library would lie under .deps in dir and the
// folders above it, up to the root of a Go module or of the file system.
func parents(dir string) []string {
	var paths []string
	for {
		paths = append(paths, filepath.Join(dir, ".deps", "onnxruntime", WantedVersion(), libraryName))
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		up := filepath.Dir(dir)
		if err == nil || up == dir {
			return paths
		}
		dir = up
	}
}
