package testonnx

import (
	"fmt"
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// Identity returns a network whose output is its input. Scale must be 1.
func (s Spec) Identity() []byte {
	if s.Scale > 1 {
		panic("testonnx: an identity has scale 1")
	}
	return open(s).close()
}

// Nearest returns a network that repeats every pixel Scale times each way.
func (s Spec) Nearest() []byte {
	m := open(s)
	m.nearest()
	return m.close()
}

func (m *model) nearest() {
	if m.Scale == 1 {
		return
	}
	copies := make([]string, m.Scale*m.Scale-1)
	for i := range copies {
		copies[i] = m.last
	}
	m.apply("Concat", "copies", copies, onnxpb.Attribute("axis", 1))
	m.apply("DepthToSpace", "repeated", nil, onnxpb.Attribute("blocksize", m.Scale))
}

// Conv returns a network that is one 3x3 convolution with zero padding, then a
// pixel shuffle by Scale. Weights are [Scale·Scale·Channels, Channels, 3, 3]
// and bias one for each of the first dimension, which counts the channels
// fastest: output channel c of the pixel at (x, y) in its block is
// (y·Scale + x)·Channels + c.
func (s Spec) Conv(weights, bias []float32) []byte {
	m := open(s)
	out := m.Scale * m.Scale * m.Channels
	if len(weights) != out*m.Channels*9 || len(bias) != out {
		panic(fmt.Sprintf("testonnx: %d weights and %d biases for %d to %d channels", len(weights), len(bias), m.Channels, out))
	}
	m.conv("conv", m.Channels, weights, bias)
	if m.Scale > 1 {
		m.apply("DepthToSpace", "pixels", nil, onnxpb.Attribute("blocksize", m.Scale))
	}
	return m.close()
}

func (m *model) conv(name string, in int, weights, bias []float32) {
	kind, out := m.inner(), len(bias)
	m.apply("Conv", name, []string{
		m.tensor(name+".weight", kind, weights, int64(out), int64(in), 3, 3),
		m.tensor(name+".bias", kind, bias, int64(out)),
	}, onnxpb.Attribute("pads", []int{1, 1, 1, 1}))
}

// Gain returns a network that multiplies every value by gain and adds offset
// (in the units of the input), then repeats pixels as Nearest does.
func (s Spec) Gain(gain, offset float32) []byte {
	m := open(s)
	m.apply("Mul", "scaled", []string{m.constant("gain", m.inner(), gain)})
	m.apply("Add", "shifted", []string{m.constant("offset", m.inner(), offset)})
	m.nearest()
	return m.close()
}

// NaN returns a network that gives NaN for every pixel.
func (s Spec) NaN() []byte {
	return s.Gain(1, float32(math.NaN()))
}

// Swift returns a luma 2x network with the shape of the embedded default
// model and random weights: unshuffle by 2, three 3x3 convolutions of 16
// channels with ReLU, a linear one over them plus one over the cells, shuffle
// by 4.
func Swift() []byte {
	m := open(Spec{Scale: 2})
	random := rand.New(rand.NewPCG(1, 2))
	weights := func(out, in int) []float32 {
		w := make([]float32, out*in*9)
		for i := range w {
			w[i] = float32(random.NormFloat64() / math.Sqrt(float64(9*in)))
		}
		return w
	}
	m.apply("SpaceToDepth", "cells", nil, onnxpb.Attribute("blocksize", 2))
	for i, in := range []int{4, 16, 16} {
		m.conv(fmt.Sprint("conv", i), in, weights(16, in), make([]float32, 16))
		m.apply("Relu", fmt.Sprint("act", i), nil)
	}
	m.conv("tail", 16, weights(16, 16), make([]float32, 16))
	detail := m.last
	m.last = "cells"
	m.conv("skip", 4, weights(16, 4), make([]float32, 16))
	m.apply("Add", "pixels", []string{detail})
	// The shuffle is the last node, as in the trained model.
	m.graph.Node = append(m.graph.Node, onnxpb.Node("DepthToSpace", []string{m.last}, []string{Output}, onnxpb.Attribute("blocksize", 4)))
	m.graph.Output = []*onnxpb.ValueInfoProto{onnxpb.Value(Output, Float32, m.shape(2)...)}
	return file(m.graph, m.Opset)
}

// Case is a file that a program must refuse.
type Case struct {
	Name string
	Data []byte
}

// Wrong returns files that are no network from one image to one image. Each
// but the first ones is well-formed ONNX.
func Wrong() []Case {
	good := Spec{}.Identity()
	image := onnxpb.Value(Input, Float32, 1, 1, "height", "width")
	result := onnxpb.Value(Output, Float32, 1, 1, "height", "width")
	net := func(inputs, outputs []*onnxpb.ValueInfoProto, nodes ...*onnxpb.NodeProto) []byte {
		return file(&onnxpb.GraphProto{Name: proto.String("wrong"), Input: inputs, Output: outputs, Node: nodes}, 17)
	}
	one := func(in, out *onnxpb.ValueInfoProto) []byte {
		return net([]*onnxpb.ValueInfoProto{in}, []*onnxpb.ValueInfoProto{out},
			onnxpb.Node("Identity", []string{in.GetName()}, []string{out.GetName()}))
	}
	same := func(t onnxpb.TensorProto_DataType, dims ...any) []byte {
		return one(onnxpb.Value(Input, t, dims...), onnxpb.Value(Output, t, dims...))
	}
	return []Case{
		{"empty", nil},
		{"garbage", []byte("this is not a model, whatever its name says")},
		{"truncated", good[:len(good)*2/3]},
		{"no-graph", func() []byte {
			data, _ := proto.Marshal(&onnxpb.ModelProto{IrVersion: proto.Int64(8)})
			return data
		}()},
		{"no-input", net(nil, []*onnxpb.ValueInfoProto{result})},
		{"no-output", net([]*onnxpb.ValueInfoProto{image}, nil)},
		{"two-inputs", net([]*onnxpb.ValueInfoProto{image, onnxpb.Value("noise", Float32, 1, 1, "height", "width")},
			[]*onnxpb.ValueInfoProto{result}, onnxpb.Node("Add", []string{Input, "noise"}, []string{Output}))},
		{"two-outputs", net([]*onnxpb.ValueInfoProto{image},
			[]*onnxpb.ValueInfoProto{result, onnxpb.Value("again", Float32, 1, 1, "height", "width")},
			onnxpb.Node("Identity", []string{Input}, []string{Output}),
			onnxpb.Node("Identity", []string{Input}, []string{"again"}))},
		{"rank-3", same(Float32, 1, "height", "width")},
		{"four-channels", same(Float32, 1, 4, "height", "width")},
		{"luma-to-rgb", one(image, onnxpb.Value(Output, Float32, 1, 3, "height", "width"))},
		{"batch-of-two", same(Float32, 2, 1, "height", "width")},
		{"int64", same(onnxpb.Int64, 1, 1, "height", "width")},
		{"shrinks", one(onnxpb.Value(Input, Float32, 1, 1, 64, 64), onnxpb.Value(Output, Float32, 1, 1, 32, 32))},
		{"external-data", externalData()},
		{"opset-7", Spec{Opset: 7}.Identity()},
		{"opset-99", Spec{Opset: 99}.Identity()},
	}
}

// externalData returns a model whose weights lie in another file.
func externalData() []byte {
	m := open(Spec{})
	gain := &onnxpb.TensorProto{
		Name: proto.String("gain"), DataType: proto.Int32(int32(Float32)),
		DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: proto.String("weights.bin")}},
	}
	m.graph.Initializer = append(m.graph.Initializer, gain)
	m.apply("Mul", "scaled", []string{"gain"})
	return m.close()
}
