package container

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// patch is a change of a file in place: bytes behind its end first, which can
// run out of disk and is undone by cutting them off, then bytes over what is
// there. Nothing refers to the appended bytes before the second step.
type patch struct {
	over  []overwrite
	tails []tail
}

// tail writes something behind the end of a file.
type tail func(io.Writer) error

// overwrite puts new bytes over as many old ones.
type overwrite struct {
	at  int64 // bytes from the start of the file
	new []byte
}

// target is the file that a patch changes. *os.File is one.
type target interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// apply carries the patch out on a file of size bytes, and undoes it when it fails.
func (p patch) apply(file target, size int64) error {
	old := make([]overwrite, len(p.over))
	for i, o := range p.over {
		b := make([]byte, len(o.new))
		if _, err := file.ReadAt(b, o.at); err != nil {
			return fmt.Errorf("read what is to be replaced: %w", err)
		}
		old[i] = overwrite{at: o.at, new: b}
	}
	err := p.append(file, size)
	if err == nil {
		err = writeOver(file, p.over)
	}
	if err != nil {
		return errors.Join(err, writeOver(file, old), file.Truncate(size))
	}
	return nil
}

func (p patch) append(file target, size int64) error {
	w := bufio.NewWriterSize(io.NewOffsetWriter(file, size), 1<<18)
	for _, tail := range p.tails {
		if err := tail(w); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

func writeOver(w io.WriterAt, over []overwrite) error {
	for _, o := range over {
		if _, err := w.WriteAt(o.new, o.at); err != nil {
			return fmt.Errorf("write %d bytes at %d: %w", len(o.new), o.at, err)
		}
	}
	return nil
}

// tailOf is a tail of bytes in memory.
func tailOf(b []byte) tail {
	return func(w io.Writer) error {
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("append: %w", err)
		}
		return nil
	}
}
