package source

// #cgo pkg-config: gstreamer-1.0 gstreamer-base-1.0
// #include <stdlib.h>
// #include "source.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/cgo"
	"runtime/debug"
	"sync"
	"unsafe"
)

// Reader is what a film is read from.
type Reader interface {
	// ReadAt reads as io.ReaderAt does, until ctx ends. It may be called by
	// several elements at once.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Size returns the number of bytes there are, Unknown for what is read from begin
	// to end. A ReadAt of that may return less than it was asked for, without an error.
	Size() int64
}

// Errors of this package.
var (
	ErrRegister   = errors.New("element readersrc cannot be registered")
	ErrNotElement = errors.New("not a readersrc")
	// ErrReader is a Reader that says it has read what it cannot have.
	ErrReader = errors.New("a reader broke its contract")
	// ErrPanic is a Reader that panicked.
	ErrPanic = errors.New("a reader panicked")
)

var registered = sync.OnceValue(func() error {
	if C.source_register() == 0 {
		return ErrRegister
	}
	return nil
})

// Register makes the element known to GStreamer, which must be initialised,
// under the name `readersrc`. More calls do nothing.
func Register() error { return registered() }

// Attach gives the GstElement at p, which must be alive and in NULL, what it
// reads. The error is ErrNotElement or nil.
func Attach(p unsafe.Pointer, r Reader) error {
	e, err := of(p)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reader = r
	return nil
}

// Err returns the first error with which reading failed the GstElement at p,
// nil where none did.
func Err(p unsafe.Pointer) error {
	e, err := of(p)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func of(p unsafe.Pointer) (*element, error) {
	h := C.source_handle(p)
	if h == 0 {
		return nil, ErrNotElement
	}
	return cgo.Handle(h).Value().(*element), nil
}

// element is the Go half of one readersrc.
type element struct {
	mu     sync.Mutex
	reader Reader          // guarded by mu; nil before Attach
	err    error           // guarded by mu
	ctx    context.Context //nolint:containedctx // guarded by mu; a flush ends it from another thread, while a read has it
	cancel func()          // guarded by mu
}

// renew makes reads possible again after a flush.
func (e *element) renew() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel()
	e.ctx, e.cancel = context.WithCancel(context.Background())
}

// read returns the number of bytes, or one of C's two signs.
func (e *element) read(p []byte, off int64) (int64, error) {
	e.mu.Lock()
	ctx, r := e.ctx, e.reader
	e.mu.Unlock()
	for n := 0; ; {
		more, err := r.ReadAt(ctx, p[n:], off+int64(n))
		if more < 0 || more > len(p)-n {
			return C.SOURCE_FAILED, e.failed(fmt.Errorf("%w: it read %d bytes, more than the %d asked for or fewer than none", ErrReader, more, len(p)-n))
		}
		n += more
		switch {
		case n == len(p), errors.Is(err, io.EOF), n > 0 && r.Size() == Unknown: // what has come is not kept waiting for the rest
			return int64(n), nil
		case ctx.Err() != nil:
			return C.SOURCE_FLUSHING, nil //nolint:nilerr // a flush is no fault of the reader
		case err != nil:
			return C.SOURCE_FAILED, e.failed(err)
		case more == 0:
			return C.SOURCE_FAILED, e.failed(io.ErrNoProgress)
		}
	}
}

// failed keeps the first error, and returns err.
func (e *element) failed(err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
	return err
}

//export goSourceNew
func goSourceNew() C.guintptr {
	e := &element{}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return C.guintptr(cgo.NewHandle(e))
}

//export goSourceFree
func goSourceFree(h C.guintptr) {
	cgo.Handle(h).Value().(*element).cancel()
	cgo.Handle(h).Delete()
}

// goSourceFill reads into memory of GStreamer's. A panic does not get out, for
// it would end the process. The sentence is for the C side to free.
//
//export goSourceFill
func goSourceFill(h C.guintptr, off C.gint64, data unsafe.Pointer, n C.gsize, sentence **C.char) (got C.gint64) {
	e := cgo.Handle(h).Value().(*element)
	defer func() {
		if p := recover(); p != nil {
			err := e.failed(fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack()))
			got, *sentence = C.SOURCE_FAILED, C.CString(err.Error())
		}
	}()
	// Valid: the buffer stays mapped until this call returns, and read keeps nothing.
	read, err := e.read(unsafe.Slice((*byte)(data), int(n)), int64(off))
	if err != nil {
		*sentence = C.CString(err.Error())
	}
	return C.gint64(read)
}

//export goSourceSize
func goSourceSize(h C.guintptr) C.gint64 {
	e := cgo.Handle(h).Value().(*element)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader == nil {
		return C.SOURCE_NOTHING
	}
	return C.gint64(e.reader.Size())
}

//export goSourceUnlock
func goSourceUnlock(h C.guintptr) {
	e := cgo.Handle(h).Value().(*element)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel()
}

//export goSourceUnlockStop
func goSourceUnlockStop(h C.guintptr) { cgo.Handle(h).Value().(*element).renew() }
