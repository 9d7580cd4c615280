package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// value is a tensor of the graph under construction. Every size is known.
type value struct {
	name  string
	elem  ElemType
	shape []int
}

// builder collects nodes and constants. Each method from reshape on adds one
// node of the ONNX operator of its name and returns what the node makes, or
// returns what it is given where the node would change nothing.
type builder struct {
	opset     int64
	stage     string // stands before the names of what is added
	nodes     []*onnxpb.NodeProto
	constants []*onnxpb.TensorProto
	names     map[string]int // how often a name was asked for
}

// unique returns a name that no other value has.
func (b *builder) unique(name string) string {
	name = b.stage + "/" + name
	b.names[name]++
	if n := b.names[name]; n > 1 {
		return fmt.Sprintf("%s.%d", name, n)
	}
	return name
}

// add adds a node with one output of the type and shape given.
func (b *builder) add(op string, elem ElemType, shape []int, inputs []string, attributes ...*onnxpb.AttributeProto) value {
	name := b.unique(strings.ToLower(op))
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
	return b.add("Reshape", x.elem, shape, []string{x.name, b.ints("shape", shape...)})
}

// flatten joins the dimensions before axis, and those from it on. Unlike past a
// Reshape, the runtime moves no rounding past it.
func (b *builder) flatten(x value, axis int) value {
	rows, columns := 1, 1
	for i, n := range x.shape {
		if i < axis {
			rows *= n
		} else {
			columns *= n
		}
	}
	return b.add("Flatten", x.elem, []int{rows, columns}, []string{x.name}, onnxpb.Attribute("axis", axis))
}

// transpose is a reshape where only dimensions that are one long move.
func (b *builder) transpose(x value, perm ...int) value {
	shape := make([]int, len(perm))
	var moved []int // the longer dimensions in their new order
	for i, p := range perm {
		shape[i] = x.shape[p]
		if shape[i] > 1 {
			moved = append(moved, p)
		}
	}
	if slices.IsSorted(moved) {
		return b.reshape(x, shape...)
	}
	return b.add("Transpose", x.elem, shape, []string{x.name}, onnxpb.Attribute("perm", perm))
}

func (b *builder) cast(x value, to ElemType) value {
	if x.elem == to {
		return x
	}
	return b.add("Cast", to, x.shape, []string{x.name}, onnxpb.Attribute("to", to.onnx()))
}

func (b *builder) mul(x value, by float64) value {
	if by == 1 {
		return x
	}
	return b.add("Mul", x.elem, x.shape, []string{x.name, b.scalar("factor", by)})
}

func (b *builder) clip(x value, low, high float64) value {
	return b.add("Clip", x.elem, x.shape, []string{x.name, b.scalar("low", low), b.scalar("high", high)})
}

func (b *builder) round(x value) value {
	return b.add("Round", x.elem, x.shape, []string{x.name})
}

// arithmetic applies Add, Sub or Mul to x and y; y is repeated along the
// dimensions where it is one long, or is a scalar.
func (b *builder) arithmetic(op string, x, y value) value {
	return b.add(op, x.elem, x.shape, []string{x.name, y.name})
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
	return b.add("Pad", x.elem, shape, []string{x.name, b.ints("pads", pads...)}, onnxpb.Attribute("mode", "edge"))
}

// channels keeps channels from to to of [N, C, H, W].
func (b *builder) channels(x value, from, to int) value {
	shape := slices.Clone(x.shape)
	shape[1] = to - from
	return b.add("Slice", x.elem, shape,
		[]string{x.name, b.ints("from", from), b.ints("to", to), b.ints("axis", 1)})
}

// crop keeps the top left of the last two dimensions.
func (b *builder) crop(x value, rows, columns int) value {
	n := len(x.shape)
	if rows == x.shape[n-2] && columns == x.shape[n-1] {
		return x
	}
	shape := slices.Clone(x.shape)
	shape[n-2], shape[n-1] = rows, columns
	return b.add("Slice", x.elem, shape,
		[]string{x.name, b.ints("from", 0, 0), b.ints("to", rows, columns), b.ints("axes", n-2, n-1)})
}

func (b *builder) concat(axis int, x, y value) value {
	shape := slices.Clone(x.shape)
	shape[axis] += y.shape[axis]
	return b.add("Concat", x.elem, shape, []string{x.name, y.name}, onnxpb.Attribute("axis", axis))
}

// kernel is what a convolution without padding applies.
type kernel struct {
	out, height, width int
	weights            []float64 // [out, in, height, width]
	bias               []float64 // [out], or nil
	down, right        int       // the strides; 0 is 1
}

func (b *builder) conv(x value, k kernel) value {
	inputs := []string{x.name, b.floats("weights", k.weights, k.out, x.shape[1], k.height, k.width)}
	if k.bias != nil {
		inputs = append(inputs, b.floats("bias", k.bias, k.out))
	}
	down, right := max(k.down, 1), max(k.right, 1)
	shape := []int{x.shape[0], k.out, (x.shape[2]-k.height)/down + 1, (x.shape[3]-k.width)/right + 1}
	attributes := []*onnxpb.AttributeProto{onnxpb.Attribute("kernel_shape", []int{k.height, k.width})}
	if down > 1 || right > 1 {
		attributes = append(attributes, onnxpb.Attribute("strides", []int{down, right}))
	}
	return b.add("Conv", x.elem, shape, inputs, attributes...)
}

// matrix is what gemm multiplies the channels of a pixel by.
type matrix struct {
	rows    int
	weights []float64 // [rows, channels]
	bias    []float64 // [rows], or nil
}

// gemm makes m.rows channels of those of [1, C, H, W]. A convolution of 1x1
// would do the same; on the CPU, which pads it to 16 channels, it takes ten
// times as long.
func (b *builder) gemm(x value, m matrix) value {
	channels, height, width := x.shape[1], x.shape[2], x.shape[3]
	weights := b.floats("matrix", m.weights, m.rows, channels)
	inputs := []string{weights, b.reshape(x, channels, height*width).name}
	if m.bias != nil {
		inputs = append(inputs, b.floats("offset", m.bias, m.rows, 1))
	}
	y := b.add("Gemm", x.elem, []int{m.rows, height * width}, inputs)
	return b.reshape(y, 1, m.rows, height, width)
}

// cells moves blocks of n x n pixels into the channels: channel (y·n + x)·C + c
// is channel c of the pixel at (x, y) of the block.
func (b *builder) cells(x value, n int) value {
	if n == 1 {
		return x
	}
	s := x.shape
	return b.add("SpaceToDepth", x.elem, []int{s[0], s[1] * n * n, s[2] / n, s[3] / n},
		[]string{x.name}, onnxpb.Attribute("blocksize", n))
}

// pixels undoes cells.
func (b *builder) pixels(x value, n int) value {
	if n == 1 {
		return x
	}
	s := x.shape
	return b.add("DepthToSpace", x.elem, []int{s[0], s[1] / (n * n), s[2] * n, s[3] * n},
		[]string{x.name}, onnxpb.Attribute("blocksize", n))
}

func int64s(v []int) []int64 {
	w := make([]int64, len(v))
	for i := range v {
		w[i] = int64(v[i])
	}
	return w
}
