package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// marker names the file that makes a folder a cache and that is locked.
const marker = ".upscaled-cache"

// ours are the names of files that a cache writes; nothing else is ever removed.
var ours = regexp.MustCompile(`^[0-9]{1,20}\.(seg|tmp)$`)

// folder is the disk under a cache: numbered files in a locked, marked folder.
type folder struct {
	root *os.Root
	lock *os.File
}

// openFolder makes path a cache's folder, locks it, and empties it of what an
// earlier server left.
func openFolder(path string) (_ *folder, err error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f := &folder{root: root}
	defer func() {
		if err != nil {
			_ = f.unlock() // the first error tells why
		}
	}()
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := f.acquire(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, f.clean()
}

// check refuses a folder that somebody else fills.
func (f *folder) check() error {
	if _, err := f.root.Lstat(marker); err == nil {
		return nil
	}
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	// A server that begins at the same moment may have made the marker since.
	if len(entries) > 0 && entries[0].Name() != marker {
		return ErrForeign
	}
	return nil
}

// acquire locks the marker. One that was removed by a server that closed meanwhile
// locks nobody out, so it is made again.
func (f *folder) acquire() error {
	for {
		lock, err := f.root.OpenFile(marker, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = ErrLocked
			}
			return errors.Join(err, lock.Close())
		}
		held, err := lock.Stat()
		if err != nil {
			return errors.Join(err, lock.Close())
		}
		if named, err := f.root.Lstat(marker); err == nil && os.SameFile(held, named) {
			f.lock = lock
			return nil
		}
		if err := lock.Close(); err != nil {
			return err
		}
	}
}

// clean removes the segments in the folder.
func (f *folder) clean() error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ours.MatchString(e.Name()) && e.Type().IsRegular() {
			if err := f.root.Remove(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// write makes file n, whole or not at all.
func (f *folder) write(n uint64, data []byte) error {
	temporary := strconv.FormatUint(n, 10) + ".tmp"
	err := f.root.WriteFile(temporary, data, 0o600)
	if err == nil {
		err = f.root.Rename(temporary, name(n))
	}
	if err != nil {
		_ = f.root.Remove(temporary) // it may not be there; the first error tells why
	}
	return err
}

// read returns the size bytes of file n.
func (f *folder) read(n uint64, size int) ([]byte, error) {
	file, err := f.root.Open(name(n))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	data := make([]byte, size)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.Size() != int64(size) {
		return nil, fmt.Errorf("file changed its size: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}
	return data, nil
}

func (f *folder) remove(n uint64) error { return f.root.Remove(name(n)) }

// close empties the folder and lets it go. The marker goes while it is still
// locked: a server that waits for it sees that it is another one.
func (f *folder) close() error {
	return errors.Join(f.clean(), f.root.Remove(marker), f.unlock())
}

func (f *folder) unlock() error {
	var err error
	if f.lock != nil {
		err = f.lock.Close()
	}
	return errors.Join(err, f.root.Close())
}

func name(n uint64) string { return strconv.FormatUint(n, 10) + ".seg" }
