package graph

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// network puts the model into the graph. x is [1, C, H, W] in float32 with
// white at Facts.Peak, of any size; what comes back is Scale times as large
// and likewise.
func (w *wrapper) network(x value) picture {
	w.stage = "net.in"
	f := w.facts
	height, width := x.shape[2], x.shape[3]
	x = w.pad(x, 0, 0, roundUp(height, f.MultipleH)-height, roundUp(width, f.MultipleW)-width)
	paddedHeight, paddedWidth := x.shape[2]*f.Scale, x.shape[3]*f.Scale

	x = w.toNetwork(x)
	nodes, result := w.model.nodes()
	w.nodes = append(w.nodes, onnxpb.Node("Identity", []string{x.name}, []string{netPrefix + f.Input}))
	w.nodes = append(w.nodes, nodes...)

	c, block := f.Kind.channels(), result.block
	w.stage = "net.out"
	y := picture{value{result.name, f.OutType, []int{1, c * block * block, paddedHeight / block, paddedWidth / block}}, block}
	if f.ChannelsLast {
		y.shape = []int{1, paddedHeight, paddedWidth, c}
	}
	y.value = w.fromNetwork(y.value)
	return y
}

// toNetwork gives x the network's own type and order.
func (w *wrapper) toNetwork(x value) value {
	if w.facts.InType == Uint8 {
		x = w.quantize(x, 1)
	} else {
		x = w.cast(x, w.facts.InType)
	}
	if w.facts.ChannelsLast {
		x = w.transpose(x, 0, 2, 3, 1)
	}
	return x
}

// fromNetwork undoes toNetwork.
func (w *wrapper) fromNetwork(y value) value {
	if w.facts.ChannelsLast {
		y = w.transpose(y, 0, 3, 1, 2)
	}
	return w.cast(y, Float32)
}

// result is the value that a network's nodes end with. With block above 1 it
// is what DepthToSpace of that blocksize would make the output of.
type result struct {
	name  string
	block int
}

// nodes returns the network's nodes and what they end with. A DepthToSpace at
// the end is taken off: the wrapping shuffles the pixels itself once they are
// bytes, which moves a quarter of the memory (docs/decisions/0005).
func (m *Model) nodes() ([]*onnxpb.NodeProto, result) {
	g := m.proto.Graph
	output := g.Output[0].GetName()
	whole := result{output, 1}
	if len(subgraphs(g)) > 0 {
		return g.Node, whole // a body might read the output too
	}
	last := -1
	for i, n := range g.Node {
		for _, in := range n.Input {
			if in == output {
				return g.Node, whole
			}
		}
		if len(n.Output) == 1 && n.Output[0] == output {
			last = i
		}
	}
	if last < 0 {
		return g.Node, whole
	}
	block, ok := shuffle(g.Node[last])
	if !ok {
		return g.Node, whole
	}
	nodes := append(append([]*onnxpb.NodeProto{}, g.Node[:last]...), g.Node[last+1:]...)
	return nodes, result{g.Node[last].Input[0], block}
}

// shuffle returns the blocksize of a DepthToSpace that counts the channels of
// a pixel fastest (mode DCR).
func shuffle(n *onnxpb.NodeProto) (block int, ok bool) {
	if n.GetOpType() != "DepthToSpace" || !defaultDomain(n.GetDomain()) || len(n.Input) != 1 {
		return 0, false
	}
	for _, a := range n.Attribute {
		switch a.GetName() {
		case "blocksize":
			block = int(a.GetI())
		case "mode":
			if string(a.S) != "DCR" {
				return 0, false
			}
		}
	}
	return block, block > 1
}

// mixed mixes the network's y with the enlarged x when the plan says so: it
// adds the network's output times the strength and what the filter makes of x
// times the rest, as x is several times smaller than what comes of it. Both
// are of float32 and of the frame's size.
func (w *wrapper) mixed(x value, y picture) picture {
	if !w.plan.Mix {
		return y
	}
	w.stage = "mix"
	channels, height, width := x.shape[1], x.shape[2], x.shape[3]
	axis := lumaAxis(w.facts.Scale)
	rest := w.add("Sub", Float32, nil, []string{w.scalar("one", 1), w.strength.name})
	x = w.reshape(w.arithmetic("Mul", x, rest), channels, 1, height, width)
	cubic := w.resample(x, axis, axis, w.blockLike(y))
	if !slices.Equal(cubic.shape, y.shape) {
		height, width = height*w.facts.Scale, width*w.facts.Scale
		cubic, y = w.flat(cubic, height, width), w.flat(y, height, width)
		cubic.value = w.reshape(cubic.value, 1, channels, height, width)
	}
	net := w.arithmetic("Mul", y.value, w.strength)
	return picture{w.arithmetic("Add", net, cubic.value), y.block}
}

// blockLike returns the size of the input blocks for which an enlargement has
// its pixels in the channels as y has, else the fastest.
func (w *wrapper) blockLike(y picture) int {
	if y.block > 1 && y.block%w.facts.Scale == 0 {
		return y.block / w.facts.Scale
	}
	return blockFor(w.facts.Scale)
}

// flat moves all pixels of y out of the channels and crops it.
func (w *wrapper) flat(y picture, height, width int) picture {
	return picture{w.crop(w.pixels(y.value, y.block), height, width), 1}
}

// encode returns the file: the nodes so far, folded, with the network's own constants,
// functions and operator sets.
func (w *wrapper) encode() ([]byte, error) {
	old := w.model.proto
	networkConstants := w.fold()
	g := &onnxpb.GraphProto{
		Name:              proto.String("upscaled"),
		Node:              w.nodes,
		Initializer:       slices.Concat(w.constants, networkConstants),
		SparseInitializer: old.Graph.SparseInitializer,
	}
	for _, t := range w.inputs {
		g.Input = append(g.Input, t.info())
	}
	for _, t := range w.outputs {
		g.Output = append(g.Output, t.info())
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(&onnxpb.ModelProto{
		IrVersion:    proto.Int64(max(old.GetIrVersion(), constantsOutsideInputs)),
		OpsetImport:  w.operatorSets(),
		ProducerName: proto.String("upscaled"),
		Functions:    old.Functions,
		Graph:        g,
	})
}

// operatorSets returns the network's own and ONNX Runtime's.
func (w *wrapper) operatorSets() []*onnxpb.OperatorSetIdProto {
	sets := w.model.proto.OpsetImport
	for _, s := range sets {
		if s.GetDomain() == runtimeDomain {
			return sets
		}
	}
	return append(slices.Clone(sets), &onnxpb.OperatorSetIdProto{
		Domain: proto.String(runtimeDomain), Version: proto.Int64(1),
	})
}

// constantsOutsideInputs is the first version of the format in which constants
// need not be listed among the inputs.
const constantsOutsideInputs = 4

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
