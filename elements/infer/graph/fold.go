package graph

import (
	"encoding/binary"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// folding takes nodes off a graph that only scale or rearrange what
// convolutions read, and writes what they do into the weights: a pass over the
// picture less for each (docs/decisions/0005). Nodes and constants that it
// changes are replaced, never written to: the model's are shared.
type folding struct {
	nodes     []*onnxpb.NodeProto
	constants map[string]*onnxpb.TensorProto
	kept      map[string]bool // values that somebody outside the nodes reads
	added     []*onnxpb.TensorProto
}

// fold folds what can be in the nodes so far, and drops the network's constants
// that nobody reads any more from those that it returns. Bodies of If, Loop and
// Scan may read any value, so a network that has some stays as it is.
func (w *wrapper) fold() (networkConstants []*onnxpb.TensorProto) {
	g := w.model.proto.Graph
	// A GPU multiplies in blocks of 8 channels and more: one channel with larger
	// kernels is more work there than four of them.
	if w.plan.Portable || len(subgraphs(g)) > 0 {
		return g.Initializer
	}
	f := folding{nodes: w.nodes, constants: map[string]*onnxpb.TensorProto{}, kept: map[string]bool{}}
	for _, t := range slices.Concat(w.constants, g.Initializer) {
		f.constants[t.GetName()] = t
	}
	for _, t := range w.outputs {
		f.kept[t.Name] = true
	}
	f.each("Identity", f.skip)
	f.each("SpaceToDepth", f.cells)
	f.each("Mul", f.factor)
	w.nodes = f.nodes
	w.constants = f.read(append(w.constants, f.added...))
	return f.read(g.Initializer)
}

// each calls take with every node of the operator that makes one value which
// only nodes read, and with these. It removes the node when take returns true.
func (f *folding) each(op string, take func(n *onnxpb.NodeProto, readers []int) bool) {
	for i := 0; i < len(f.nodes); {
		n := f.nodes[i]
		fits := n.GetOpType() == op && defaultDomain(n.GetDomain()) && len(n.Output) == 1 && !f.kept[n.Output[0]]
		if fits && take(n, f.readers(n.Output[0])) {
			f.nodes = slices.Delete(f.nodes, i, i+1)
		} else {
			i++
		}
	}
}

// readers returns the indexes of the nodes that read the value.
func (f *folding) readers(name string) []int {
	var list []int
	for i, n := range f.nodes {
		if slices.Contains(n.Input, name) {
			list = append(list, i)
		}
	}
	return list
}

// skip lets the readers of an Identity read its input.
func (f *folding) skip(n *onnxpb.NodeProto, readers []int) bool {
	for _, i := range readers {
		r := proto.CloneOf(f.nodes[i])
		for k, in := range r.Input {
			if in == n.Output[0] {
				r.Input[k] = n.Input[0]
			}
		}
		f.nodes[i] = r
	}
	return true
}

// cells folds a SpaceToDepth: a convolution over cells of b by b pixels is one
// over pixels with kernels b times as large that moves on by b pixels. Zeros
// around the cells are zeros around the pixels.
func (f *folding) cells(n *onnxpb.NodeProto, readers []int) bool {
	b := attributeOf(n, "blocksize").GetI()
	convs, ok := f.convolutions(n.Output[0], readers)
	if !ok || b < 2 {
		return false
	}
	for _, c := range convs {
		if c.shape[1]%(b*b) != 0 || slices.ContainsFunc(c.strides, func(s int64) bool { return s != 1 }) {
			return false
		}
	}
	for k, i := range readers {
		f.nodes[i] = f.rewritten(convs[k].spread(b), n.Input[0])
	}
	return true
}

// factor folds a Mul by a constant scalar.
func (f *folding) factor(n *onnxpb.NodeProto, readers []int) bool {
	for k, in := range n.Input {
		by, ok := floatsOf(f.constants[in])
		if !ok || len(by) != 1 || len(f.constants[in].Dims) > 0 {
			continue
		}
		convs, ok := f.convolutions(n.Output[0], readers)
		if !ok {
			return false
		}
		for c, i := range readers {
			for at := range convs[c].weights {
				convs[c].weights[at] *= by[0]
			}
			f.nodes[i] = f.rewritten(convs[c], n.Input[1-k])
		}
		return true
	}
	return false
}

// convolution is a Conv of two dimensions over all its input channels at once,
// with weights that are known. Only the weights are its own.
type convolution struct {
	node    *onnxpb.NodeProto
	weights []float32 // of shape
	shape   []int64   // [out, in, height, width]
	strides []int64   // down, right
	pads    []int64   // top, left, bottom, right
}

// convolutions reads all readers of a value as convolutions over it. It
// reports false when one is something else.
func (f *folding) convolutions(input string, readers []int) ([]convolution, bool) {
	list := make([]convolution, len(readers))
	for k, i := range readers {
		n := f.nodes[i]
		if n.GetOpType() != "Conv" || !defaultDomain(n.GetDomain()) || slices.Index(n.Input[1:], input) >= 0 {
			return nil, false
		}
		weights, ok := floatsOf(f.constants[n.Input[1]])
		shape := f.constants[n.Input[1]].GetDims()
		if !ok || len(shape) != 4 {
			return nil, false
		}
		c := convolution{n, weights, shape, []int64{1, 1}, []int64{0, 0, 0, 0}}
		for _, a := range n.Attribute {
			switch a.GetName() {
			case "kernel_shape":
			case "strides":
				c.strides = a.Ints
			case "pads":
				c.pads = a.Ints
			case "group":
				ok = ok && a.GetI() == 1
			case "dilations":
				ok = ok && !slices.ContainsFunc(a.Ints, func(d int64) bool { return d != 1 })
			default: // auto_pad, whose zeros depend on the stride
				ok = false
			}
		}
		if !ok {
			return nil, false
		}
		list[k] = c
	}
	return list, len(list) > 0
}

// spread returns the convolution over pixels that c is over cells of b by b
// pixels. Channel (y·b + x)·C + i of a cell is channel i of the pixel at (x, y)
// in it (ONNX, SpaceToDepth).
func (c convolution) spread(b int64) convolution {
	out, cells, height, width := c.shape[0], c.shape[1], c.shape[2], c.shape[3]
	channels := cells / (b * b)
	s := convolution{c.node, make([]float32, len(c.weights)), []int64{out, channels, height * b, width * b}, []int64{b, b}, nil}
	for _, p := range c.pads {
		s.pads = append(s.pads, p*b)
	}
	for at, v := range c.weights {
		x := int64(at)
		kx, ky, cell, o := x%width, x/width%height, x/(width*height)%cells, x/(width*height*cells)
		i, bx, by := cell%channels, cell/channels%b, cell/channels/b
		s.weights[((o*channels+i)*s.shape[2]+ky*b+by)*s.shape[3]+kx*b+bx] = v
	}
	return s
}

// rewritten returns the node of c over another input, and adds its weights.
func (f *folding) rewritten(c convolution, input string) *onnxpb.NodeProto {
	n := proto.CloneOf(c.node)
	n.Input[0], n.Input[1] = input, n.Input[1]+".folded"
	n.Attribute = []*onnxpb.AttributeProto{
		onnxpb.Attribute("kernel_shape", ints(c.shape[2:])),
		onnxpb.Attribute("strides", ints(c.strides)),
	}
	if slices.Max(c.pads) > 0 {
		n.Attribute = append(n.Attribute, onnxpb.Attribute("pads", ints(c.pads)))
	}
	f.added = append(f.added, onnxpb.Floats(n.Input[1], c.weights, c.shape...))
	f.constants[n.Input[1]] = f.added[len(f.added)-1]
	return n
}

// read returns those of the constants that a node reads.
func (f *folding) read(constants []*onnxpb.TensorProto) []*onnxpb.TensorProto {
	used := map[string]bool{}
	for _, n := range f.nodes {
		for _, in := range n.Input {
			used[in] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(constants), func(t *onnxpb.TensorProto) bool { return !used[t.GetName()] })
}

// floatsOf returns the values of a float32 tensor, which the caller may change.
// It reports false for no tensor and for one of another type.
func floatsOf(t *onnxpb.TensorProto) ([]float32, bool) {
	if t.GetDataType() != int32(onnxpb.Float) {
		return nil, false
	}
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	if t.RawData == nil {
		return slices.Clone(t.FloatData), int64(len(t.FloatData)) == n
	}
	if int64(len(t.RawData)) != 4*n {
		return nil, false
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.RawData[4*i:]))
	}
	return values, true
}

// attributeOf returns the attribute of that name, or nil.
func attributeOf(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.Attribute {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

func ints(v []int64) []int {
	w := make([]int, len(v))
	for i := range v {
		w[i] = int(v[i])
	}
	return w
}
