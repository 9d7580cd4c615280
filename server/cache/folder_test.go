package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFolderIsLocked(t *testing.T) {
	path := t.TempDir()
	first, err := New(Options{Folder: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Folder: path}); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second cache got %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := New(Options{Folder: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFolderOfSomebodyElseIsRefusedUntouched(t *testing.T) {
	path := t.TempDir()
	write(t, path, "1.seg", "a user's own")
	if _, err := New(Options{Folder: path}); !errors.Is(err, ErrForeign) {
		t.Fatal(err)
	}
	if files := listing(t, path); !slices.Equal(files, []string{"1.seg"}) {
		t.Errorf("files now %v", files)
	}
}

func TestNewRemovesWhatACrashLeft(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{marker, "17.seg", "18.tmp", "notes.txt", "x1.seg", "1.seg.bak"} {
		write(t, path, name, "left")
	}
	if err := os.Mkdir(filepath.Join(path, "19.seg"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Folder: path})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{marker, "1.seg.bak", "19.seg", "notes.txt", "x1.seg"}
	if files := listing(t, path); !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFolderDoesNotFollowLinksOut(t *testing.T) {
	path, outside := t.TempDir(), t.TempDir()
	write(t, outside, "secret", "another's")
	write(t, path, marker, "")
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(path, "1.seg")); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Folder: path, Disk: 1 << 20, Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.Put(key("a", 0), content(key("a", 0), 10))
	if err := c.relieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, c, key("a", 0), 10)
	if data, err := fs.ReadFile(os.DirFS(outside), "secret"); err != nil || string(data) != "another's" {
		t.Errorf("outside the folder: %q, %v", data, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A write that fails leaves neither its temporary file nor its name.
func TestWriteIsWholeOrNothing(t *testing.T) {
	path := t.TempDir()
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "7.seg"), 0o700); err != nil { // rename fails
		t.Fatal(err)
	}
	if err := f.write(7, []byte("data")); err == nil {
		t.Fatal("no error")
	}
	if files := listing(t, path); !slices.Equal(files, []string{marker, "7.seg"}) {
		t.Errorf("files %v", files)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
