package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

// output is a file in the making: hidden under a name of its own, in the folder in
// which it gets its final one.
type output struct {
	folder *os.Root
	part   string
	name   string
	path   string   // for sentences
	file   *os.File // nil where none was made
}

// refused gives an error of the folder of a task's output its code: to package source
// it is one of a source.
func (t *Task) refused(err error) error {
	if at, is := errors.AsType[*source.Error](err); is && at.Code == source.CodeRefused { // of its name, which it tells
		return problem.New(problem.OutputRefused, "%s", at.Sentence).Because(err)
	}
	return (&output{path: t.path()}).refused(err)
}

// newOutput makes the file. What an earlier attempt has left is removed, and a
// worker that outlived it writes to nothing that has a name.
func newOutput(folder *os.Root, r *Record) (*output, error) {
	o := &output{folder: folder, part: r.part(), name: r.Task.Name, path: r.Task.path()}
	if err := o.free(); err != nil {
		return nil, err
	}
	if err := o.discard(); err != nil {
		return nil, err
	}
	file, err := folder.OpenFile(o.part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, o.refused(err)
	}
	o.file = file
	return o, nil
}

// free returns an error when something has the final name.
func (o *output) free() error {
	switch _, err := o.folder.Lstat(o.name); {
	case err == nil:
		return problem.New(problem.OutputExists, "%q is there already, and is not written over; choose another output, or move it away", o.path)
	case !errors.Is(err, fs.ErrNotExist):
		return o.refused(err)
	}
	return nil
}

// writeEvery is after how long the system is asked again to write the file out.
const writeEvery = 2 * time.Second

// write has the system write out what the worker has written, as it goes, until ctx
// ends: nothing can stop seal, which is to have little left to do. What cannot be written
// seal is told.
func (o *output) write(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	conn, err := o.file.SyscallConn()
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err = conn.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
		}
	}
}

// seal writes the file out to the disk, and returns by what it is known.
func (o *output) seal() (Mark, error) {
	if err := o.file.Sync(); err != nil {
		return Mark{}, o.refused(err)
	}
	info, err := o.file.Stat()
	if err != nil {
		return Mark{}, o.refused(err)
	}
	return markOf(info), nil
}

// markOf returns by what a file is known.
func markOf(info fs.FileInfo) Mark {
	m := Mark{Size: info.Size()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		m.Inode = stat.Ino
	}
	return m
}

// publish gives the file its final name, unless something has it, and writes that
// out to the disk, too.
func (o *output) publish() error {
	dir, err := o.folder.Open(".")
	if err != nil {
		return o.refused(err)
	}
	defer func() { _ = dir.Close() }() // synced where that matters
	at := int(dir.Fd())
	err = unix.Renameat2(at, o.part, at, o.name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without that flag
		if err = unix.Linkat(at, o.part, at, o.name, 0); err == nil {
			err = unix.Unlinkat(at, o.part, 0)
		}
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return o.free() // says so
	case err != nil:
		return o.refused(err)
	}
	if err := dir.Sync(); err != nil {
		return o.refused(err)
	}
	return nil
}

// published reports whether the file that a mark is of has its final name. One that
// still has its hidden name gets the final one now.
func (o *output) published(m Mark) (bool, error) {
	if info, err := o.folder.Lstat(o.part); err == nil {
		if markOf(info) != (Mark{Inode: m.Inode, Size: m.Size}) {
			return false, nil // half of another attempt
		}
		return true, o.publish()
	}
	info, err := o.folder.Lstat(o.name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, o.refused(err)
	}
	return markOf(info) == (Mark{Inode: m.Inode, Size: m.Size}), nil
}

// discard removes the file while it has its hidden name.
func (o *output) discard() error {
	if err := o.folder.Remove(o.part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return o.refused(err)
	}
	return nil
}

// close lets go of the file.
func (o *output) close() {
	if o.file != nil {
		_ = o.file.Close() // it was synced, or is of no use
	}
	_ = o.folder.Close() // nothing is written through it
}

// refused gives an error of the output its code.
func (o *output) refused(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // a path is not the client's to know
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return problem.New(problem.DiskFull, "there is no room for %q", o.path).Because(err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EROFS):
		return problem.New(problem.OutputRefused, "%q may not be written; let the server's user write to its folder, or name another one as output", o.path).Because(err)
	}
	return problem.New(problem.OutputRefused, "%q cannot be written", o.path).Because(fmt.Errorf("output: %w", err))
}
