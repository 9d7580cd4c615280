package job

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/pipeline"
)

// output is a file in the making: a hidden temporary beside the final name.
type output struct {
	path  string // final
	temp  string
	force bool
}

// checkOutput refuses a final name that cannot be used, before any work.
func checkOutput(r Request) error {
	info, err := os.Stat(r.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fail(CodeOutputRefused, err, "%s cannot be written", r.Output)
	case !info.Mode().IsRegular():
		return fail(CodeOutputRefused, nil, "%s is there and is not a file", r.Output)
	case sameFile(info, r.Input):
		return fail(CodeOutputRefused, nil, "the output %s is the input", r.Output)
	case !r.Force:
		return fail(CodeOutputExists, nil, "%s is there already; --force writes over it", r.Output)
	}
	dir, err := os.Stat(filepath.Dir(r.Output))
	if err != nil || !dir.IsDir() {
		return fail(CodeOutputRefused, err, "there is no folder %s", filepath.Dir(r.Output))
	}
	return nil
}

func sameFile(info fs.FileInfo, path string) bool {
	other, err := os.Stat(path)
	return err == nil && os.SameFile(info, other)
}

// createOutput makes the temporary file, in the folder of the final name so
// that the rename is one step.
func createOutput(path string, force bool) (*output, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, fail(CodeOutputRefused, err, "no file can be made in %s", filepath.Dir(path))
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return &output{path: path, temp: f.Name(), force: force}, nil
}

// finish writes the temporary file out to the disk and gives it its name. A
// file that came there meanwhile is written over only with force.
func (o *output) finish() error {
	f, err := os.OpenFile(o.temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if o.force {
		return os.Rename(o.temp, o.path)
	}
	err = unix.Renameat2(unix.AT_FDCWD, o.temp, unix.AT_FDCWD, o.path, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without that flag
		if _, err := os.Lstat(o.path); err == nil {
			return fail(CodeOutputExists, nil, "%s has appeared meanwhile; --force writes over it", o.path)
		}
		return os.Rename(o.temp, o.path)
	}
	if errors.Is(err, unix.EEXIST) {
		return fail(CodeOutputExists, nil, "%s has appeared meanwhile; --force writes over it", o.path)
	}
	return err
}

// discard removes the temporary file. It does nothing after finish.
func (o *output) discard() error {
	if err := os.Remove(o.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(pipeline.CodeInternal, err, "the unfinished file %s could not be removed", o.temp)
	}
	return nil
}
