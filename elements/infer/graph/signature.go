package graph

import (
	"fmt"
	"strings"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// Signature is what a model's graph says of its image input and output.
type Signature struct {
	Input, Output string // names of the values
	InType        ElemType
	OutType       ElemType
	ChannelsLast  bool // [N, H, W, C] instead of [N, C, H, W]
	InChannels    int  // 1 or 3; 0 is symbolic
	OutChannels   int  // 1 or 3; 0 is symbolic
	Width, Height int  // of the input; 0 is dynamic
	OutWidth      int  // 0 is dynamic
	OutHeight     int  // 0 is dynamic
}

// Signature reads the model's input and output. The error wraps ErrSignature
// and says in a sentence what is wrong with the model.
func (m *Model) Signature() (Signature, error) {
	in, err := m.image("input", m.imageInputs())
	if err != nil {
		return Signature{}, err
	}
	out, err := m.image("output", m.proto.Graph.Output)
	if err != nil {
		return Signature{}, err
	}
	if out.shape == nil { // left for the runtime to infer
		out.shape = []int64{0, 0, 0, 0}
	}
	if in.shape == nil {
		return Signature{}, fmt.Errorf("%w: its input %q has no shape", ErrSignature, in.name)
	}
	for _, i := range []image{in, out} {
		if i.shape[0] > 1 {
			return Signature{}, fmt.Errorf("%w: %q is fixed to %d images at once", ErrSignature, i.name, i.shape[0])
		}
	}
	s := Signature{
		Input: in.name, Output: out.name, InType: in.elem, OutType: out.elem,
		ChannelsLast: channelsLast(in.shape, out.shape),
	}
	s.InChannels, s.Height, s.Width = sides(in.shape, s.ChannelsLast)
	s.OutChannels, s.OutHeight, s.OutWidth = sides(out.shape, s.ChannelsLast)
	return s, s.check()
}

// image is one end of a network.
type image struct {
	name  string
	elem  ElemType
	shape []int64 // 4 dimensions with 0 for a symbol, or nil when none is given
}

// imageInputs returns the inputs that are to be fed: in old files constants
// are listed among them.
func (m *Model) imageInputs() []*onnxpb.ValueInfoProto {
	constant := map[string]bool{}
	for _, t := range m.proto.Graph.Initializer {
		constant[t.GetName()] = true
	}
	for _, s := range m.proto.Graph.SparseInitializer {
		constant[s.GetValues().GetName()] = true
	}
	var inputs []*onnxpb.ValueInfoProto
	for _, v := range m.proto.Graph.Input {
		if !constant[v.GetName()] {
			inputs = append(inputs, v)
		}
	}
	return inputs
}

// image reads the one value of an end, "input" or "output".
func (m *Model) image(end string, values []*onnxpb.ValueInfoProto) (image, error) {
	if len(values) != 1 {
		names := make([]string, len(values))
		for i, v := range values {
			names[i] = shown(v.GetName())
		}
		return image{}, fmt.Errorf("%w: it has %d %ss (%s) where one image is needed",
			ErrSignature, len(values), end, strings.Join(names, ", "))
	}
	name := shown(values[0].GetName())
	tensor := values[0].GetType().GetTensorType()
	if tensor == nil {
		return image{}, fmt.Errorf("%w: its %s %q is not a tensor", ErrSignature, end, name)
	}
	kind := onnxpb.TensorProto_DataType(tensor.GetElemType())
	elem, ok := networkType(kind)
	if !ok {
		return image{}, fmt.Errorf("%w: its %s %q has values of type %s; float32, float16 and uint8 are taken",
			ErrSignature, end, name, strings.ToLower(kind.String()))
	}
	if tensor.Shape == nil {
		return image{name: name, elem: elem}, nil
	}
	shape := make([]int64, len(tensor.Shape.Dim))
	for i, d := range tensor.Shape.Dim {
		if v, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
			shape[i] = max(v.DimValue, 0) // some exporters write -1 for dynamic
		}
	}
	if len(shape) != 4 {
		return image{}, fmt.Errorf("%w: its %s %q has %d dimensions; an image has 4 (N, C, H, W)",
			ErrSignature, end, name, len(shape))
	}
	return image{name, elem, shape}, nil
}

// channelsLast decides where the channels are: last when only the last
// dimension of the input, or else of the output, can be a number of channels.
func channelsLast(in, out []int64) bool {
	for _, shape := range [][]int64{in, out} {
		if first, last := isChannels(shape[1]), isChannels(shape[3]); first != last {
			return last
		}
	}
	return false
}

func isChannels(n int64) bool { return n == 1 || n == 3 }

func sides(shape []int64, channelsLast bool) (channels, height, width int) {
	if channelsLast {
		return int(shape[3]), int(shape[1]), int(shape[2])
	}
	return int(shape[1]), int(shape[2]), int(shape[3])
}

func (s Signature) check() error {
	for _, c := range []int{s.InChannels, s.OutChannels} {
		if c != 0 && !isChannels(int64(c)) {
			return fmt.Errorf("%w: its images have %d channels; 1 (luma) and 3 (RGB) are taken", ErrSignature, c)
		}
	}
	if s.InChannels != 0 && s.OutChannels != 0 && s.InChannels != s.OutChannels {
		return fmt.Errorf("%w: it makes %d channels of %d", ErrSignature, s.OutChannels, s.InChannels)
	}
	scale := 0
	for _, side := range [][2]int{{s.Width, s.OutWidth}, {s.Height, s.OutHeight}} {
		in, out := side[0], side[1]
		if in == 0 || out == 0 {
			continue
		}
		if out%in != 0 || out/in > MaxScale || scale != 0 && out/in != scale {
			return fmt.Errorf("%w: it makes %dx%d of %dx%d, which is no scale from 1 to %d",
				ErrSignature, s.OutWidth, s.OutHeight, s.Width, s.Height, MaxScale)
		}
		scale = out / in
	}
	return nil
}
