package upscale

// #include <stdlib.h>
// #include "element.h"
import "C"

import (
	"fmt"
	"slices"
)

var (
	providers  = []string{"auto", "cuda", "tensorrt", "openvino", "webgpu", "cpu"}
	precisions = []string{"auto", "fp32", "fp16"}
)

//export goUpscaleSetString
func goUpscaleSetString(h C.guintptr, id C.int, value *C.char) *C.char {
	return guard(h, func(e *Element) error {
		v := C.GoString(value) // "" for NULL
		switch id {
		case C.PROP_MODEL:
			return e.SetModel(v)
		case C.PROP_PROVIDER:
			return e.setOneOf("provider", v, providers, func(s *settings) { s.provider = v })
		case C.PROP_PRECISION:
			return e.setOneOf("precision", v, precisions, func(s *settings) { s.precision = v })
		}
		return nil
	})
}

func (e *Element) setOneOf(name, value string, allowed []string, apply func(*settings)) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("%w: %s must be one of %v (got %q)", ErrSetting, name, allowed, value)
	}
	return e.change1(apply)
}

//export goUpscaleSetInt
func goUpscaleSetInt(h C.guintptr, id, value C.int) *C.char {
	return guard(h, func(e *Element) error {
		return e.change1(func(s *settings) {
			switch id {
			case C.PROP_DEVICE:
				s.device = int(value)
			case C.PROP_THREADS:
				s.threads = int(value)
			case C.PROP_TILE:
				s.tile = int(value)
			case C.PROP_PASSTHROUGH:
				s.passthrough = value != 0
			}
		})
	})
}

//export goUpscaleSetDouble
func goUpscaleSetDouble(h C.guintptr, _ C.int, value C.double) *C.char {
	return guard(h, func(e *Element) error { return e.SetStrength(float64(value)) })
}

//export goUpscaleGetString
func goUpscaleGetString(h C.guintptr, id C.int) *C.char {
	set := of(h).settings()
	switch id {
	case C.PROP_PROVIDER:
		return C.CString(set.provider)
	case C.PROP_PRECISION:
		return C.CString(set.precision)
	default:
		return C.CString(set.model)
	}
}

//export goUpscaleGetInt
func goUpscaleGetInt(h C.guintptr, id C.int) C.int {
	set := of(h).settings()
	switch id {
	case C.PROP_DEVICE:
		return C.int(set.device)
	case C.PROP_THREADS:
		return C.int(set.threads)
	case C.PROP_TILE:
		return C.int(set.tile)
	default:
		return map[bool]C.int{true: 1}[set.passthrough]
	}
}

//export goUpscaleGetDouble
func goUpscaleGetDouble(h C.guintptr, _ C.int) C.double {
	return C.double(of(h).settings().strength)
}
