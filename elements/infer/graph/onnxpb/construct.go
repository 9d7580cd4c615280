package onnxpb

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
)

// The element types by which graphs are written; the names are ONNX's.
const (
	Float   = TensorProto_FLOAT
	Float16 = TensorProto_FLOAT16
	Uint8   = TensorProto_UINT8
	Uint16  = TensorProto_UINT16
	Int64   = TensorProto_INT64
)

// Node returns a node of the default domain that applies op. Its name is that
// of its first output.
func Node(op string, inputs, outputs []string, attributes ...*AttributeProto) *NodeProto {
	return &NodeProto{
		OpType: proto.String(op), Name: proto.String(outputs[0]),
		Input: inputs, Output: outputs, Attribute: attributes,
	}
}

// Attribute returns an attribute with the value v: an int, []int, float32,
// string or TensorProto_DataType. Any other type is a mistake of the caller's
// and panics.
func Attribute(name string, v any) *AttributeProto {
	a := &AttributeProto{Name: proto.String(name)}
	switch v := v.(type) {
	case int:
		a.Type, a.I = AttributeProto_INT.Enum(), proto.Int64(int64(v))
	case TensorProto_DataType:
		a.Type, a.I = AttributeProto_INT.Enum(), proto.Int64(int64(v))
	case []int:
		a.Type = AttributeProto_INTS.Enum()
		for _, i := range v {
			a.Ints = append(a.Ints, int64(i))
		}
	case float32:
		a.Type, a.F = AttributeProto_FLOAT.Enum(), proto.Float32(v)
	case string:
		a.Type, a.S = AttributeProto_STRING.Enum(), []byte(v)
	default:
		panic(fmt.Sprintf("onnxpb: no attribute of type %T", v))
	}
	return a
}

// Floats returns a float32 tensor; without dims it is a scalar.
func Floats(name string, v []float32, dims ...int64) *TensorProto {
	raw := make([]byte, 0, 4*len(v))
	for _, f := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return tensor(name, Float, raw, dims)
}

// Int64s returns a one-dimensional int64 tensor.
func Int64s(name string, v ...int64) *TensorProto {
	raw := make([]byte, 0, 8*len(v))
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(i))
	}
	return tensor(name, Int64, raw, []int64{int64(len(v))})
}

// Uint8s returns a uint8 tensor; without dims it is a scalar.
func Uint8s(name string, v []byte, dims ...int64) *TensorProto {
	return tensor(name, Uint8, v, dims)
}

// Uint16s returns a uint16 tensor; without dims it is a scalar.
func Uint16s(name string, v []uint16, dims ...int64) *TensorProto {
	raw := make([]byte, 0, 2*len(v))
	for _, i := range v {
		raw = binary.LittleEndian.AppendUint16(raw, i)
	}
	return tensor(name, Uint16, raw, dims)
}

func tensor(name string, t TensorProto_DataType, raw []byte, dims []int64) *TensorProto {
	return &TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(t)), Dims: dims, RawData: raw}
}

// Value describes an input or output of a graph. Each of dims is an int (a
// fixed size) or a string (a symbol).
func Value(name string, t TensorProto_DataType, dims ...any) *ValueInfoProto {
	shape := &TensorShapeProto{}
	for _, d := range dims {
		dim := &TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case int64:
			dim.Value = &TensorShapeProto_Dimension_DimValue{DimValue: d}
		case string:
			dim.Value = &TensorShapeProto_Dimension_DimParam{DimParam: d}
		default:
			panic(fmt.Sprintf("onnxpb: no dimension of type %T", d))
		}
		shape.Dim = append(shape.Dim, dim)
	}
	return &ValueInfoProto{
		Name: proto.String(name),
		Type: &TypeProto{Value: &TypeProto_TensorType{TensorType: &TypeProto_Tensor{
			ElemType: proto.Int32(int32(t)), Shape: shape,
		}}},
	}
}
