package infer

import (
	"fmt"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// side is the input or the output of a session: how the planes of a frame
// become its tensors.
type side struct {
	layout  frame.Layout
	tensors []graph.Tensor
	views   []view      // of the call in progress; the slice is kept
	staging frame.Frame // packed; planes are made when a frame first needs them
}

func newSide(l frame.Layout, tensors []graph.Tensor) (*side, error) {
	if len(tensors) != l.Format.Planes() {
		return nil, fmt.Errorf("%d tensors for the %d planes of %s", len(tensors), l.Format.Planes(), l.Format)
	}
	return &side{layout: l, tensors: tensors, views: make([]view, len(tensors)), staging: frame.Frame{Layout: l}}, nil
}

// direct reports whether plane i of f can be a tensor where it lies: its rows
// without gaps, its words aligned.
func direct(f frame.Frame, i int) bool {
	// Valid: the pointer becomes a number and is not turned back.
	address := uintptr(unsafe.Pointer(unsafe.SliceData(f.Planes[i].Data)))
	return f.Packed(i) && address%uintptr(f.Format.SampleBytes()) == 0
}

// view returns the tensors over f's memory, and over staging memory for the
// planes that cannot be used where they lie. The memory of f is only borrowed.
func (s *side) view(f frame.Frame) []view {
	for i, t := range s.tensors {
		p := f.Planes[i]
		if !direct(f, i) {
			p = s.stage(i)
		}
		_, rows := s.layout.PlaneSize(i)
		s.views[i] = view{Tensor: t, data: p.Data[:rows*s.layout.RowBytes(i)]}
	}
	return s.views
}

// stage returns the staging memory of plane i.
func (s *side) stage(i int) frame.Plane {
	p := &s.staging.Planes[i]
	if p.Data == nil {
		_, rows := s.layout.PlaneSize(i)
		p.Stride = s.layout.RowBytes(i)
		p.Data = make([]byte, p.Stride*rows)
	}
	return *p
}

// fill copies the planes of f that are staged into their staging memory.
func (s *side) fill(f frame.Frame) {
	for i := range s.tensors {
		if !direct(f, i) {
			_, rows := s.layout.PlaneSize(i)
			frame.CopyRows(s.stage(i), f.Planes[i], s.layout.RowBytes(i), rows)
		}
	}
}

// drain copies the staging memory of the planes of f that are staged to f.
func (s *side) drain(f frame.Frame) {
	for i := range s.tensors {
		if !direct(f, i) {
			_, rows := s.layout.PlaneSize(i)
			frame.CopyRows(f.Planes[i], s.stage(i), s.layout.RowBytes(i), rows)
		}
	}
}

// forget drops the views, so that no frame's memory is held between calls.
func (s *side) forget() { clear(s.views) }
