package graph

import (
	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// Tensor is an input or output of a wrapped graph.
type Tensor struct {
	Name string
	Type ElemType // Uint8 or Uint16 of a plane, Float32 of the strength
	// Shape of an input plane is [rows, samples in a row]. That of an output
	// plane holds as many samples in the same order, but may count rows and
	// samples in blocks. The strength has no dimensions.
	Shape []int64
}

func (t Tensor) info() *onnxpb.ValueInfoProto {
	dims := make([]any, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = d
	}
	return onnxpb.Value(t.Name, t.Type.onnx(), dims...)
}

// Wrapped is a graph from the planes of a frame to those of the enlarged one.
// Each plane is a tensor as its packed rows lie in memory.
type Wrapped struct {
	ONNX    []byte
	Inputs  []Tensor // the planes of Plan.In in order, then StrengthInput if mixing
	Outputs []Tensor // the planes of Plan.Out in order
}

// Wrap makes a graph that runs m on frames of the plan's layout, with every
// conversion between them inside. Facts are not checked against the model
// beyond what its signature says. The error wraps ErrPlan.
func Wrap(m *Model, f Facts, p Plan) (*Wrapped, error) {
	if err := p.check(f); err != nil {
		return nil, err
	}
	w := &wrapper{
		builder: builder{opset: m.opset, names: map[string]int{}},
		model:   m, facts: f, plan: p,
		in: depthOf(p.In.Format),
	}
	w.open()
	switch {
	case f.Kind == Luma && p.In.Format.Subsampled():
		w.lumaOfYUV()
	case f.Kind == Luma:
		w.lumaOfRGB()
	case p.In.Format.Subsampled():
		w.rgbOfYUV()
	default:
		w.rgbOfRGB()
	}
	data, err := w.encode()
	if err != nil {
		return nil, err
	}
	return &Wrapped{ONNX: data, Inputs: w.inputs, Outputs: w.outputs}, nil
}

// wrapper is the construction of one wrapped graph.
type wrapper struct {
	builder
	model    *Model
	facts    Facts
	plan     Plan
	in       depth   // of the planes at both ends
	planes   []value // the input planes as they lie in memory
	strength value   // with Plan.Mix
	inputs   []Tensor
	outputs  []Tensor
}

// open declares the inputs and outputs.
func (w *wrapper) open() {
	for i, name := range planeNames(w.plan.In.Format) {
		samples, rows := w.plan.In.PlaneSize(i)
		w.planes = append(w.planes, value{name, w.in.elem(), []int{rows, samples}})
		w.inputs = append(w.inputs, Tensor{name, w.in.elem(), []int64{int64(rows), int64(samples)}})
		samples, rows = w.plan.Out.PlaneSize(i)
		w.outputs = append(w.outputs, Tensor{name + ".out", w.in.elem(), []int64{int64(rows), int64(samples)}})
	}
	if w.plan.Mix {
		w.strength = value{StrengthInput, Float32, nil}
		w.inputs = append(w.inputs, Tensor{StrengthInput, Float32, []int64{}})
	}
}

func planeNames(f frame.Format) []string {
	switch {
	case f == frame.RGB:
		return []string{"RGB"}
	case f.Planes() == 2:
		return []string{"Y", "UV"}
	default:
		return []string{"Y", "U", "V"}
	}
}

// lumaOfYUV runs a luma network on Y and enlarges chroma by a bicubic filter.
func (w *wrapper) lumaOfYUV() {
	w.stage = "luma.in"
	x := w.mul(w.load(w.planes[0], 1), w.facts.Peak/w.in.white())
	y := w.mixed(x, w.network(x))
	w.stage = "luma.out"
	w.store(y, w.facts.Peak/w.in.whiteCode(), 0)

	w.stage = "chroma"
	if w.facts.Scale == 1 {
		for i, plane := range w.planes[1:] {
			w.output(plane, 1+i)
		}
		return
	}
	h, v := chromaAxes(w.facts.Scale, w.plan.In.Site)
	chroma := w.resample(w.loadChroma(), h, v, blockFor(w.facts.Scale))
	w.store(chroma, w.in.step(), 1)
}
