package infer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// place makes an empty file at the path, which is relative to dir.
func place(t *testing.T, dir string, path ...string) string {
	t.Helper()
	name := filepath.Join(append([]string{dir}, path...)...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFindLibrary(t *testing.T) {
	deps := []string{".deps", "onnxruntime", WantedVersion(), libraryName}
	for name, c := range map[string]struct {
		files [][]string // the first one is wanted
		env   bool       // names the first file
		bin   string     // where the executable lies
	}{
		"named by the environment":      {[][]string{{"mine", "lib.so"}, append([]string{"module"}, deps...)}, true, "module/bin"},
		"beside the executable":         {[][]string{append([]string{"module", "bin"}, deps...)}, false, "module/bin"},
		"in a parent of the executable": {[][]string{append([]string{"module"}, deps...), {"module", "bin", "lib", "upscaled", libraryName}}, false, "module/bin"},
		"in lib beside the executable":  {[][]string{{"module", "bin", "lib", "upscaled", libraryName}}, false, "module/bin"},
		"above the working folder":      {[][]string{append([]string{"work"}, deps...)}, false, "go-build1/b001/exe"},
	} {
		dir := t.TempDir()
		place(t, dir, "module", "go.mod")
		place(t, dir, "work", "go.mod")
		if err := os.MkdirAll(filepath.Join(dir, "work", "deep", "down"), 0o755); err != nil {
			t.Fatal(err)
		}
		var want, env string
		for i, f := range c.files {
			if path := place(t, dir, f...); i == 0 {
				want = path
			}
		}
		if c.env {
			env = want
		}
		got, err := findLibrary(env, filepath.Join(dir, c.bin, "upscaled"), filepath.Join(dir, "work", "deep", "down"))
		if got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestFindLibraryIsNotPlanted keeps a program that is installed from code that
// somebody put into a folder of films.
func TestFindLibraryIsNotPlanted(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "films", ".deps", "onnxruntime", WantedVersion(), libraryName)
	if got, err := findLibrary("", filepath.Join(dir, "bin", "upscaled"), filepath.Join(dir, "films")); err == nil {
		t.Errorf("took %s", got)
	}
}

func TestFindLibraryEndsAtTheModule(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, ".deps", "onnxruntime", WantedVersion(), libraryName)
	place(t, dir, "module", "go.mod")
	_, err := findLibrary("", filepath.Join(dir, "module", "bin", "upscaled"), filepath.Join(dir, "module"))
	if !errors.Is(err, ErrRuntime) || !strings.Contains(err.Error(), LibraryEnv) {
		t.Errorf("got %v, want an ErrRuntime that says what to do", err)
	}
	if _, err := findLibrary(filepath.Join(dir, "gone.so"), "/bin/true", dir); !errors.Is(err, ErrRuntime) {
		t.Errorf("got %v for a variable that names no file", err)
	}
}

func TestLibraryVersion(t *testing.T) {
	version, err := libraryVersion(runtimeForTest.Path())
	if version != WantedVersion() || err != nil {
		t.Errorf("got %q, %v", version, err)
	}
	text := place(t, t.TempDir(), "text.so")
	if _, err := libraryVersion(text); !errors.Is(err, ErrRuntime) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v for a file that is no library", err)
	}
	if _, err := libraryVersion("libdl.so.2"); !errors.Is(err, ErrRuntime) || !strings.Contains(err.Error(), "OrtGetApiBase") {
		t.Errorf("got %v for another library", err)
	}
}

func TestOpenIsIdempotent(t *testing.T) {
	again, err := Open()
	if again != runtimeForTest || err != nil {
		t.Errorf("a second Open gave %v, %v", again, err)
	}
	if again.Version() != WantedVersion() {
		t.Errorf("version %q", again.Version())
	}
}
