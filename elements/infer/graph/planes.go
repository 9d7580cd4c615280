package graph

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// depth says how a code value lies in its word of memory: word = code << shift.
type depth struct {
	bits  int // 8 or 10
	shift int
}

func depthOf(f frame.Format) depth { return depth{f.Bits(), f.Shift()} }

func (d depth) elem() ElemType {
	if d.bits > 8 {
		return Uint16
	}
	return Uint8
}

// whiteCode is the code value that stands for 255 of 8 bits, so that networks
// see the same values whatever the depth.
func (d depth) whiteCode() float64 { return float64(int(255) << (d.bits - 8)) }

// white is whiteCode as it lies in memory.
func (d depth) white() float64 { return d.whiteCode() * d.step() }

// step is the distance of two code values in memory.
func (d depth) step() float64 { return float64(int(1) << d.shift) }

// maxCode is the largest code value.
func (d depth) maxCode() float64 { return float64(int(1)<<d.bits - 1) }

// load returns a plane as [1, C, rows, columns] of float32: few operators take
// words, fewer on GPU providers.
func (w *wrapper) load(plane value, channels int) value {
	rows, columns := plane.shape[0], plane.shape[1]/channels
	x := w.cast(plane, Float32)
	if channels == 1 {
		return w.reshape(x, 1, 1, rows, columns)
	}
	return w.transpose(w.reshape(x, 1, rows, columns, channels), 0, 3, 1, 2)
}

// loadChroma returns the chroma planes: two pictures of one channel where they
// lie apart, [2, 1, rows, columns], and one of two channels where they are
// interleaved, [1, 2, rows, columns].
func (w *wrapper) loadChroma() value {
	if len(w.planes) == 2 {
		return w.load(w.planes[1], 2)
	}
	u, v := w.planes[1], w.planes[2]
	return w.reshape(w.cast(w.concat(0, u, v), Float32), 2, 1, u.shape[0], u.shape[1])
}

// store writes y, of which one code value is unit, into output plane i and,
// where y holds more than one picture, the planes after it.
func (w *wrapper) store(y picture, unit float64, i int) {
	pictures, b := y.shape[0], y.block
	channels, height, width := y.shape[1]/(b*b), y.shape[2], y.shape[3]
	x := w.transpose(y.value, 0, 2, 3, 1)
	if b > 1 { // [row, column, y, x·C + c] to [row, y, column, x·C + c]
		x = w.words(w.flatten(x, 3), unit)
		x = w.reshape(x, pictures*height, width, b, b*channels)
		x = w.transpose(x, 0, 2, 1, 3)
	} else {
		x = w.words(x, unit)
	}

	if w.plan.Out.Format == frame.RGB && channels == 1 { // R, G and B apart
		x = w.crop(w.reshape(x, pictures, height*b, width*b), w.plan.Out.Height, w.plan.Out.Width)
		w.output(w.transpose(x, 1, 2, 0), i)
		return
	}
	samples, rows := w.plan.Out.PlaneSize(i)
	if rows != height*b || samples != width*b*channels {
		x = w.crop(w.reshape(x, pictures, height*b, width*b*channels), rows, samples)
	}
	if pictures == 1 {
		w.output(x, i)
	} else {
		w.split(x, pictures, i)
	}
}

// words turns code values, of which one is unit in x, into words of the
// output, rounded to the nearest and limited to those that the depth has.
func (w *wrapper) words(x value, unit float64) value {
	if w.in.bits == 8 {
		return w.quantize(x, unit)
	}
	x = w.clip(x, 0, w.in.maxCode()*unit)
	if w.plan.Portable || w.opset < integerMul {
		x = w.round(w.mul(x, 1/unit))
		return w.cast(w.mul(x, w.in.step()), w.in.elem())
	}
	x = w.quantizeWide(x, unit)
	if w.in.shift == 0 {
		return x
	}
	step := w.unique("step")
	w.constants = append(w.constants, onnxpb.Uint16s(step, []uint16{uint16(w.in.step())}))
	return w.add("Mul", x.elem, x.shape, []string{x.name, step})
}

// integerMul is the first operator set in which Mul takes uint16.
const integerMul = 14

// quantize divides x by unit and rounds it to 0 to 255. One QuantizeLinear is
// several times faster than the Mul, Round, Clip and Cast that it stands for.
// Its counterpart DequantizeLinear is not used anywhere: the runtime takes a
// convolution between the two for one to be run in 8 bits.
func (w *wrapper) quantize(x value, unit float64) value {
	zero := w.unique("zero")
	w.constants = append(w.constants, onnxpb.Uint8s(zero, []byte{0}))
	return w.add("QuantizeLinear", Uint8, x.shape, []string{x.name, w.scalar("unit", unit), zero})
}

// quantizeWide is quantize to 0 to 65535. ONNX has that from operator set 21
// on, ONNX Runtime's own domain for all models.
func (w *wrapper) quantizeWide(x value, unit float64) value {
	zero := w.unique("zero")
	w.constants = append(w.constants, onnxpb.Uint16s(zero, []uint16{0}))
	y := w.add("QuantizeLinear", Uint16, x.shape, []string{x.name, w.scalar("unit", unit), zero})
	w.nodes[len(w.nodes)-1].Domain = proto.String(runtimeDomain)
	return y
}

// runtimeDomain is the domain of ONNX Runtime's own operators.
const runtimeDomain = "com.microsoft"

// split makes n output planes from i on of equal parts of x.
func (w *wrapper) split(x value, n, i int) {
	shape := slices.Clone(x.shape)
	shape[0] /= n
	names := make([]string, n)
	for k := range names {
		names[k] = w.outputs[i+k].Name
		w.outputs[i+k].Shape = int64s(shape)
	}
	attributes := []*onnxpb.AttributeProto{onnxpb.Attribute("axis", 0)}
	if w.opset >= 18 {
		attributes = append(attributes, onnxpb.Attribute("num_outputs", n))
	}
	w.nodes = append(w.nodes, onnxpb.Node("Split", []string{x.name}, names, attributes...))
}

// output makes x output plane i, in the shape that it has: a reshape at the
// end would copy the plane.
func (w *wrapper) output(x value, i int) {
	name := w.outputs[i].Name
	w.outputs[i].Shape = int64s(x.shape)
	if last := w.nodes[len(w.nodes)-1]; last.Output[0] == x.name {
		last.Output[0] = name
		return
	}
	w.nodes = append(w.nodes, onnxpb.Node("Identity", []string{x.name}, []string{name}))
}
