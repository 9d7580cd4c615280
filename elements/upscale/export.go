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

// The functions of this file are called by element.c on GStreamer's threads.
// None lets a panic out: it would kill the process. Those that can fail return
// a sentence allocated with malloc, which element.c posts and frees, or nil.

func of(h C.guintptr) *Element { return cgo.Handle(h).Value().(*Element) }

// guard runs f on an element and returns its error, or its panic, as a sentence.
func guard(h C.guintptr, f func(*Element) error) (sentence *C.char) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
			if e, ok := cgo.Handle(h).Value().(*Element); ok {
				err = e.failed(err)
			}
		}
		if err != nil {
			sentence = C.CString(err.Error())
		}
	}()
	err = f(of(h))
	return nil
}

//export goUpscaleNew
func goUpscaleNew() C.guintptr {
	shared.Lock()
	defer shared.Unlock()
	return C.guintptr(cgo.NewHandle(newElement(*shared.cfg))) // set: the class exists only after Register
}

//export goUpscaleFree
func goUpscaleFree(h C.guintptr) {
	guard(h, func(e *Element) error { e.Close(); return nil })
	cgo.Handle(h).Delete()
}

//export goUpscaleOpen
func goUpscaleOpen(h C.guintptr) *C.char {
	return guard(h, (*Element).Open)
}

//export goUpscaleClose
func goUpscaleClose(h C.guintptr) {
	guard(h, func(e *Element) error { e.Close(); return nil })
}

//export goUpscaleScale
func goUpscaleScale(h C.guintptr) C.int {
	return C.int(of(h).Scale())
}

//export goUpscaleSetLayout
func goUpscaleSetLayout(h C.guintptr, c *C.UpscaleLayout) *C.char {
	return guard(h, func(e *Element) error {
		format, err := frame.ParseFormat(C.GoString(c.format))
		if err != nil {
			return e.failed(err)
		}
		return e.SetLayout(frame.Layout{
			Format: format, Width: int(c.width), Height: int(c.height),
			Matrix: matrix(c.matrix), Range: colourRange(c._range), Site: site(c.site),
		})
	})
}

//export goUpscaleFrame
func goUpscaleFrame(h C.guintptr, in, out *C.UpscalePicture) *C.char {
	return guard(h, func(e *Element) error {
		e.mu.Lock()
		layout := e.layout
		e.mu.Unlock()
		return e.Frame(view(*layout, in), view(layout.Scaled(e.Scale()), out))
	})
}

//export goUpscaleStats
func goUpscaleStats(h C.guintptr, c *C.UpscaleStats) {
	s := of(h).Stats()
	c.upscaled, c.failed = C.guint64(s.Upscaled), C.guint64(s.Failed)
	c.median_ms, c.p95_ms = C.double(s.Median.Seconds()*1e3), C.double(s.P95.Seconds()*1e3)
	c.model, c.provider = C.CString(s.Model), C.CString(s.Provider)
}

// view returns the mapped picture p as a frame. It is valid for as long as p
// stays mapped, which is until the call that got p returns.
func view(l frame.Layout, p *C.UpscalePicture) frame.Frame {
	f := frame.Frame{Layout: l}
	for i := range min(int(p.planes), len(f.Planes)) {
		stride, rows := int(p.stride[i]), int(p.rows[i])
		if stride <= 0 || p.data[i] == nil {
			continue // Frame.Check tells
		}
		// The last row may end with its samples. Valid: GStreamer mapped this
		// much of the plane, for reading or writing, until the call returns.
		n := stride*(rows-1) + min(stride, l.RowBytes(i))
		f.Planes[i] = frame.Plane{Data: unsafe.Slice((*byte)(p.data[i]), n), Stride: stride}
	}
	return f
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
	default:
		return frame.MatrixUnknown
	}
}

func colourRange(r C.int) frame.Range {
	if r == C.GST_VIDEO_COLOR_RANGE_0_255 {
		return frame.Full
	}
	return frame.Limited
}

func site(s C.int) frame.ChromaSite {
	switch {
	case s == C.GST_VIDEO_CHROMA_SITE_NONE: // centred, GStreamer's jpeg
		return frame.SiteCenter
	case s&C.GST_VIDEO_CHROMA_SITE_H_COSITED != 0 && s&C.GST_VIDEO_CHROMA_SITE_V_COSITED != 0:
		return frame.SiteTopLeft
	default:
		return frame.SiteLeft
	}
}
