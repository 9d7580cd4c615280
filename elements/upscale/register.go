package upscale

// #cgo pkg-config: gstreamer-1.0 gstreamer-base-1.0 gstreamer-video-1.0
// #include "element.h"
import "C"

import (
	"fmt"
	"log/slog"
	"runtime/cgo"
	"sync"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/infer"
)

// DefaultModel is the id of the model that an element has until it is told
// another one.
const DefaultModel = "swift-s-x2"

// Config is what the elements of a process share.
type Config struct {
	Runtime *infer.Runtime
	// Model returns the model with an id or at a path. It is called on any
	// goroutine, by several elements at once, and never with a lock held that a
	// frame or a figure waits for.
	Model func(name string) (*infer.Model, error)
	Log   *slog.Logger // nil is silence

	// upscaler is infer.New, or a fake in tests.
	upscaler func(*infer.Model, infer.Config) (upscaler, error)
}

// shared is what elements made from now on get.
var shared struct {
	sync.Mutex
	cfg *Config // guarded by Mutex; nil before Register
}

// Register makes the element known to GStreamer, which must be initialised,
// under the name `upscale`. A second call replaces cfg for new elements. The
// error wraps ErrConfig.
func Register(cfg Config) error {
	if cfg.Runtime == nil || cfg.Model == nil {
		return fmt.Errorf("%w: it needs ONNX Runtime and a source of models", ErrConfig)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.upscaler == nil {
		cfg.upscaler = func(m *infer.Model, c infer.Config) (upscaler, error) {
			u, err := infer.New(cfg.Runtime, m, c)
			if err != nil {
				return nil, err // not u: a nil *infer.Upscaler in an upscaler is not nil
			}
			return u, nil
		}
	}
	shared.Lock()
	defer shared.Unlock()
	first := shared.cfg == nil
	shared.cfg = &cfg
	if first && C.upscale_register() == 0 {
		shared.cfg = nil
		return fmt.Errorf("%w: GStreamer refused it", ErrConfig)
	}
	return nil
}

// Of returns the Go half of a GstElement at p, which must be alive. The result
// stays valid as Go memory but is of use only as long as the GstElement lives.
func Of(p unsafe.Pointer) (*Element, error) {
	h := C.upscale_handle(p)
	if h == 0 {
		return nil, ErrNotElement
	}
	return of(h), nil
}

// of returns the Element of a handle that upscale_handle or the class gave.
func of(h C.guintptr) *Element { return cgo.Handle(h).Value().(*Element) }
