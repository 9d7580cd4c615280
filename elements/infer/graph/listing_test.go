package graph_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

var update = flag.Bool("update", false, "write the golden files")

// TestListing compares wrapped graphs, written as text, with golden files. The
// frames are small; what changes with their size is numbers.
func TestListing(t *testing.T) {
	swift := testonnx.Spec{Scale: 2}
	convolution := func(s testonnx.Spec) []byte {
		n := knownNetwork(s)
		return s.Conv(n.weights, n.bias)
	}
	odd := testonnx.Spec{Scale: 3, Multiple: 4}
	rgb := testonnx.Spec{Scale: 2, Channels: 3, Type: testonnx.Float16, ChannelsLast: true}
	tests := map[string]struct {
		data   []byte
		spec   testonnx.Spec
		format frame.Format
		mix    bool
	}{
		"swift-i420":       {testonnx.Swift(), swift, frame.I420, false},
		"swift-nv12":       {testonnx.Swift(), swift, frame.NV12, false},
		"swift-p010-mix":   {testonnx.Swift(), swift, frame.P010LE, true},
		"luma-of-rgb":      {convolution(swift), swift, frame.RGB, false},
		"luma-3x-odd-i420": {convolution(odd), odd, frame.I42010LE, false},
		"rgb-of-nv12":      {convolution(rgb), rgb, frame.NV12, false},
		"rgb-of-rgb-mix":   {convolution(rgb), rgb, frame.RGB, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, _ := wrap(t, test.data, test.spec, frame.Layout{Format: test.format, Width: 14, Height: 10}, test.mix)
			got := listing(t, w)
			path := filepath.Join("testdata", name+".golden")
			if *update {
				must(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			must(t, err)
			if got != string(want) {
				t.Errorf("the graph is not that of %s (go test -run Listing -update writes it):\n%s", path, got)
			}
		})
	}
}

// listing writes a graph as one line for each input, output, constant and node.
func listing(t *testing.T, w *graph.Wrapped) string {
	t.Helper()
	var m onnxpb.ModelProto
	must(t, proto.Unmarshal(w.ONNX, &m))
	var b strings.Builder
	for _, x := range w.Inputs {
		fmt.Fprintf(&b, "input  %s %s%v\n", x.Name, x.Type, x.Shape)
	}
	for _, x := range w.Outputs {
		fmt.Fprintf(&b, "output %s %s%v\n", x.Name, x.Type, x.Shape)
	}
	constants := map[string]string{}
	for _, c := range m.Graph.Initializer {
		constants[c.GetName()] = constant(c)
	}
	for _, n := range m.Graph.Node {
		inputs := make([]string, len(n.Input))
		for i, in := range n.Input {
			inputs[i] = in
			if c, ok := constants[in]; ok {
				inputs[i] = c
			}
		}
		op := n.GetOpType()
		if n.GetDomain() != "" {
			op = n.GetDomain() + "." + op
		}
		fmt.Fprintf(&b, "%s = %s(%s)", strings.Join(n.Output, ", "), op, strings.Join(inputs, ", "))
		for _, a := range n.Attribute {
			fmt.Fprintf(&b, " %s=%s", a.GetName(), attribute(a))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// constant writes a tensor: its values where they are few, else its type and
// shape.
func constant(c *onnxpb.TensorProto) string {
	kind := onnxpb.TensorProto_DataType(c.GetDataType())
	size, raw := map[onnxpb.TensorProto_DataType]int{onnxpb.Float: 4, onnxpb.Int64: 8, onnxpb.Uint8: 1, onnxpb.Uint16: 2}[kind], c.RawData
	if len(raw) > 9*size {
		return fmt.Sprintf("%s%v", strings.ToLower(kind.String()), c.Dims)
	}
	var values []string
	for ; len(raw) > 0; raw = raw[size:] {
		switch kind {
		case onnxpb.Float:
			values = append(values, fmt.Sprintf("%.6g", math.Float32frombits(binary.LittleEndian.Uint32(raw))))
		case onnxpb.Int64:
			values = append(values, fmt.Sprint(int64(binary.LittleEndian.Uint64(raw))))
		case onnxpb.Uint16:
			values = append(values, fmt.Sprint(binary.LittleEndian.Uint16(raw)))
		default:
			values = append(values, fmt.Sprint(raw[0]))
		}
	}
	if len(c.Dims) == 0 {
		return values[0]
	}
	return "[" + strings.Join(values, " ") + "]"
}

func attribute(a *onnxpb.AttributeProto) string {
	switch a.GetType() {
	case onnxpb.AttributeProto_INT:
		return fmt.Sprint(a.GetI())
	case onnxpb.AttributeProto_INTS:
		return strings.ReplaceAll(fmt.Sprint(a.Ints), " ", ",")
	case onnxpb.AttributeProto_STRING:
		return string(a.S)
	default:
		return a.GetType().String()
	}
}
