package pipeline

// #include "steady.h"
import "C"

import (
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// steady holds a run to pictures of one size: the muxers write one, and a player
// scales no better than what would have to be done here.
type steady struct{ c *C.Steady } // freed by free, once the pipeline is in NULL

func newSteady(pad *gst.Pad) *steady {
	return &steady{C.steady_new(unsafe.Pointer(pad.Instance()))} // valid: steady_new takes a reference
}

// err returns an *Error with CodeSizeChanged once a picture came that has
// another size; it and all after it are dropped.
func (s *steady) err() error {
	if s == nil || C.steady_changed(s.c) == 0 {
		return nil
	}
	c := s.c
	return fail(CodeSizeChanged, nil, "the picture changes midway from %d×%d with pixels of %d:%d to %d×%d with %d:%d; cut the file there and upscale the parts",
		c.width, c.height, c.num, c.den, c.now_width, c.now_height, c.now_num, c.now_den)
}

func (s *steady) free() {
	if s != nil {
		C.steady_free(s.c)
	}
}
