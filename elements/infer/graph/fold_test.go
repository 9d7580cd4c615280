package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// cellNetwork is a network of scale 1 that convolves cells of block by block
// pixels and moves them back. The convolution has attributes besides its
// weights of [channels·block², channels·block²/group, height, width].
type cellNetwork struct {
	block, channels, height, width, group int
	attributes                            []*onnxpb.AttributeProto
	more                                  []*onnxpb.NodeProto // between "convolved" and "added", of the same shape
}

func (c cellNetwork) file(t *testing.T) []byte {
	t.Helper()
	deep := c.channels * c.block * c.block
	random := rand.New(rand.NewPCG(3, 3))
	weights, bias := make([]float32, deep*deep/c.group*c.height*c.width), make([]float32, deep)
	for i := range weights {
		weights[i] = float32(random.NormFloat64()) / float32(deep/c.group*c.height*c.width)
	}
	for i := range bias {
		bias[i] = 0.4
	}
	more := c.more
	if more == nil {
		more = []*onnxpb.NodeProto{onnxpb.Node("Identity", []string{"convolved"}, []string{"added"})}
	}
	nodes := slices.Concat([]*onnxpb.NodeProto{
		onnxpb.Node("SpaceToDepth", []string{"image"}, []string{"cells"}, onnxpb.Attribute("blocksize", c.block)),
		onnxpb.Node("Conv", []string{"cells", "weights", "bias"}, []string{"convolved"}, c.attributes...),
	}, more, []*onnxpb.NodeProto{
		onnxpb.Node("DepthToSpace", []string{"added"}, []string{"result"}, onnxpb.Attribute("blocksize", c.block)),
	})
	data, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("cells"), Node: nodes,
			Initializer: []*onnxpb.TensorProto{
				onnxpb.Floats("weights", weights, int64(deep), int64(deep/c.group), int64(c.height), int64(c.width)),
				onnxpb.Floats("bias", bias, int64(deep)),
			},
			Input:  []*onnxpb.ValueInfoProto{onnxpb.Value("image", onnxpb.Float, 1, c.channels, "height", "width")},
			Output: []*onnxpb.ValueInfoProto{onnxpb.Value("result", onnxpb.Float, 1, c.channels, "height", "width")},
		},
	})
	must(t, err)
	return data
}

// operators returns how often each operator is in a wrapped graph.
func operators(t *testing.T, w *graph.Wrapped) map[string]int {
	t.Helper()
	var m onnxpb.ModelProto
	must(t, proto.Unmarshal(w.ONNX, &m))
	count := map[string]int{}
	for _, n := range m.Graph.Node {
		count[n.GetOpType()]++
	}
	return count
}

// TestFolding compares graphs whose SpaceToDepth and Mul are in the weights
// with those of other providers, where they are not; and sees that only what
// can be folded is.
func TestFolding(t *testing.T) {
	pads := func(p ...int) *onnxpb.AttributeProto { return onnxpb.Attribute("pads", p) }
	add := func(other string) []*onnxpb.NodeProto {
		return []*onnxpb.NodeProto{onnxpb.Node("Add", []string{"convolved", other}, []string{"added"})}
	}
	second := onnxpb.Node("Conv", []string{"cells", "weights"}, []string{"base"}, pads(1, 1, 1, 1))
	for name, test := range map[string]struct {
		net   cellNetwork
		folds bool
	}{
		"3x3 of 2":        {cellNetwork{2, 1, 3, 3, 1, []*onnxpb.AttributeProto{pads(1, 1, 1, 1)}, nil}, true},
		"3x3 of 3":        {cellNetwork{3, 1, 3, 3, 1, []*onnxpb.AttributeProto{pads(1, 1, 1, 1)}, nil}, true},
		"1x1 of rgb":      {cellNetwork{2, 3, 1, 1, 1, nil, nil}, true},
		"5x1 of rgb":      {cellNetwork{2, 3, 5, 1, 1, []*onnxpb.AttributeProto{pads(2, 0, 2, 0), onnxpb.Attribute("kernel_shape", []int{5, 1})}, nil}, true},
		"uneven pads":     {cellNetwork{2, 1, 2, 4, 1, []*onnxpb.AttributeProto{pads(0, 3, 1, 0), onnxpb.Attribute("group", 1)}, nil}, true},
		"two":             {cellNetwork{2, 1, 3, 3, 1, []*onnxpb.AttributeProto{pads(1, 1, 1, 1)}, append([]*onnxpb.NodeProto{second}, add("base")...)}, true},
		"read besides":    {cellNetwork{2, 1, 3, 3, 1, []*onnxpb.AttributeProto{pads(1, 1, 1, 1)}, add("cells")}, false},
		"groups":          {cellNetwork{2, 1, 3, 3, 2, []*onnxpb.AttributeProto{pads(1, 1, 1, 1), onnxpb.Attribute("group", 2)}, nil}, false},
		"dilated":         {cellNetwork{2, 1, 3, 3, 1, []*onnxpb.AttributeProto{pads(2, 2, 2, 2), onnxpb.Attribute("dilations", []int{2, 2})}, nil}, false},
		"padded by a law": {cellNetwork{2, 1, 3, 3, 1, []*onnxpb.AttributeProto{onnxpb.Attribute("auto_pad", "SAME_UPPER")}, nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			spec := testonnx.Spec{Channels: test.net.channels, Multiple: test.net.block}
			format := map[int]frame.Format{1: frame.I420, 3: frame.RGB}[spec.Channels]
			in := frame.Layout{Format: format, Width: 6 * test.net.block, Height: 8 * test.net.block}
			m, err := graph.Parse(test.net.file(t))
			must(t, err)
			facts := factsOf(t, m, spec)
			var made [2]*runner
			for i, portable := range []bool{true, false} {
				p := graph.Plan{In: in, Out: in, Portable: portable}
				w, err := graph.Wrap(m, facts, p)
				must(t, err)
				want := fmt.Sprint("SpaceToDepth: ", !test.folds || portable)
				if got := fmt.Sprint("SpaceToDepth: ", operators(t, w)["SpaceToDepth"] > 0); got != want {
					t.Fatalf("portable %t: %s, want %s", portable, got, want)
				}
				made[i] = newRunner(t, w, p, 1)
				drawn(made[i].in)
				made[i].run(t)
			}
			agree(t, channelsOf(made[1].out), channelsOf(made[0].out))
		})
	}
}

// TestFoldedFactors sees where white at 1 costs a pass over the picture.
func TestFoldedFactors(t *testing.T) {
	n := knownNetwork(testonnx.Spec{Scale: 2})
	layout := frame.Layout{Format: frame.I420, Width: 14, Height: 10}
	for _, test := range []struct {
		name string
		data []byte
		mix  bool
		want int
	}{
		{"convolution", n.Conv(n.weights, n.bias), false, 0},
		{"swift", testonnx.Swift(), false, 0},
		{"mixed, which reads the picture too", n.Conv(n.weights, n.bias), true, 3},
		{"no convolution", n.Nearest(), false, 1},
	} {
		w, _ := wrap(t, test.data, n.Spec, layout, test.mix)
		if got := operators(t, w)["Mul"]; got != test.want {
			t.Errorf("%s: %d Mul, want %d", test.name, got, test.want)
		}
	}
}
