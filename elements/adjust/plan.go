package adjust

// #include "work.h"
import "C"

import (
	"math"
	"unsafe"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/filters/grade"
)

// newPlan returns the plan of clamped settings for frames of layout l, with one
// reference that the caller owns; nil where there is nothing to do. Its memory is
// C's; what the functions of this file get of it is valid until they return.
func newPlan(l layout, s filters.Settings, cube *filters.Cube) *C.AdjustPlan {
	if s.IsNeutral() && cube == nil {
		return nil
	}
	p := C.adjust_plan_new(C.int(l.width), C.int(l.height), C.int(l.step))
	p.black, p.span = C.int(l.black()), C.int(l.span())
	// A difference between two samples that have noise of that deviation each
	// stays under twice the deviation 5 times of 6.
	p.denoise = C.int(math.Ceil(2 * s.Denoise))
	p.sharpen = C.int(math.Round(256 * s.Sharpness))
	planColours(p, l, grade.New(s, cube, l.kr, l.kb))
	if s.Vignette > 0 {
		planVignette(p, l, s.Vignette)
	}
	if s.Grain > 0 {
		planGrain(p, l, s.Grain)
	}
	return p
}

func planColours(p *C.AdjustPlan, l layout, g *grade.Grade) {
	switch {
	case g.IsNeutral():
	case g.Separable():
		p.curves = (*C.guint8)(C.g_malloc(2 * 256))
		curves(l, g, unsafe.Slice((*byte)(p.curves), 2*256))
	default:
		luma := C.adjust_plan_luma(p)
		table(l, g, unsafe.Slice((*int16)(luma), lumaTable), unsafe.Slice((*int16)(p.chroma), chromaTable))
	}
}

// planVignette sets the places of samples and how dark the corner gets: a fifth
// darker with each unit.
func planVignette(p *C.AdjustPlan, l layout, strength float64) {
	C.adjust_plan_vignette(p)
	p.falloff = C.gint16(math.Round(min(strength/5, 1) * 32767))
	places(unsafe.Slice((*int16)(p.across), l.width), l.width, 1, 1, 0)
	places(unsafe.Slice((*int16)(p.down), l.height), l.height, 1, 1, calm)
	places(unsafe.Slice((*int16)(p.chroma_across), (l.width+1)/2*l.step), l.width, 2, l.step, 0)
	places(unsafe.Slice((*int16)(p.chroma_down), (l.height+1)/2), l.height, 2, 1, calm)
}

// planGrain sets the amount of grain: the deviation in 1/128 code, divided by the
// weight that grain_row gives mid-grey.
func planGrain(p *C.AdjustPlan, l layout, strength float64) {
	span := float64(l.span())
	weight := 2 * (span / 2) * (span / 2) / 32768
	p.grain = C.gint16(math.Round(strength / 100 * grainSpan * span * 128 / weight))
	p.tile = (*C.gint8)(C.g_malloc(C.ADJUST_TILE * C.ADJUST_TILE))
	copy(unsafe.Slice((*int8)(p.tile), C.ADJUST_TILE*C.ADJUST_TILE), tile())
}

// black returns the code of black (ITU-T H.273).
func (l layout) black() int {
	if l.full {
		return 0
	}
	return 16
}

// span returns how many codes white lies above black.
func (l layout) span() int {
	if l.full {
		return 255
	}
	return 219
}

// chromaSpan returns how many codes lie between the ends of Cb and of Cr.
func (l layout) chromaSpan() float64 {
	if l.full {
		return 255
	}
	return 224
}
