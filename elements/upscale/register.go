package upscale

// #cgo pkg-config: gstreamer-1.0 gstreamer-base-1.0 gstreamer-video-1.0
// #include "element.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// shared is what elements made from now on get.
var shared struct {
	sync.Mutex
	cfg *Config // guarded by Mutex; nil before Register
}

// Register makes the element known to GStreamer, which must be initialised,
// under the name `upscale`. A second call replaces cfg for new elements.
func Register(cfg Config) error {
	shared.Lock()
	defer shared.Unlock()
	first := shared.cfg == nil
	shared.cfg = &cfg
	if first && C.upscale_register() == 0 {
		shared.cfg = nil
		return errors.New("GStreamer refused the upscale element")
	}
	return nil
}

// Of returns the Go half of a GstElement at p, which must be alive. The result
// stays valid as Go memory but is of use only as long as the GstElement lives.
func Of(p unsafe.Pointer) (*Element, error) {
	h := C.upscale_handle(p)
	if h == 0 {
		return nil, fmt.Errorf("%w: not an upscale element", ErrNotRegistered)
	}
	return cgo.Handle(h).Value().(*Element), nil
}
