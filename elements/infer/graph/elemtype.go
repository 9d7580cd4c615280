package graph

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
)

// ElemType is the type of the values of a tensor.
type ElemType uint8

// The types that networks and planes have.
const (
	Float32 ElemType = iota + 1
	Float16
	Uint8
	Uint16 // planes of more than 8 bits only
)

var elemTypes = map[ElemType]onnxpb.TensorProto_DataType{
	Float32: onnxpb.Float, Float16: onnxpb.Float16, Uint8: onnxpb.Uint8, Uint16: onnxpb.Uint16,
}

// onnx returns ONNX's number of the type.
func (t ElemType) onnx() onnxpb.TensorProto_DataType { return elemTypes[t] }

// String returns ONNX's name of the type in lower case.
func (t ElemType) String() string {
	switch t {
	case Float32:
		return "float32"
	case Float16:
		return "float16"
	case Uint8:
		return "uint8"
	case Uint16:
		return "uint16"
	default:
		return fmt.Sprintf("elemtype(%d)", uint8(t))
	}
}

// networkType returns the type of a network's image, and whether it is one
// that networks may have.
func networkType(t onnxpb.TensorProto_DataType) (ElemType, bool) {
	for _, e := range []ElemType{Float32, Float16, Uint8} {
		if e.onnx() == t {
			return e, true
		}
	}
	return 0, false
}
