package source

import (
	"context"
	"io"
	"os"
)

// File is a Reader of an open file. The file's own offset is left alone.
type File struct {
	file *os.File
	size int64
}

// NewFile returns a Reader of f, which must be a regular file and stays the
// caller's to close. Its size is what it is now.
func NewFile(f *os.File) (File, error) {
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	return File{f, info.Size()}, nil
}

// ReadAt implements Reader.
func (f File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return f.file.ReadAt(p, off)
}

// Size implements Reader.
func (f File) Size() int64 { return f.size }

// At returns r as an io.ReaderAt whose reads end with ctx.
func At(ctx context.Context, r Reader) io.ReaderAt { return at{r, ctx} }

type at struct {
	Reader
	ctx context.Context //nolint:containedctx // an io.ReaderAt has no place for one
}

func (a at) ReadAt(p []byte, off int64) (int, error) { return a.Reader.ReadAt(a.ctx, p, off) }
