package graph_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// factsOf returns what running the model of a spec would find.
func factsOf(t testing.TB, m *graph.Model, s testonnx.Spec) graph.Facts {
	t.Helper()
	sig, err := m.Signature()
	must(t, err)
	f := graph.Facts{Signature: sig, Kind: graph.Luma, Scale: max(s.Scale, 1), Peak: 1, MultipleW: max(s.Multiple, 1), MultipleH: max(s.Multiple, 1)}
	if s.Channels == 3 {
		f.Kind = graph.RGB
	}
	if s.Peak == 255 || s.Type == testonnx.Uint8 {
		f.Peak = 255
	}
	return f
}

// wrap wraps the model of a spec for a frame.
func wrap(t testing.TB, data []byte, s testonnx.Spec, in frame.Layout, mix bool) (*graph.Wrapped, graph.Plan) {
	t.Helper()
	m, err := graph.Parse(data)
	must(t, err)
	p := graph.Plan{In: in, Out: in.Scaled(max(s.Scale, 1)), Mix: mix}
	w, err := graph.Wrap(m, factsOf(t, m, s), p)
	must(t, err)
	return w, p
}

// fill gives every sample of f a code value from a seed, all of the depth's
// code values among them.
func fill(f frame.Frame, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range f.Format.Planes() {
		samples, rows := f.PlaneSize(i)
		for r := range rows {
			for s := range samples {
				setCode(f, i, r, s, random.IntN(1<<f.Format.Bits()))
			}
		}
	}
}

// code returns sample s of row r of plane i.
func code(f frame.Frame, i, r, s int) int {
	p := f.Planes[i]
	if f.Format.SampleBytes() == 1 {
		return int(p.Data[r*p.Stride+s])
	}
	return int(binary.LittleEndian.Uint16(p.Data[r*p.Stride+2*s:]) >> f.Format.Shift())
}

func setCode(f frame.Frame, i, r, s, code int) {
	p := f.Planes[i]
	if f.Format.SampleBytes() == 1 {
		p.Data[r*p.Stride+s] = byte(code)
		return
	}
	binary.LittleEndian.PutUint16(p.Data[r*p.Stride+2*s:], uint16(code<<f.Format.Shift()))
}

// TestNothingIsLost runs networks that only repeat pixels. Luma networks must
// leave every code value of Y as it was, RGB networks those of R, G and B.
func TestNothingIsLost(t *testing.T) {
	specs := map[string]testonnx.Spec{
		"identity":        {},
		"nearest 2":       {Scale: 2},
		"nearest 3":       {Scale: 3},
		"nearest 4":       {Scale: 4},
		"channels last":   {Scale: 2, ChannelsLast: true},
		"fp16":            {Scale: 2, Type: testonnx.Float16},
		"fp16 of 255":     {Scale: 2, Type: testonnx.Float16, Peak: 255},
		"uint8":           {Scale: 2, Type: testonnx.Uint8},
		"peak 255":        {Scale: 3, Peak: 255},
		"multiple 4":      {Scale: 2, Multiple: 4},
		"fixed":           {Scale: 2, Width: 37, Height: 21},
		"new opset":       {Scale: 2, Opset: graph.MaxOpset},
		"old opset":       {Scale: 2, Opset: graph.MinOpset},
		"rgb":             {Channels: 3},
		"rgb 2":           {Channels: 3, Scale: 2},
		"rgb 4 multiple":  {Channels: 3, Scale: 4, Multiple: 8},
		"rgb last fp16":   {Channels: 3, Scale: 2, Type: testonnx.Float16, ChannelsLast: true},
		"rgb last uint8":  {Channels: 3, Scale: 3, Type: testonnx.Uint8, ChannelsLast: true},
		"rgb peak 255 11": {Channels: 3, Scale: 2, Peak: 255, Opset: 11},
	}
	for name, spec := range specs {
		for _, format := range frame.Formats() {
			if spec.Channels == 3 && format != frame.RGB || format == frame.RGB && spec.Type == testonnx.Uint8 && spec.Channels != 3 {
				continue // these round on their way: compared with a reference elsewhere
			}
			if spec.Type == testonnx.Uint8 && format.Bits() > 8 {
				continue // 8 of the 10 bits are all that the network sees
			}
			t.Run(fmt.Sprintf("%s %s", name, format), func(t *testing.T) {
				in := frame.Layout{Format: format, Width: 37, Height: 21}
				w, p := wrap(t, spec.Nearest(), spec, in, false)
				r := newRunner(t, w, p, 1)
				fill(r.in, 7)
				r.run(t)
				scale, planes, channels := max(spec.Scale, 1), 1, 1
				if format == frame.RGB {
					channels = 3
				}
				if scale == 1 {
					planes = format.Planes()
				}
				if spec.Channels != 3 && format == frame.RGB && scale > 1 {
					return // colour is enlarged by a filter; only Y is the network's
				}
				for i := range planes {
					samples, rows := p.Out.PlaneSize(i)
					for y := range rows {
						for s := range samples {
							x := s / channels
							want := code(r.in, i, y/scale, x/scale*channels+s%channels)
							if got := code(r.out, i, y, s); got != want {
								t.Fatalf("plane %d, row %d, sample %d: got %d, want %d", i, y, s, got, want)
							}
						}
					}
				}
			})
		}
	}
}
