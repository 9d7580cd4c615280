package grid

// #cgo pkg-config: gstreamer-1.0 gstreamer-video-1.0
// #include "grid.h"
// #include "samples.h"
import "C"

import (
	"errors"
	"sync"
	"time"
	"unsafe"
)

// Errors of this package.
var (
	ErrRegister   = errors.New("elements segmentgrid and samplegrid cannot be registered")
	ErrNotElement = errors.New("not an element of this package")
)

var registered = sync.OnceValue(func() error {
	if C.grid_register() == 0 || C.samples_register() == 0 {
		return ErrRegister
	}
	return nil
})

// Register makes the elements known to GStreamer, which must be initialised, under
// the names `segmentgrid` and `samplegrid`. More calls do nothing.
func Register() error { return registered() }

// Plan is what a segmentgrid goes by.
type Plan struct {
	Origin           time.Duration // stream time at which the film is at 0
	Ticks, TimeScale int64         // a segment lasts Ticks/TimeScale seconds
	RateNum, RateDen int           // frames a second; RateNum is 0 when it varies
	First            int           // segment to begin with
	End              time.Duration // of the film
}

// Set gives the GstElement at p, which must be alive and at most in READY, its
// plan. The error is ErrNotElement or nil.
func Set(p unsafe.Pointer, plan Plan) error {
	c := C.GridPlan{
		origin: C.gint64(plan.Origin), ticks: C.guint64(plan.Ticks), timescale: C.guint64(plan.TimeScale),
		rate_n: C.gint(plan.RateNum), rate_d: C.gint(max(plan.RateDen, 1)), first: C.guint64(plan.First), end: C.guint64(plan.End),
	}
	if C.grid_set(p, &c) == 0 {
		return ErrNotElement
	}
	return nil
}

// Stats are what an element has done to pictures.
type Stats struct {
	Repeated int64 // pictures that were shown once more
	Dropped  int64 // that came twice for one time, or after the end
}

// Read returns what the GstElement at p, which must be alive, has done.
func Read(p unsafe.Pointer) Stats {
	var s C.GridStats
	C.grid_stats(p, &s)
	return Stats{int64(s.repeated), int64(s.dropped)}
}

// KeyFrame has the GstElement at p, which must be alive, ask for a key frame
// with its next picture.
func KeyFrame(p unsafe.Pointer) { C.grid_key_frame(p) }
