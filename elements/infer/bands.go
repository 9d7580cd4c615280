package infer

// #include "native.h"
import "C"

import (
	"errors"
	"runtime"
	"sync"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// Bands are how a CPU's cores share a frame: each computes a stretch of rows
// from the first node of the network to the last, by itself. When they share
// every node instead, each waits for the others some twenty times a frame, and
// reads what another has written: BenchmarkBands tells the difference. The
// price are the rows that two bands both compute, because the network
// looks at its neighbourhood; so networks that look far are not cut.

const (
	bandAlign = 4    // bands start at multiples of it: networks shuffle blocks of 2 or 4 rows
	bandLeast = 32   // rows from one band's start to the next
	bandExtra = 0.09 // of the frame's rows may be computed twice
)

// bandLayout tells how a frame is cut into bands. All are of one height; band
// i starts at row i*step, the last ends with the frame.
type bandLayout struct {
	count  int
	height int // rows of the input
	step   int // rows of the input, a multiple of bandAlign and of cell
	cell   int // rows that a network takes together, made even for chroma
}

// planBands cuts height rows into as many bands as divide threads, such that
// each computes reach rows more than it gives beyond its seams, and as few more
// as the multiples allow. A network takes multiple rows together, so that bands
// start and seams lie at multiples of it. A count of 1 means that the frame is
// better left whole.
func planBands(height, threads, reach, multiple int) bandLayout {
	cell := leastCommonMultiple(multiple, 2)
	align := leastCommonMultiple(cell, bandAlign)
	beyond := (reach + cell - 1) / cell * cell
	for count := min(threads, height/bandLeast); count > 1; count-- {
		if threads%count != 0 {
			continue
		}
		step := (height - 2*beyond) / count / align * align
		b := bandLayout{count: count, height: height - (count-1)*step, step: step, cell: cell}
		if step >= bandLeast && float64(count*b.height-height) <= bandExtra*float64(height) {
			return b
		}
	}
	return bandLayout{count: 1, height: height, cell: cell}
}

// filterReach is how many rows the filters around a network look away: those
// of chroma four of their own, which are eight.
const filterReach = 8

// reachOf returns how many rows of the input around a pixel the whole graph
// looks at. Around a luma network the filters of chroma lie beside it, around
// an RGB network before and behind it.
func reachOf(m *Model) int {
	if m.facts.Kind == graph.Luma {
		return max(m.reach, filterReach)
	}
	return m.reach + filterReach
}

func leastCommonMultiple(a, b int) int {
	n := a
	for n%b != 0 {
		n += a
	}
	return n
}

// seam returns the row of the input at which band i takes over from band i-1:
// the middle of what they share, between cells: rows of one cell reach equally
// far, so that none may look further than a seam amidst them allows. Seam 0 is
// the first row and seam count the end.
func (b bandLayout) seam(i int) int {
	switch i {
	case 0:
		return 0
	case b.count:
		return (b.count-1)*b.step + b.height
	default:
		return (i*b.step + ((i-1)*b.step + b.height)) / 2 / b.cell * b.cell
	}
}

// bandThread is the name of the threads that compute bands, so that tools which
// list a process's threads tell what they are for. It begins like those that
// GStreamer names after the queue before the element (pipeline counts on it).
var bandThread = [...]C.char{'u', 'p', 's', 'c', 'a', 'l', 'e', ':', 'b', 'a', 'n', 'd', 0}

// banding runs bands at once, each in a lane of its own.
type banding struct {
	bandLayout
	scale   int
	lanes   []*lane
	results []frame.Frame // what each lane makes, packed
	faults  []error
}

func newBanding(b bandLayout, out frame.Layout, scale int, lanes []*lane) *banding {
	n := &banding{bandLayout: b, scale: scale, lanes: lanes, faults: make([]error, b.count)}
	out.Height = b.height * scale
	for range lanes {
		n.results = append(n.results, frame.New(out, 1))
	}
	return n
}

// run upscales in to out. It starts a goroutine for each band but the first,
// and returns when all have ended.
func (b *banding) run(in, out frame.Frame, strength float32) error {
	var group sync.WaitGroup
	for i := 1; i < b.count; i++ {
		group.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			C.infer_name_thread(&bandThread[0])
			b.faults[i] = b.band(i, in, out, strength)
		})
	}
	b.faults[0] = b.band(0, in, out, strength)
	group.Wait()
	return errors.Join(b.faults...)
}

// band computes band i and copies the rows that are its own to out. No other
// band writes to those.
func (b *banding) band(i int, in, out frame.Frame, strength float32) error {
	result := b.results[i]
	if err := b.lanes[i].compute(rows(in, i*b.step, b.height), result, strength); err != nil {
		return err
	}
	start := i * b.step * b.scale
	from, to := b.seam(i)*b.scale, b.seam(i+1)*b.scale
	target, own := rows(out, from, to-from), rows(result, from-start, to-from)
	for k := range out.Format.Planes() {
		_, n := target.PlaneSize(k)
		frame.CopyRows(target.Planes[k], own.Planes[k], out.RowBytes(k), n)
	}
	return nil
}

// rows returns n rows of f from an even row on, in f's memory. N is even too
// unless the rows are f's last.
func rows(f frame.Frame, from, n int) frame.Frame {
	part := f
	part.Height = n
	for i := range f.Format.Planes() {
		p := planeOf(f.Layout, i)
		part.Planes[i].Data = f.Planes[i].Data[from/p.sub*f.Planes[i].Stride:]
	}
	return part
}
