package infer

import (
	"runtime"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// view is a tensor in memory that somebody else owns.
type view struct {
	graph.Tensor
	data []byte // the whole tensor, in the machine's byte order
}

// session is a graph that ONNX Runtime has loaded on one provider. It owns
// ONNX Runtime's threads and memory for it until close. One caller at a time.
type session struct {
	ort      *ort.DynamicAdvancedSession
	in, out  []ort.Value // of the call in progress; the slices are kept
	pins     runtime.Pinner
	mix      bool                 // the graph has graph.StrengthInput, last
	strength *ort.Scalar[float32] // the last value of that input; nil before
}

// newSession loads onnx; run will get its tensors in the order of the names.
func newSession(onnx []byte, inputs, outputs []string, o *ort.SessionOptions) (*session, error) {
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, inputs, outputs, o)
	if err != nil {
		return nil, err
	}
	return &session{ort: s, mix: len(inputs) > 0 && inputs[len(inputs)-1] == graph.StrengthInput}, nil
}

// run computes the graph once from in to out. Strength is ignored by a graph
// that does not mix.
//
// The tensors are wrapped where they lie and let go at the end, so that nothing
// here outlives the memory of a frame; BenchmarkWrap tells what that costs. A
// provider with memory of its own copies them there and back: 8-bit samples,
// once each way, which an IoBinding of host memory would copy just so.
func (s *session) run(in, out []view, strength float32) error {
	defer s.release()
	var err error
	if s.in, err = s.wrap(s.in, in); err != nil {
		return err
	}
	if s.out, err = s.wrap(s.out, out); err != nil {
		return err
	}
	values := s.in
	if s.mix {
		if err := s.setStrength(strength); err != nil {
			return err
		}
		values = append(values, s.strength)
	}
	if err := s.ort.Run(values, s.out); err != nil {
		return readable(err)
	}
	return nil
}

// wrap appends ONNX Runtime values over the memory of each view.
func (s *session) wrap(values []ort.Value, views []view) ([]ort.Value, error) {
	for _, v := range views {
		// Memory of Go's may be held by C only while it is pinned; for memory
		// of C's this does nothing.
		s.pins.Pin(&v.data[0])
		value, err := ort.NewCustomDataTensor(v.Shape, v.data, elementType(v.Type))
		if err != nil {
			return values, err
		}
		values = append(values, value)
	}
	return values, nil
}

// release lets go of the values of the call, not of their memory.
func (s *session) release() {
	for _, values := range []*[]ort.Value{&s.in, &s.out} {
		for _, v := range *values {
			v.Destroy() // always nil
		}
		clear(*values)
		*values = (*values)[:0]
	}
	s.pins.Unpin()
}

// setStrength makes strength the value of that input. The binding's Set does
// not reach a scalar's memory, so a change makes a new one.
func (s *session) setStrength(strength float32) error {
	if s.strength != nil {
		if s.strength.GetData() == strength {
			return nil
		}
		s.strength.Destroy() // always nil
		s.strength = nil
	}
	var err error
	s.strength, err = ort.NewScalar(strength)
	return err
}

// close ends the session's threads and frees its memory. A second close does
// nothing.
func (s *session) close() error {
	if s.ort == nil {
		return nil
	}
	if s.strength != nil {
		s.strength.Destroy() // always nil
	}
	err := s.ort.Destroy()
	s.ort, s.strength = nil, nil
	return err
}

// names returns the names of tensors in their order.
func names(tensors []graph.Tensor) []string {
	list := make([]string, len(tensors))
	for i, t := range tensors {
		list[i] = t.Name
	}
	return list
}

// elementType returns ONNX Runtime's code of an element type.
func elementType(t graph.ElemType) ort.TensorElementDataType {
	switch t {
	case graph.Float32:
		return ort.TensorElementDataTypeFloat
	case graph.Float16:
		return ort.TensorElementDataTypeFloat16
	case graph.Uint8:
		return ort.TensorElementDataTypeUint8
	case graph.Uint16:
		return ort.TensorElementDataTypeUint16
	default:
		return ort.TensorElementDataTypeUndefined
	}
}
