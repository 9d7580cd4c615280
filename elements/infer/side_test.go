package infer

import (
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// copyEngine gives its input as its output.
type copyEngine struct{}

func (copyEngine) run(in, out []view, _ float32) error {
	for i := range in {
		copy(out[i].data, in[i].data)
	}
	return nil
}

func (copyEngine) close() error { return nil }

// FuzzLane takes frames with any gaps between rows, any slack behind them and
// at any address through a lane, whole and by rows.
func FuzzLane(f *testing.F) {
	f.Add(uint8(0), uint8(33), uint8(21), uint8(0), uint8(3), uint8(1))
	f.Add(uint8(3), uint8(1), uint8(1), uint8(7), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, format, width, height, gap, slack, offset uint8) {
		formats := frame.Formats()
		l := frame.Layout{Format: formats[int(format)%len(formats)], Width: int(width)%70 + 1, Height: int(height)%70 + 1}
		in, out := loose(l, int(gap), int(slack), int(offset)), loose(l, int(slack), int(gap), int(offset)/2)
		scatter(in)
		for i := range out.Format.Planes() {
			for k := range out.Planes[i].Data {
				out.Planes[i].Data[k] = 0xcc
			}
		}
		var w graph.Wrapped
		for i := range l.Format.Planes() {
			samples, rows := l.PlaneSize(i)
			w.Inputs = append(w.Inputs, graph.Tensor{Type: graph.Uint8, Shape: []int64{int64(rows), int64(samples)}})
		}
		w.Outputs = w.Inputs
		lane, err := newLane(copyEngine{}, graph.Plan{In: l, Out: l}, &w)
		if err != nil {
			t.Fatal(err)
		}
		if err := lane.compute(in, out, 1); err != nil {
			t.Fatal(err)
		}
		if at := differs(out, in); at != "" {
			t.Fatal(at)
		}
		gaps(t, out)
		part := rows(in, (l.Height-1)&^1, l.Height-(l.Height-1)&^1)
		if err := part.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// loose returns a frame with gap bytes between rows, slack bytes behind the
// last, and planes that start offset bytes into their memory.
func loose(l frame.Layout, gap, slack, offset int) frame.Frame {
	f := frame.Frame{Layout: l}
	for i := range l.Format.Planes() {
		_, n := l.PlaneSize(i)
		row := l.RowBytes(i)
		data := make([]byte, offset+n*(row+gap)-gap+slack)
		f.Planes[i] = frame.Plane{Data: data[offset:], Stride: row + gap}
	}
	return f
}

func TestLaneRefusesOtherTensors(t *testing.T) {
	l := frame.Layout{Format: frame.NV12, Width: 8, Height: 8}
	for name, w := range map[string]graph.Wrapped{
		"one input":  {Inputs: make([]graph.Tensor, 1), Outputs: make([]graph.Tensor, 2)},
		"no outputs": {Inputs: make([]graph.Tensor, 2)},
	} {
		if _, err := newLane(copyEngine{}, graph.Plan{In: l, Out: l}, &w); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
