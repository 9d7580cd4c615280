package adjust

// #include "element.h"
import "C"

import (
	"fmt"
	"runtime/cgo"

	"github.com/upscaled-media/upscaled/filters"
)

// The functions of this file are called by element.c on GStreamer's threads.

//export goAdjustNew
func goAdjustNew(native *C.GstAdjust) C.guintptr {
	return C.guintptr(cgo.NewHandle(&Element{native: native, set: filters.Neutral()}))
}

//export goAdjustFree
func goAdjustFree(h C.guintptr) {
	of(h).gone()
	cgo.Handle(h).Delete()
}

// goAdjustNegotiate returns nil, or a sentence that the C side posts and frees. A
// panic would kill the process.
//
//export goAdjustNegotiate
func goAdjustNegotiate(h C.guintptr, c *C.AdjustLayout) (sentence *C.char) {
	defer func() {
		if p := recover(); p != nil {
			sentence = C.CString(fmt.Sprintf("%v: %v", ErrPanic, p))
		}
	}()
	of(h).negotiated(layoutOf(c))
	return nil
}
