package source

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const openFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY

// openFile opens a regular file below dir, for reading. The file is asked what it
// is before it is opened, because opening alone moves some devices, and again
// after, because it may have been exchanged; O_NONBLOCK lets even a FIFO that
// came between be opened without a wait.
func openFile(dir string, n name) (*os.File, int64, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, 0, fail(CodeUnreadable, errno(err), "the root %q cannot be opened; see that its folder is there and readable", n.root)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(n.path)
	if err != nil {
		return nil, 0, pathError(n, err)
	}
	if err := checkFile(n, info); err != nil {
		return nil, 0, err
	}
	file, err := root.OpenFile(n.path, openFlags, 0)
	if err != nil {
		return nil, 0, pathError(n, err)
	}
	size, err := checkOpened(n, file)
	if err != nil {
		_ = file.Close()
		return nil, 0, pathError(n, err)
	}
	return file, size, nil
}

// checkOpened checks what was opened, makes it as a worker wants it, and returns
// its size.
func checkOpened(n name, file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if err := checkFile(n, info); err != nil {
		return 0, err
	}
	return info.Size(), setBlocking(file)
}

// checkFile refuses what is no regular file with something in it.
func checkFile(n name, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fail(CodeUnreadable, nil, "%q is a folder; name a file in it", n.public())
	case !info.Mode().IsRegular():
		return fail(CodeUnreadable, nil, "%q is no regular file", n.public())
	case info.Size() == 0:
		return fail(CodeEmpty, nil, "%q is empty", n.public())
	}
	return nil
}

// setBlocking takes O_NONBLOCK off again: a worker shares the flag with the file.
func setBlocking(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var cleared error
	err = raw.Control(func(fd uintptr) { cleared = unix.SetNonblock(int(fd), false) })
	return errors.Join(err, cleared)
}

// pathError gives an error met below a root its code.
func pathError(n name, err error) error {
	var coded *Error
	var no syscall.Errno
	switch {
	case errors.As(err, &coded):
		return coded
	case !errors.As(err, &no): // os.Root's own
		return fail(CodeRefused, errno(err), "%q leads out of its root; a link must be relative and stay inside", n.public())
	}
	switch no {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ENAMETOOLONG:
		return fail(CodeNotFound, no, "there is no file %q", n.public())
	case syscall.EACCES, syscall.EPERM:
		return fail(CodeUnreadable, no, "%q may not be read; let the server's user read the file and its folders", n.public())
	case syscall.ELOOP:
		return fail(CodeUnreadable, no, "%q goes through too many links", n.public())
	default:
		return fail(CodeUnreadable, no, "%q cannot be opened", n.public())
	}
}

// errno takes the path out of an error.
func errno(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
