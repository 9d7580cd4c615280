package upscale

// #include <stdlib.h>
// #include "element.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// The functions of this file and of properties.go are called by the C files on
// GStreamer's threads. None lets a panic out: it would kill the process. Those
// that can fail return a sentence allocated with malloc, which the C side posts
// and frees, or nil.

// guard runs f on an element and returns its error, or its panic, as a sentence.
func guard(h C.guintptr, f func(*Element) error) (sentence *C.char) {
	e := of(h)
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = e.panicked(p)
		}
		if err != nil {
			sentence = C.CString(err.Error())
		}
	}()
	err = f(e)
	return nil
}

// ask runs f on an element and returns its answer, or the zero value, which is
// none, after a panic.
func ask[T any](h C.guintptr, f func(*Element) T) (answer T) {
	e := of(h)
	defer func() {
		if p := recover(); p != nil {
			_ = e.panicked(p) // Err tells
		}
	}()
	return f(e)
}

// panicked turns a recovered panic into the error that failed the element. The
// stack is for the log, not for the sentence on the bus.
func (e *Element) panicked(p any) error {
	e.cfg.Log.Error("panic in the upscale element", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return e.failed(fmt.Errorf("%w: %v", ErrPanic, p))
}

//export goUpscaleNew
func goUpscaleNew() C.guintptr {
	shared.Lock()
	defer shared.Unlock()
	return C.guintptr(cgo.NewHandle(newElement(*shared.cfg))) // set: there is no class before Register
}

//export goUpscaleFree
func goUpscaleFree(h C.guintptr) {
	goUpscaleClose(h)
	cgo.Handle(h).Delete()
}

//export goUpscaleOpen
func goUpscaleOpen(h C.guintptr) *C.char { return guard(h, (*Element).open) }

//export goUpscaleStart
func goUpscaleStart(h C.guintptr) *C.char { return guard(h, (*Element).start) }

//export goUpscaleStop
func goUpscaleStop(h C.guintptr) {
	ask(h, func(e *Element) struct{} { e.stop(); return struct{}{} })
}

//export goUpscaleClose
func goUpscaleClose(h C.guintptr) {
	ask(h, func(e *Element) struct{} { e.close(); return struct{}{} })
}

//export goUpscaleScale
func goUpscaleScale(h C.guintptr) C.int {
	return C.int(ask(h, (*Element).scale))
}

//export goUpscaleNegotiate
func goUpscaleNegotiate(h C.guintptr, c *C.UpscaleLayout) *C.char {
	return guard(h, func(e *Element) error {
		if c.interlaced != 0 {
			return e.failed(fmt.Errorf("%w: it is interlaced; put deinterlace before upscale", ErrCaps))
		}
		format, err := frame.ParseFormat(C.GoString(c.format))
		if err != nil {
			return e.failed(err)
		}
		plain, err := e.negotiate(frame.Layout{
			Format: format, Width: int(c.width), Height: int(c.height),
			Matrix: matrix(c.matrix), Range: colourRange(c._range), Site: site(c.site),
		}, int(c.out_width), int(c.out_height))
		if plain {
			c.plain = 1
		}
		return err
	})
}

//export goUpscaleFrame
func goUpscaleFrame(h C.guintptr, in, out *C.UpscalePicture) *C.char {
	return guard(h, func(e *Element) error { return e.upscale(view(in), view(out)) })
}

//export goUpscalePlain
func goUpscalePlain(h C.guintptr) C.gboolean {
	if ask(h, (*Element).nextIsPlain) {
		return 1
	}
	return 0
}

//export goUpscaleDropped
func goUpscaleDropped(h C.guintptr) {
	ask(h, func(e *Element) struct{} { e.dropped(); return struct{}{} })
}

// view returns the mapped picture p without its layout. It is valid for as long
// as p stays mapped, which is until the call that got p returns.
func view(p *C.UpscalePicture) picture {
	v := picture{width: int(p.width), height: int(p.height)}
	for i := range int(p.planes) { // at most 3
		v.planes[i].Stride = int(p.stride[i])
		if p.data[i] != nil {
			// Valid: GStreamer has mapped this many bytes, for reading or writing,
			// until the call returns. frame.Check tells whether they are enough.
			v.planes[i].Data = unsafe.Slice((*byte)(p.data[i]), int(p.size[i]))
		}
	}
	return v
}

func matrix(m C.int) frame.Matrix {
	switch m {
	case C.GST_VIDEO_COLOR_MATRIX_BT601:
		return frame.BT601
	case C.GST_VIDEO_COLOR_MATRIX_BT709:
		return frame.BT709
	case C.GST_VIDEO_COLOR_MATRIX_BT2020:
		return frame.BT2020
	case C.GST_VIDEO_COLOR_MATRIX_FCC:
		return frame.FCC
	case C.GST_VIDEO_COLOR_MATRIX_SMPTE240M:
		return frame.SMPTE240M
	default: // unknown, or RGB, which has none
		return frame.MatrixUnknown
	}
}

func colourRange(r C.int) frame.Range {
	if r == C.GST_VIDEO_COLOR_RANGE_0_255 {
		return frame.Full
	}
	return frame.Limited
}

// site maps GstVideoChromaSite, which is a set of flags: without H_COSITED
// chroma lies in the middle of its block, as in JPEG.
func site(s C.int) frame.ChromaSite {
	switch {
	case s == C.GST_VIDEO_CHROMA_SITE_UNKNOWN:
		return frame.SiteLeft
	case s&C.GST_VIDEO_CHROMA_SITE_H_COSITED == 0:
		return frame.SiteCenter
	case s&C.GST_VIDEO_CHROMA_SITE_V_COSITED == 0:
		return frame.SiteLeft
	default:
		return frame.SiteTopLeft
	}
}
