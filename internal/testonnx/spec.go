package testonnx

import (
	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// The element types that a Spec may have at its input and output.
const (
	Float32 = onnxpb.Float
	Float16 = onnxpb.Float16
	Uint8   = onnxpb.Uint8
)

// Spec says how a model looks from outside. The zero value is a luma network
// at 1x with float32 values, channels first and a dynamic size.
type Spec struct {
	Channels     int                         // 1 (luma) or 3 (RGB); 0 is 1
	Scale        int                         // 0 is 1
	Type         onnxpb.TensorProto_DataType // of input and output; 0 is Float32
	ChannelsLast bool                        // [N, H, W, C] instead of [N, C, H, W]
	Width        int                         // 0 is dynamic
	Height       int                         // 0 is dynamic
	Multiple     int                         // the network fails at sizes that it does not divide; 0 is 1
	Peak         float64                     // the output is clipped to 0..Peak; 0 leaves it as it is
	Opset        int                         // 0 is 17
	SameNames    bool                        // the output's size has the symbols of the input's, whatever the scale
}

// The names of every model's input and output.
const (
	Input  = "image"
	Output = "upscaled"
)

func (s Spec) withDefaults() Spec {
	for _, d := range []struct {
		field *int
		value int
	}{{&s.Channels, 1}, {&s.Scale, 1}, {&s.Multiple, 1}, {&s.Opset, 17}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.Type == 0 {
		s.Type = Float32
	}
	return s
}

// model collects the nodes of one network, in float32 and channels first
// between open and close whatever the Spec says of its ends.
type model struct {
	Spec
	graph *onnxpb.GraphProto
	last  string // the value that the next node reads
}

func open(s Spec) *model {
	m := &model{Spec: s.withDefaults(), graph: &onnxpb.GraphProto{Name: proto.String("test")}, last: Input}
	m.graph.Input = []*onnxpb.ValueInfoProto{onnxpb.Value(Input, m.Type, m.shape(1)...)}
	if m.Type == Uint8 {
		m.apply("Cast", "opened", nil, onnxpb.Attribute("to", Float32))
	}
	if m.ChannelsLast {
		m.apply("Transpose", "planar", nil, onnxpb.Attribute("perm", []int{0, 3, 1, 2}))
	}
	if m.Multiple > 1 {
		m.apply("SpaceToDepth", "unshuffled", nil, onnxpb.Attribute("blocksize", m.Multiple))
		m.apply("DepthToSpace", "shuffled", nil, onnxpb.Attribute("blocksize", m.Multiple))
	}
	return m
}

// close ends the network and returns the file.
func (m *model) close() []byte {
	if m.Peak > 0 {
		kind := m.inner()
		m.apply("Clip", "clipped", []string{m.constant("black", kind, 0), m.constant("white", kind, float32(m.Peak))})
	}
	if m.ChannelsLast {
		m.apply("Transpose", "packed", nil, onnxpb.Attribute("perm", []int{0, 2, 3, 1}))
	}
	switch {
	case m.Type == Uint8:
		m.apply("Cast", Output, nil, onnxpb.Attribute("to", Uint8))
	case m.last == Input:
		m.apply("Identity", Output, nil)
	default:
		m.graph.Node[len(m.graph.Node)-1].Output[0] = Output
	}
	m.graph.Output = []*onnxpb.ValueInfoProto{onnxpb.Value(Output, m.Type, m.shape(m.Scale)...)}
	return file(m.graph, m.Opset)
}

// inner is the element type between open and close.
func (m *model) inner() onnxpb.TensorProto_DataType {
	if m.Type == Uint8 {
		return Float32
	}
	return m.Type
}

// apply adds a node that reads the last value and the further inputs.
func (m *model) apply(op, output string, inputs []string, attributes ...*onnxpb.AttributeProto) {
	m.graph.Node = append(m.graph.Node, onnxpb.Node(op, append([]string{m.last}, inputs...), []string{output}, attributes...))
	m.last = output
}

// constant adds a scalar of the element type kind (Float32 or Float16).
func (m *model) constant(name string, kind onnxpb.TensorProto_DataType, v float32) string {
	return m.tensor(name, kind, []float32{v})
}

// tensor adds weights of the element type kind, by a Cast where it is not
// float32.
func (m *model) tensor(name string, kind onnxpb.TensorProto_DataType, v []float32, dims ...int64) string {
	m.graph.Initializer = append(m.graph.Initializer, onnxpb.Floats(name, v, dims...))
	if kind == Float32 {
		return name
	}
	m.graph.Node = append(m.graph.Node, onnxpb.Node("Cast", []string{name}, []string{name + ".cast"}, onnxpb.Attribute("to", kind)))
	return name + ".cast"
}

// shape returns the dimensions of the input (scale 1) or the output.
func (m *model) shape(scale int) []any {
	side := func(n int, symbol string) any {
		switch {
		case n > 0:
			return n * scale
		case scale == 1 || m.SameNames:
			return symbol
		default:
			return "upscaled_" + symbol
		}
	}
	h, w := side(m.Height, "height"), side(m.Width, "width")
	if m.ChannelsLast {
		return []any{1, h, w, m.Channels}
	}
	return []any{1, m.Channels, h, w}
}

// file encodes a graph as a model of the given opset.
func file(g *onnxpb.GraphProto, opset int) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&onnxpb.ModelProto{
		IrVersion:    proto.Int64(8),
		ProducerName: proto.String("testonnx"),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(int64(opset))}},
		Graph:        g,
	})
	if err != nil {
		panic(err) // the message is built here and always complete
	}
	return data
}
