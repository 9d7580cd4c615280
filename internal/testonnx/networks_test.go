package testonnx_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

func TestNetworksAreWellFormed(t *testing.T) {
	conv := func(s testonnx.Spec, in, out int) []byte {
		return s.Conv(make([]float32, in*out*9), make([]float32, out))
	}
	for name, data := range map[string][]byte{
		"identity": testonnx.Spec{}.Identity(),
		"nearest":  testonnx.Spec{Scale: 3, Type: testonnx.Uint8}.Nearest(),
		"conv":     conv(testonnx.Spec{Scale: 2, Channels: 3, Type: testonnx.Float16}, 3, 12),
		"nan":      testonnx.Spec{ChannelsLast: true, Peak: 255}.NaN(),
		"multiple": testonnx.Spec{Multiple: 4, Width: 64, Height: 32}.Identity(),
		"swift":    testonnx.Swift(),
	} {
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(data, &m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		made := map[string]bool{testonnx.Input: true, "": true}
		for _, c := range m.Graph.Initializer {
			made[c.GetName()] = true
		}
		for _, n := range m.Graph.Node {
			for _, in := range n.Input {
				if !made[in] {
					t.Errorf("%s: %s reads %q before it is made", name, n.GetOpType(), in)
				}
			}
			for _, out := range n.Output {
				if made[out] {
					t.Errorf("%s: %q is made twice", name, out)
				}
				made[out] = true
			}
		}
		if !made[testonnx.Output] {
			t.Errorf("%s: nothing makes the output", name)
		}
	}
}
