package pipeline

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// signals are the connections of a pipeline's elements. They must be dropped
// once the pipeline is in NULL: a function that is connected keeps what it
// refers to, mostly the pipeline itself, which in turn keeps the connection.
//
// go-gst's own Connect is of no use here: it never lets go of a function, for
// its closures hold a reference to themselves (go-glib 1.4.0).
type signals struct {
	mu   sync.Mutex
	undo []func() // guarded by mu
}

// padAdded calls f for each pad that an element adds, on a GStreamer thread.
func (s *signals) padAdded(e *gst.Element, f func(*gst.Pad)) {
	h := cgo.NewHandle(f)
	id := C.element_on_pad_added(unsafe.Pointer(e.Instance()), C.guintptr(h))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undo = append(s.undo, func() {
		C.element_disconnect(unsafe.Pointer(e.Instance()), id)
		h.Delete()
	})
}

// drop ends all connections. No element may be able to add a pad any more.
func (s *signals) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.undo {
		f()
	}
	s.undo = nil
}

// goPadAdded calls the function behind a handle. A panic does not get out, for
// it would end the process: it comes back as a sentence, to be freed with free.
//
//export goPadAdded
func goPadAdded(h C.guintptr, pad unsafe.Pointer) (sentence *C.char) {
	defer func() {
		if p := recover(); p != nil {
			sentence = C.CString(fmt.Sprintf("internal error: %v\n%s", p, debug.Stack()))
		}
	}()
	// Valid: the element that emits the signal holds the pad; the wrapper takes
	// a reference of its own.
	cgo.Handle(h).Value().(func(*gst.Pad))(gst.FromGstPadUnsafeNone(pad))
	return nil
}
