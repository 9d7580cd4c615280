package upscale

// #include <stdlib.h>
// #include "element.h"
import "C"

//export goUpscaleDefaultModel
func goUpscaleDefaultModel() *C.char { return C.CString(DefaultModel) }

//export goUpscaleSetString
func goUpscaleSetString(h C.guintptr, id C.int, value *C.char) *C.char {
	return guard(h, func(e *Element) error {
		v := C.GoString(value) // "" for NULL
		return e.adjust(func(s *settings) { *s.text(id) = v })
	})
}

//export goUpscaleGetString
func goUpscaleGetString(h C.guintptr, id C.int) *C.char {
	return ask(h, func(e *Element) *C.char {
		set := e.settings()
		return C.CString(*set.text(id))
	})
}

// text returns the field of a property that is a string, or an enum, which
// goes by its nick.
func (s *settings) text(id C.int) *string {
	switch id {
	case C.PROP_PROVIDER:
		return &s.provider
	case C.PROP_PRECISION:
		return &s.precision
	default:
		return &s.model
	}
}

//export goUpscaleSetInt
func goUpscaleSetInt(h C.guintptr, id, value C.int) *C.char {
	return guard(h, func(e *Element) error {
		return e.adjust(func(s *settings) {
			if id == C.PROP_PASSTHROUGH {
				s.passthrough = value != 0
			} else {
				*s.number(id) = int(value)
			}
		})
	})
}

//export goUpscaleGetInt
func goUpscaleGetInt(h C.guintptr, id C.int) C.int {
	return ask(h, func(e *Element) C.int {
		set := e.settings()
		switch {
		case id != C.PROP_PASSTHROUGH:
			return C.int(*set.number(id))
		case set.passthrough:
			return 1
		default:
			return 0
		}
	})
}

// number returns the field of a property that is an int.
func (s *settings) number(id C.int) *int {
	switch id {
	case C.PROP_DEVICE:
		return &s.device
	case C.PROP_THREADS:
		return &s.threads
	default:
		return &s.tile
	}
}

//export goUpscaleSetDouble
func goUpscaleSetDouble(h C.guintptr, _ C.int, value C.double) *C.char {
	return guard(h, func(e *Element) error { return e.SetStrength(float64(value)) })
}

//export goUpscaleGetDouble
func goUpscaleGetDouble(h C.guintptr, _ C.int) C.double {
	return ask(h, func(e *Element) C.double { return C.double(e.settings().strength) })
}

//export goUpscaleStats
func goUpscaleStats(h C.guintptr, c *C.UpscaleStats) {
	s := ask(h, (*Element).Stats)
	c.upscaled, c.plain, c.dropped, c.failed = C.guint64(s.Upscaled), C.guint64(s.Plain), C.guint64(s.Dropped), C.guint64(s.Failed)
	c.median_ms, c.p95_ms = C.double(s.Median.Seconds()*1e3), C.double(s.P95.Seconds()*1e3)
	c.model, c.provider = textOrNull(s.Model), textOrNull(s.Provider)
}

// textOrNull returns s for the C side to free, NULL for "".
func textOrNull(s string) *C.char {
	if s == "" {
		return nil
	}
	return C.CString(s)
}
