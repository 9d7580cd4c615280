package grid

// #include "samples.h"
import "C"

import (
	"time"
	"unsafe"
)

// Samples is what a samplegrid goes by.
type Samples struct {
	Origin     time.Duration // stream time at which the film is at 0
	First, End int64         // samples of the film's time: the first that comes out, and the one behind the last
}

// SetSamples gives the GstElement at p, which must be alive and at most in READY,
// its plan. The error is ErrNotElement or nil.
func SetSamples(p unsafe.Pointer, s Samples) error {
	c := C.SamplesPlan{origin: C.gint64(s.Origin), first: C.guint64(s.First), end: C.guint64(s.End)}
	if C.samples_set(p, &c) == 0 {
		return ErrNotElement
	}
	return nil
}
