package graph

import (
	"fmt"
	"slices"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// value is a tensor of the graph under construction. Every size is known.
type value struct {
	name  string
	elem  ElemType
	shape []int
}

// builder collects nodes and constants. Each method but the first few adds one
// node of the ONNX operator of its name and returns what the node makes;
// moving around and no-ops are left out where the shape tells that they are.
type builder struct {
	opset     int64
	nodes     []*onnxpb.NodeProto
	constants []*onnxpb.TensorProto
	names     map[string]int // how often a name was asked for
}

// unique returns a name that no other value has.
func (b *builder) unique(name string) string {
	b.names[name]++
	if n := b.names[name]; n > 1 {
		return fmt.Sprintf("%s.%d", name, n)
	}
	return name
}

// add adds a node with one output.
func (b *builder) add(op, name string, elem ElemType, shape []int, inputs []string, attributes ...*onnxpb.AttributeProto) value {
	name = b.unique(name)
	b.nodes = append(b.nodes, onnxpb.Node(op, inputs, []string{name}, attributes...))
	return value{name, elem, shape}
}

// floats adds float32 constants; without dims it is a scalar.
func (b *builder) floats(name string, v []float64, dims ...int) string {
	name = b.unique(name)
	narrow := make([]float32, len(v))
	for i := range v {
		narrow[i] = float32(v[i])
	}
	b.constants = append(b.constants, onnxpb.Floats(name, narrow, int64s(dims)...))
	return name
}

func (b *builder) scalar(name string, v float64) string { return b.floats(name, []float64{v}) }

func (b *builder) ints(name string, v ...int) string {
	name = b.unique(name)
	b.constants = append(b.constants, onnxpb.Int64s(name, int64s(v)...))
	return name
}

func (b *builder) reshape(x value, shape ...int) value {
	if slices.Equal(x.shape, shape) {
		return x
	}
	return b.add("Reshape", x.name+".reshape", x.elem, shape, []string{x.name, b.ints("shape", shape...)})
}

func (b *builder) transpose(x value, perm ...int) value {
	shape := make([]int, len(perm))
	var moved []int // the dimensions that are more than one long, in their new order
	for i, p := range perm {
		shape[i] = x.shape[p]
		if shape[i] > 1 {
			moved = append(moved, p)
		}
	}
	if slices.IsSorted(moved) { // the same order in memory
		return b.reshape(x, shape...)
	}
	return b.add("Transpose", x.name+".transpose", x.elem, shape, []string{x.name}, onnxpb.Attribute("perm", perm))
}

func (b *builder) cast(x value, to ElemType) value {
	if x.elem == to {
		return x
	}
	return b.add("Cast", x.name+"."+to.String(), to, x.shape, []string{x.name}, onnxpb.Attribute("to", to.onnx()))
}

func (b *builder) mul(x value, by float64) value {
	if by == 1 {
		return x
	}
	return b.add("Mul", x.name+".scaled", x.elem, x.shape, []string{x.name, b.scalar("factor", by)})
}

func (b *builder) clip(x value, low, high float64) value {
	return b.add("Clip", x.name+".clip", x.elem, x.shape,
		[]string{x.name, b.scalar("low", low), b.scalar("high", high)})
}

// arithmetic applies Add, Sub or Mul to x and y, which is repeated along the
// dimensions where it is one long, or is a scalar.
func (b *builder) arithmetic(op string, x, y value, name string) value {
	return b.add(op, name, x.elem, x.shape, []string{x.name, y.name})
}

// pad repeats the edge pixels of the last two dimensions.
func (b *builder) pad(x value, top, left, bottom, right int) value {
	if top == 0 && left == 0 && bottom == 0 && right == 0 {
		return x
	}
	n := len(x.shape)
	pads, shape := make([]int, 2*n), slices.Clone(x.shape)
	pads[n-2], pads[n-1], pads[2*n-2], pads[2*n-1] = top, left, bottom, right
	shape[n-2] += top + bottom
	shape[n-1] += left + right
	return b.add("Pad", x.name+".pad", x.elem, shape, []string{x.name, b.ints("pads", pads...)}, onnxpb.Attribute("mode", "edge"))
}

// slice keeps positions from to to of one dimension.
func (b *builder) slice(x value, axis, from, to int) value {
	if from == 0 && to == x.shape[axis] {
		return x
	}
	shape := slices.Clone(x.shape)
	shape[axis] = to - from
	return b.add("Slice", x.name+".slice", x.elem, shape,
		[]string{x.name, b.ints("from", from), b.ints("to", to), b.ints("axis", axis)})
}

// crop keeps the top left of the last two dimensions.
func (b *builder) crop(x value, rows, columns int) value {
	n := len(x.shape)
	if rows == x.shape[n-2] && columns == x.shape[n-1] {
		return x
	}
	shape := slices.Clone(x.shape)
	shape[n-2], shape[n-1] = rows, columns
	return b.add("Slice", x.name+".crop", x.elem, shape,
		[]string{x.name, b.ints("from", 0, 0), b.ints("to", rows, columns), b.ints("axes", n-2, n-1)})
}

func (b *builder) concat(axis int, name string, parts ...value) value {
	if len(parts) == 1 {
		return parts[0]
	}
	shape := slices.Clone(parts[0].shape)
	names := []string{parts[0].name}
	for _, p := range parts[1:] {
		shape[axis] += p.shape[axis]
		names = append(names, p.name)
	}
	return b.add("Concat", name, parts[0].elem, shape, names, onnxpb.Attribute("axis", axis))
}

// conv is a convolution of [N, C, H, W] without padding, of weights shaped
// [out, C, kh, kw], applied every stride samples each way. Bias may be nil.
func (b *builder) conv(x value, name string, weights []float64, out, kh, kw, strideH, strideW int, bias []float64) value {
	inputs := []string{x.name, b.floats(name+".weights", weights, out, x.shape[1], kh, kw)}
	if bias != nil {
		inputs = append(inputs, b.floats(name+".bias", bias, out))
	}
	shape := []int{x.shape[0], out, (x.shape[2]-kh)/strideH + 1, (x.shape[3]-kw)/strideW + 1}
	attributes := []*onnxpb.AttributeProto{onnxpb.Attribute("kernel_shape", []int{kh, kw})}
	if strideH != 1 || strideW != 1 {
		attributes = append(attributes, onnxpb.Attribute("strides", []int{strideH, strideW}))
	}
	return b.add("Conv", name, x.elem, shape, inputs, attributes...)
}

// cells moves blocks of n x n pixels into the channels: channel (y·n + x)·C + c
// is channel c of the pixel at (x, y) of the block.
func (b *builder) cells(x value, n int) value {
	if n == 1 {
		return x
	}
	s := x.shape
	return b.add("SpaceToDepth", x.name+".cells", x.elem, []int{s[0], s[1] * n * n, s[2] / n, s[3] / n},
		[]string{x.name}, onnxpb.Attribute("blocksize", n))
}

// pixels undoes cells.
func (b *builder) pixels(x value, n int) value {
	if n == 1 {
		return x
	}
	s := x.shape
	return b.add("DepthToSpace", x.name+".pixels", x.elem, []int{s[0], s[1] / (n * n), s[2] * n, s[3] * n},
		[]string{x.name}, onnxpb.Attribute("blocksize", n))
}

func int64s(v []int) []int64 {
	w := make([]int64, len(v))
	for i := range v {
		w[i] = int64(v[i])
	}
	return w
}
