package graph_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// TestWrongModels demands of each file that is no image network the error of
// its kind, with a sentence that says what is wrong.
func TestWrongModels(t *testing.T) {
	want := map[string]struct {
		err      error
		sentence string
	}{
		"empty":         {graph.ErrNotONNX, "the file is empty"},
		"garbage":       {graph.ErrNotONNX, "damaged, incomplete or of another format"},
		"truncated":     {graph.ErrNotONNX, "damaged, incomplete or of another format"},
		"no-graph":      {graph.ErrNotONNX, "holds no graph"},
		"no-input":      {graph.ErrSignature, "it has 0 inputs"},
		"no-output":     {graph.ErrSignature, "it has 0 outputs"},
		"two-inputs":    {graph.ErrSignature, "it has 2 inputs (image, noise) where one image is needed"},
		"two-outputs":   {graph.ErrSignature, "it has 2 outputs (upscaled, again) where one image is needed"},
		"rank-3":        {graph.ErrSignature, `its input "image" has 3 dimensions; an image has 4`},
		"four-channels": {graph.ErrSignature, "its images have 4 channels"},
		"luma-to-rgb":   {graph.ErrSignature, "it makes 3 channels of 1"},
		"batch-of-two":  {graph.ErrSignature, "fixed to 2 images at once"},
		"int64":         {graph.ErrSignature, "values of type int64"},
		"shrinks":       {graph.ErrSignature, "it makes 32x32 of 64x64"},
		"external-data": {graph.ErrExternalData, `"gain"`},
		"opset-7":       {graph.ErrOpset, "the model uses 7"},
		"opset-99":      {graph.ErrOpset, "the model uses 99"},
	}
	for _, c := range testonnx.Wrong() {
		t.Run(c.Name, func(t *testing.T) {
			m, err := graph.Parse(c.Data)
			if err == nil {
				_, err = m.Signature()
			}
			w, ok := want[c.Name]
			if !ok {
				t.Fatalf("no expectation; got %v", err)
			}
			if !errors.Is(err, w.err) || !strings.Contains(err.Error(), w.sentence) {
				t.Errorf("got %q, want %q with %q", err, w.err, w.sentence)
			}
		})
	}
}

// TestExternalDataIsFoundAnywhere demands that no part of a model names another
// file: whatever path stands there, ONNX Runtime would read it.
func TestExternalDataIsFoundAnywhere(t *testing.T) {
	gain := &onnxpb.TensorProto{Name: proto.String("gain"), DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}
	sparse := &onnxpb.SparseTensorProto{Values: gain}
	holder := func(a *onnxpb.AttributeProto) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: proto.String("Constant"), Attribute: []*onnxpb.AttributeProto{a}}
	}
	for name, hide := range map[string]func(*onnxpb.ModelProto){
		"initializer":        func(m *onnxpb.ModelProto) { m.Graph.Initializer = append(m.Graph.Initializer, gain) },
		"sparse initializer": func(m *onnxpb.ModelProto) { m.Graph.SparseInitializer = append(m.Graph.SparseInitializer, sparse) },
		"constant": func(m *onnxpb.ModelProto) {
			m.Graph.Node = append(m.Graph.Node, holder(&onnxpb.AttributeProto{T: gain}))
		},
		"sparse constant": func(m *onnxpb.ModelProto) {
			m.Graph.Node = append(m.Graph.Node, holder(&onnxpb.AttributeProto{SparseTensor: sparse}))
		},
		"body": func(m *onnxpb.ModelProto) {
			body := &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{gain}}
			m.Graph.Node = append(m.Graph.Node, holder(&onnxpb.AttributeProto{G: body}))
		},
		"function": func(m *onnxpb.ModelProto) {
			nodes := []*onnxpb.NodeProto{holder(&onnxpb.AttributeProto{T: gain})}
			m.Functions = append(m.Functions, &onnxpb.FunctionProto{Name: proto.String("scale"), Node: nodes})
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &onnxpb.ModelProto{}
			if err := proto.Unmarshal(testonnx.Spec{}.Identity(), m); err != nil {
				t.Fatal(err)
			}
			hide(m)
			data, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := graph.Parse(data); !errors.Is(err, graph.ErrExternalData) {
				t.Errorf("got %v, want %v", err, graph.ErrExternalData)
			}
		})
	}
}

func TestSignature(t *testing.T) {
	tests := map[string]struct {
		data []byte
		want graph.Signature
	}{
		"luma": {testonnx.Spec{}.Identity(), graph.Signature{
			InType: graph.Float32, OutType: graph.Float32, InChannels: 1, OutChannels: 1,
		}},
		"rgb fp16 last": {testonnx.Spec{Channels: 3, Type: testonnx.Float16, ChannelsLast: true}.Identity(), graph.Signature{
			InType: graph.Float16, OutType: graph.Float16, InChannels: 3, OutChannels: 3, ChannelsLast: true,
		}},
		"fixed": {testonnx.Spec{Scale: 3, Width: 64, Height: 48}.Nearest(), graph.Signature{
			InType: graph.Float32, OutType: graph.Float32, InChannels: 1, OutChannels: 1,
			Width: 64, Height: 48, OutWidth: 192, OutHeight: 144,
		}},
		"one side fixed": {testonnx.Spec{Height: 48, Type: testonnx.Uint8, ChannelsLast: true}.Identity(), graph.Signature{
			InType: graph.Uint8, OutType: graph.Uint8, InChannels: 1, OutChannels: 1, ChannelsLast: true, Height: 48, OutHeight: 48,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := graph.Parse(test.data)
			must(t, err)
			got, err := m.Signature()
			must(t, err)
			test.want.Input, test.want.Output = testonnx.Input, testonnx.Output
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestOddFiles reads models as some exporters write them, and runs them.
func TestOddFiles(t *testing.T) {
	dims := func(v *onnxpb.ValueInfoProto) []*onnxpb.TensorShapeProto_Dimension {
		return v.Type.GetTensorType().Shape.Dim
	}
	for name, change := range map[string]func(m *onnxpb.ModelProto){
		"constants among the inputs": func(m *onnxpb.ModelProto) {
			m.IrVersion = proto.Int64(3)
			for _, c := range m.Graph.Initializer {
				m.Graph.Input = append(m.Graph.Input, onnxpb.Value(c.GetName(), onnxpb.Float, int64s(c.Dims)...))
			}
		},
		"symbolic batch": func(m *onnxpb.ModelProto) {
			for _, v := range []*onnxpb.ValueInfoProto{m.Graph.Input[0], m.Graph.Output[0]} {
				dims(v)[0].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
			}
		},
		"minus one for dynamic": func(m *onnxpb.ModelProto) {
			for _, d := range dims(m.Graph.Input[0])[2:] {
				d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: -1}
			}
		},
		"symbolic channels": func(m *onnxpb.ModelProto) {
			dims(m.Graph.Input[0])[1].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "C"}
		},
		"output without a shape":   func(m *onnxpb.ModelProto) { m.Graph.Output[0].Type.GetTensorType().Shape = nil },
		"other spelling of domain": func(m *onnxpb.ModelProto) { m.OpsetImport[0].Domain = proto.String("ai.onnx") },
		"names of the wrapping": func(m *onnxpb.ModelProto) {
			for _, n := range m.Graph.Node {
				for _, names := range [][]string{n.Input, n.Output} {
					for i := range names {
						if names[i] == testonnx.Input {
							names[i] = "Y"
						}
						if names[i] == testonnx.Output {
							names[i] = "Y.out"
						}
					}
				}
			}
			m.Graph.Input[0].Name, m.Graph.Output[0].Name = proto.String("Y"), proto.String("Y.out")
		},
		"sizes of its own inside": func(m *onnxpb.ModelProto) {
			m.Graph.ValueInfo = append(m.Graph.ValueInfo, onnxpb.Value("conv", onnxpb.Float, 1, 4, 640, 480))
		},
		"output read again": func(m *onnxpb.ModelProto) {
			m.Graph.Node = append(m.Graph.Node, onnxpb.Node("Relu", []string{testonnx.Output}, []string{"unused"}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := testonnx.Spec{Scale: 2}
			n := knownNetwork(spec)
			var file onnxpb.ModelProto
			must(t, proto.Unmarshal(spec.Conv(n.weights, n.bias), &file))
			change(&file)
			data, err := proto.Marshal(&file)
			must(t, err)
			w, p := wrap(t, data, spec, frame.Layout{Format: frame.I420, Width: 20, Height: 12}, false)
			r := newRunner(t, w, p, 1)
			drawn(r.in)
			r.run(t)
			agree(t, channelsOf(r.out), n.upscaled(r.in, 1))
		})
	}
}

// int64s gives a tensor's dimensions to onnxpb.Value.
func int64s(dims []int64) []any {
	v := make([]any, len(dims))
	for i := range dims {
		v[i] = dims[i]
	}
	return v
}

func TestPlansThatCannotBe(t *testing.T) {
	m, err := graph.Parse(testonnx.Spec{Scale: 2, Width: 64, Height: 48}.Nearest())
	must(t, err)
	type wrapping struct {
		facts graph.Facts
		plan  graph.Plan
	}
	good := factsOf(t, m, testonnx.Spec{Scale: 2})
	in := frame.Layout{Format: frame.I420, Width: 64, Height: 48}
	tests := map[string]struct {
		change   func(x *wrapping)
		sentence string
	}{
		"kind":       {func(x *wrapping) { x.facts.Kind = graph.RGB }, "a rgb network has 3 channels, the model has 1"},
		"no kind":    {func(x *wrapping) { x.facts.Kind = 0 }, "unknown kind(0)"},
		"no type":    {func(x *wrapping) { x.facts.InType = 0 }, "elemtype(0)"},
		"scale":      {func(x *wrapping) { x.facts.Scale = 5 }, "scale 5 is not from 1 to 4"},
		"peak":       {func(x *wrapping) { x.facts.Peak = 2 }, "white is 2"},
		"uint8 of 1": {func(x *wrapping) { x.facts.InType = graph.Uint8 }, "white at 1"},
		"multiple":   {func(x *wrapping) { x.facts.MultipleW = 0 }, "multiple 0x1"},
		"fixed size": {func(x *wrapping) { x.facts.MultipleH = 5 }, "64x48 is no multiple of 1x5"},
		"size":       {func(x *wrapping) { x.plan.In.Width = 62; x.plan.Out.Width = 124 }, "fixed to 64x48"},
		"output":     {func(x *wrapping) { x.plan.Out.Height++ }, "is not 2 times"},
		"colour":     {func(x *wrapping) { x.plan.Out.Range = frame.Full }, "is not 2 times"},
		"format":     {func(x *wrapping) { x.plan.In.Format = 0 }, "unsupported pixel format"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			x := wrapping{good, graph.Plan{In: in, Out: in.Scaled(2)}}
			test.change(&x)
			_, err := graph.Wrap(m, x.facts, x.plan)
			if !errors.Is(err, graph.ErrPlan) || !strings.Contains(err.Error(), test.sentence) {
				t.Errorf("got %v, want %q with %q", err, graph.ErrPlan, test.sentence)
			}
		})
	}
}

// FuzzParse demands that no file brings Parse, Signature or Wrap down, and
// that every model that is taken can be wrapped.
func FuzzParse(f *testing.F) {
	for _, c := range testonnx.Wrong() {
		f.Add(c.Data)
	}
	f.Add(testonnx.Spec{Scale: 2, Channels: 3, ChannelsLast: true, Type: testonnx.Float16}.Nearest())
	f.Add(testonnx.Spec{Scale: 2}.Conv(make([]float32, 36), make([]float32, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := graph.Parse(data)
		if err != nil {
			return
		}
		sig, err := m.Signature()
		if err != nil {
			return
		}
		facts := graph.Facts{Signature: sig, Kind: graph.Luma, Scale: 2, Peak: 255, MultipleW: 1, MultipleH: 1}
		if max(sig.InChannels, sig.OutChannels) == 3 {
			facts.Kind = graph.RGB
		}
		in := frame.Layout{Format: frame.I420, Width: max(sig.Width, 1), Height: max(sig.Height, 1)}
		p := graph.Plan{In: in, Out: in.Scaled(2), Mix: true}
		if p.Out.Check() != nil {
			return
		}
		if _, err := graph.Wrap(m, facts, p); err != nil {
			t.Fatal(err)
		}
	})
}

// TestModelOfOthers wraps a model that nobody here made: RGB, float16 at both
// ends, input and output sharing the symbolic names of their sizes.
func TestModelOfOthers(t *testing.T) {
	path := filepath.Join("..", "..", "..", "..", "shared", "models", "animejanai-v3.1-performance-spanf3-x2-fp16.onnx")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("the models for tests are not beside the repository")
	}
	must(t, err)
	spec := testonnx.Spec{Channels: 3, Scale: 2, Multiple: 2}
	for _, format := range frame.Formats() {
		t.Run(format.String(), func(t *testing.T) {
			w, p := wrap(t, data, spec, frame.Layout{Format: format, Width: 75, Height: 50, Range: frame.Full}, false)
			r := newRunner(t, w, p, 1)
			smooth(r.in)
			r.run(t)
			for i, plain := range channelsOf(r.in) {
				got := channelsOf(r.out)[i]
				want := chromaEnlarged(plain, p.In, 2)
				if i == 0 || format == frame.RGB {
					want = plain.enlarged(2)
				}
				if db := psnr(got, want, r.in.Format.Bits()); db < 32 {
					t.Errorf("channel %d is %.1f dB from a bicubic enlargement of a smooth picture, want 32 or more", i, db)
				}
			}
		})
	}
}

// TestSharedModel wraps one model from several goroutines: the race detector
// watches, and all make the same graph.
func TestSharedModel(t *testing.T) {
	m, err := graph.Parse(testonnx.Swift())
	must(t, err)
	f := factsOf(t, m, testonnx.Spec{Scale: 2})
	in := frame.Layout{Format: frame.NV12, Width: 64, Height: 48}
	graphs := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range graphs {
		all.Go(func() {
			w, err := graph.Wrap(m, f, graph.Plan{In: in, Out: in.Scaled(2), Mix: true})
			if err != nil {
				t.Error(err)
				return
			}
			graphs[i] = w.ONNX
		})
	}
	all.Wait()
	for _, g := range graphs[1:] {
		if !bytes.Equal(g, graphs[0]) {
			t.Fatal("two graphs of the same plan differ")
		}
	}
}
