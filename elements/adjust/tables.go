package adjust

// #include "work.h"
import "C"

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/upscaled-media/upscaled/filters/grade"
)

// The sizes of what work.h describes, in values.
const (
	cells       = C.ADJUST_CELLS
	corners     = C.ADJUST_CORNERS
	one         = C.ADJUST_ONE
	cellCodes   = 256 / cells
	lumaTable   = cells * cells * 256 * corners
	chromaTable = 2 * lumaTable
)

// code returns what 0 to 1 stands for as a code value, and back.
type code struct{ zero, span float64 }

func (c code) to(v float64) float64   { return c.zero + c.span*v }
func (c code) from(v float64) float64 { return (v - c.zero) / c.span }

func (l layout) codes() (luma, chroma code) {
	return code{float64(l.black()), float64(l.span())}, code{128, l.chromaSpan()}
}

// curves fills in 256 values for Y and 256 for Cb and Cr of a separable grade.
func curves(l layout, g *grade.Grade, to []byte) {
	luma, chroma := l.codes()
	for i := range 256 {
		y, cb, _ := g.At(luma.from(float64(i)), chroma.from(float64(i)), 0)
		to[i], to[256+i] = clip(luma.to(y)), clip(chroma.to(cb))
	}
}

func clip(v float64) byte { return byte(min(max(math.Round(v), 0), 255)) }

// node is Y, Cb and Cr at one corner of the cells, in parts of a code value.
type node [3]int16

// table fills in the tables of a grade: each corner of the cells is graded once,
// and then laid beside those that a pixel needs with it.
func table(l layout, g *grade.Grade, luma, chroma []int16) {
	nodes := gradeNodes(l, g)
	at := func(cb, cr, y int) *node { return &nodes[(cb*(cells+1)+cr)*256+y] }
	for cell := range cells * cells {
		cb, cr := cell/cells, cell%cells
		for y := range 256 {
			four := [corners]*node{at(cb, cr, y), at(cb, cr+1, y), at(cb+1, cr, y), at(cb+1, cr+1, y)}
			entry := cell*256 + y
			for i, n := range four {
				luma[entry*corners+i] = n[0]
				chroma[entry*2*corners+i] = n[1]
				chroma[entry*2*corners+corners+i] = n[2]
			}
		}
	}
}

// gradeNodes grades every level of Y at every corner of the cells.
func gradeNodes(l layout, g *grade.Grade) []node {
	luma, chroma := l.codes()
	nodes := make([]node, 0, (cells+1)*(cells+1)*256)
	for cb := range cells + 1 {
		for cr := range cells + 1 {
			for y := range 256 {
				y2, cb2, cr2 := g.At(luma.from(float64(y)), chroma.from(float64(cb*cellCodes)), chroma.from(float64(cr*cellCodes)))
				nodes = append(nodes, node{part(luma.to(y2)), part(chroma.to(cb2)), part(chroma.to(cr2))})
			}
		}
	}
	return nodes
}

// part returns a code value in the table's unit. What lies far outside is of
// colours that no picture has; it must only not wrap.
func part(v float64) int16 {
	return int16(math.Round(min(max(v*one, math.MinInt16), math.MaxInt16)))
}

// calm is the part of the way to the corner, squared, within which a vignette
// leaves the picture as it is: an ellipse of a third of the width and height.
const calm = 0.1

// places fills in, for samples along one axis of size pixels, the square of the
// way from the middle less the calm, so that those of both axes add up to 0 at
// the end of the calm and to 1 in the corner. Samples are pitch pixels apart, and
// repeat of them lie at one place.
func places(to []int16, size, pitch, repeat int, calm0 float64) {
	for i := range to {
		// The middle of the pixels that a sample covers; the last may cover fewer.
		first := i / repeat * pitch
		x := float64(first+min(first+pitch, size)) / 2
		away := x/float64(size)*2 - 1
		to[i] = int16(math.Round((away*away/2 - calm0) / (1 - calm) * 32767))
	}
}

// grainSpan is the deviation of the strongest grain, in parts of the way from
// black to white.
const grainSpan = 0.1

// tileDeviation is the standard deviation of the tile, so that four of it fit.
const tileDeviation = 32

// tile returns the grain: normal noise, a little blurred, as grains are larger
// than a pixel, that goes on at its other end.
var tile = sync.OnceValue(func() []int8 {
	const side = C.ADJUST_TILE
	random := rand.New(rand.NewPCG(1, 2)) // the same grain each time
	white := make([]float64, side*side)
	for i := range white {
		white[i] = random.NormFloat64()
	}
	at := func(x, y int) float64 { return white[(y+side)%side*side+(x+side)%side] }
	soft := make([]float64, len(white))
	var sum, squares float64
	for i := range soft {
		x, y := i%side, i/side
		v := 4*at(x, y) + 1.5*(at(x-1, y)+at(x+1, y)+at(x, y-1)+at(x, y+1))
		soft[i] = v
		sum, squares = sum+v, squares+v*v
	}
	n := float64(len(soft))
	mean := sum / n
	scale := tileDeviation / math.Sqrt(squares/n-mean*mean)
	values := make([]int8, len(soft))
	for i, v := range soft {
		values[i] = int8(math.Round(min(max((v-mean)*scale, -127), 127)))
	}
	return values
})
