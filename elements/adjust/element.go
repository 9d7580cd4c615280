package adjust

// #cgo pkg-config: gstreamer-1.0 gstreamer-base-1.0 gstreamer-video-1.0
// #cgo CFLAGS: -O3
// #include "element.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"sync"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/filters"
)

// Element is the Go half of one instance of the GStreamer element.
type Element struct {
	mu     sync.Mutex       // held while a plan is made, which takes milliseconds; no frame waits for it
	native *C.GstAdjust     // guarded by mu; nil once GStreamer has let go of it
	set    filters.Settings // guarded by mu; clamped
	cube   *filters.Cube    // guarded by mu; nil for none
	layout *layout          // guarded by mu; nil before caps
}

// layout is what plans are made for.
type layout struct {
	width, height int
	step          int // bytes from one Cb to the next: 2 in NV12, else 1
	kr, kb        float64
	full          bool // range
}

// register makes the class known once.
var register = sync.OnceValue(func() error {
	if C.adjust_register() == 0 {
		return fmt.Errorf("%w: GStreamer refused it", ErrRegister)
	}
	return nil
})

// Register makes the element known to GStreamer, which must be initialised,
// under the name `adjust`. A second call does nothing. The error wraps
// ErrRegister.
func Register() error { return register() }

// Of returns the Go half of a GstElement at p, which must be alive.
func Of(p unsafe.Pointer) (*Element, error) {
	h := C.adjust_handle(p)
	if h == 0 {
		return nil, ErrNotElement
	}
	return of(h), nil
}

// of returns the Element of a handle that adjust_handle or the class gave.
func of(h C.guintptr) *Element { return cgo.Handle(h).Value().(*Element) }

// Set changes what is done to the frames from the next one on. Settings are
// clamped; cube is the LUT that they name, or nil. It may be called on any
// goroutine, before caps are known and after the GStreamer element is gone, and
// takes some milliseconds. The error wraps ErrNoCube; then nothing has changed.
func (e *Element) Set(s filters.Settings, cube *filters.Cube) error {
	if s.LUT != "" && cube == nil {
		return fmt.Errorf("%w: %s", ErrNoCube, s.LUT)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set, _ = s.Clamp()
	e.cube = cube
	e.install()
	return nil
}

// negotiated makes the plan for frames of layout l.
func (e *Element) negotiated(l layout) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.layout = &l
	e.install()
}

// install gives the GStreamer element a plan of what is set. The caller holds mu.
func (e *Element) install() {
	if e.native == nil || e.layout == nil {
		return
	}
	C.adjust_install(e.native, newPlan(*e.layout, e.set, e.cube)) // which takes the plan
}

// gone cuts the tie to the GStreamer element.
func (e *Element) gone() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.native = nil
}

// layoutOf reads the layout of negotiated caps.
func layoutOf(c *C.AdjustLayout) layout {
	m := map[C.int]frame.Matrix{
		C.GST_VIDEO_COLOR_MATRIX_BT601: frame.BT601, C.GST_VIDEO_COLOR_MATRIX_BT709: frame.BT709,
		C.GST_VIDEO_COLOR_MATRIX_BT2020: frame.BT2020, C.GST_VIDEO_COLOR_MATRIX_FCC: frame.FCC,
		C.GST_VIDEO_COLOR_MATRIX_SMPTE240M: frame.SMPTE240M,
	}[c.matrix] // others are unknown, or RGB, which has none
	l := layout{width: int(c.width), height: int(c.height), step: int(c.step), full: c._range == C.GST_VIDEO_COLOR_RANGE_0_255}
	l.kr, l.kb = m.Coefficients(l.height)
	return l
}
