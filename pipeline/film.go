package pipeline

import (
	"context"
	"errors"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/elements/source"
)

// Film is media that somebody else has opened. A Reader that is a *source.Stream is
// read from begin to end: see ProbeFilm and Plan.From.
type Film struct {
	Name   string // in sentences; nothing is opened by it
	Reader source.Reader
}

// stream returns what the film is read from where that is read from begin to end, nil
// for one that is sought in.
func (f Film) stream() *source.Stream {
	s, _ := f.Reader.(*source.Stream)
	return s
}

// element adds the source that reads the film to a pipeline.
func (f Film) element(pipe *gst.Pipeline) (*gst.Element, error) {
	if err := register(); err != nil {
		return nil, fail(CodeInternal, err, "GStreamer refused an element")
	}
	e, err := addElement(pipe, "readersrc", "source")
	if err != nil {
		return nil, err
	}
	if err := source.Attach(e.Unsafe(), f.Reader); err != nil {
		return nil, fail(CodeInternal, err, "the source takes no reader")
	}
	return e, nil
}

// mended returns the film as it is read where it is sought in: matroskademux (1.22)
// ends where a file claims to end once it was sent somewhere, so it is told of an
// end behind the last blocks.
func (f Film) mended(m Media) Film {
	if len(m.Extras.Mend.Bytes) > 0 {
		f.Reader = mended{f.Reader, m.Extras.Mend}
	}
	return f
}

// mended reads other bytes in one place.
type mended struct {
	source.Reader
	over container.Over
}

// ReadAt implements source.Reader.
func (r mended) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(ctx, p, off)
	for i, b := range r.over.Bytes {
		if at := r.over.At + int64(i) - off; at >= 0 && at < int64(n) {
			p[at] = b
		}
	}
	return n, err
}

// failed returns the error with which the reader failed its element, nil where
// it did not.
func (f Film) failed(e *gst.Element) error {
	if err := source.Err(e.Unsafe()); err != nil {
		return f.unreadable(err)
	}
	return nil
}

// unreadable returns what an error of the reader means: the reader's own where
// that has a code.
func (f Film) unreadable(err error) error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, source.ErrHead):
		return f.headless()
	case errors.Is(err, source.ErrPanic), errors.Is(err, source.ErrReader), errors.Is(err, source.ErrOrder):
		return fail(CodeInternal, err, "reading %s failed", f.Name)
	}
	return fail(CodeUnreadable, err, "%s cannot be read", f.Name)
}
