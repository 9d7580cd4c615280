package source

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// opener returns an Opener with a root of these files: a name that ends in "/" is
// a folder, a content that begins with "→" a link.
func opener(t *testing.T, files map[string]string) (*Opener, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o750)
		target, link := strings.CutPrefix(content, "→")
		switch {
		case strings.HasSuffix(name, "/"):
			err = errors.Join(err, os.MkdirAll(path, 0o750))
		case link:
			err = errors.Join(err, os.Symlink(target, path))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte(content), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	o, err := New(Options{
		Roots:  map[string]string{"movies": filepath.Join(dir, "movies"), "dev": "/dev"},
		Limits: DefaultLimits(), Log: slogDiscard,
	})
	if err != nil {
		t.Fatal(err)
	}
	return o, dir
}

var films = map[string]string{
	"movies/a.mkv":        "film a",
	"movies/sub/b.mkv":    "film b",
	"movies/inside.mkv":   "→sub/b.mkv",
	"movies/sub/up.mkv":   "→../a.mkv",
	"movies/folder":       "→sub",
	"movies/outside.mkv":  "→../secret",
	"movies/absolute.mkv": "→/etc/passwd",
	"movies/out":          "→..",
	"movies/dangling.mkv": "→nothing",
	"movies/loop.mkv":     "→loop.mkv",
	"movies/empty.mkv":    "",
	"movies/dir.mkv/":     "",
	"secret":              "secret",
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	o, _ := opener(t, films)
	for source, content := range map[string]string{
		"movies/a.mkv": "film a", "movies/sub/b.mkv": "film b", "movies/inside.mkv": "film b",
		"movies/sub/up.mkv": "film a", "movies/folder/b.mkv": "film b",
	} {
		s, err := o.Open(t.Context(), source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if s.Name() != source || s.Size() != int64(len(content)) || s.Kind() != KindFile {
			t.Errorf("%s: %q of %d bytes, %c", source, s.Name(), s.Size(), s.Kind())
		}
		file, err := s.Take()
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(file); err != nil || string(data) != content {
			t.Errorf("%s: %q, %v", source, data, err)
		}
		if _, err := file.Write([]byte("x")); err == nil {
			t.Errorf("%s can be written to", source)
		}
		if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("%s: flags %#x, %v", source, flags, err)
		}
		if _, err := s.Take(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s was taken twice: %v", source, err)
		}
		if err := errors.Join(file.Close(), s.Run(t.Context()), s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenNoFile(t *testing.T) {
	o, dir := opener(t, films)
	if err := syscall.Mkfifo(filepath.Join(dir, "movies/fifo.mkv"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for source, code := range map[string]Code{
		"movies/outside.mkv":                 CodeRefused,
		"movies/out/secret":                  CodeRefused,
		"movies/absolute.mkv":                CodeRefused,
		"movies/../secret":                   CodeRefused,
		"../movies/a.mkv":                    CodeRefused,
		"nowhere/a.mkv":                      CodeRefused,
		"http://films.test/a.mkv":            CodeRefused,
		"movies/dangling.mkv":                CodeNotFound,
		"movies/none.mkv":                    CodeNotFound,
		"movies/a.mkv/b.mkv":                 CodeNotFound,
		"movies/" + strings.Repeat("a", 300): CodeNotFound,
		"movies/loop.mkv":                    CodeUnreadable,
		"movies/dir.mkv":                     CodeUnreadable,
		"movies/fifo.mkv":                    CodeUnreadable,
		"dev/null":                           CodeUnreadable,
		"movies/empty.mkv":                   CodeEmpty,
	} {
		_, err := o.Open(t.Context(), source)
		var failed *Error
		if !errors.As(err, &failed) || failed.Code != code {
			t.Errorf("%s: %v, want %s", source, err, code)
			continue
		}
		if strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %q has a path of the server", source, err)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors were open before, %d are after", before, after)
	}
}

// TestExchanged puts a FIFO in the place of a file that was looked at: it is
// opened without a wait, and refused.
func TestExchanged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, openFlags, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := checkOpened(name{root: "movies", path: "a.mkv"}, file); CodeOf(err) != CodeUnreadable {
		t.Error(err)
	}
}

// TestMayNotBeRead opens a file that nobody may read. Root may read everything,
// so there the thread looks at files as another user.
func TestMayNotBeRead(t *testing.T) {
	o, dir := opener(t, films)
	if err := os.Chmod(filepath.Join(dir, "movies/a.mkv"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		for _, d := range []string{filepath.Dir(dir), dir, filepath.Join(dir, "movies")} { // so that reading is what fails
			if err := os.Chmod(d, 0o711); err != nil { //nolint:gosec // the other user has to get to the file
				t.Fatal(err)
			}
		}
		const nobody = 65534
		runtime.LockOSThread()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setfsuid(0); err != nil {
				t.Error(err) // and the thread ends with the test, as it stays locked
				return
			}
			runtime.UnlockOSThread()
		}()
	}
	if _, err := o.Open(t.Context(), "movies/a.mkv"); CodeOf(err) != CodeUnreadable {
		t.Error(err)
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(o *Options){
		`roots.movies: must be an absolute path (got "films")`: func(o *Options) { o.Roots = map[string]string{"movies": "films"} },
		`roots.movies: must be a folder (got "/etc/passwd")`:   func(o *Options) { o.Roots = map[string]string{"movies": "/etc/passwd"} },
		`roots: a name must be of letters`:                     func(o *Options) { o.Roots = map[string]string{"http:": "/"} },
		`hosts: must be a host or host:port, without`:          func(o *Options) { o.Hosts = []string{"http://films.test"} },
		`limits.tries: must be at least 1`:                     func(o *Options) { o.Limits.Tries = 0 },
		`log: must be given`:                                   func(o *Options) { o.Log = nil },
	} {
		options := Options{Limits: DefaultLimits(), Log: slogDiscard}
		change(&options)
		if _, err := New(options); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

// descriptors returns how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestCloseWithoutTake(t *testing.T) {
	t.Parallel()
	o, _ := opener(t, films)
	s, err := o.Open(t.Context(), "movies/a.mkv")
	if err != nil {
		t.Fatal(err)
	}
	file := s.worker
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open after Close: %v", err)
	}
}
