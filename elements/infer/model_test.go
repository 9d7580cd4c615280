package infer

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// load loads a model that must be good.
func load(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := LoadModel(runtimeForTest, "test", data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLoadModelFindsFacts(t *testing.T) {
	type facts struct {
		kind                 graph.Kind
		scale                int
		peak                 float64
		multipleW, multipleH int
	}
	blur := make([]float32, 9)
	for i := range blur {
		blur[i] = 1.0 / 9
	}
	for name, c := range map[string]struct {
		data []byte
		want facts
	}{
		"identity":          {testonnx.Spec{}.Identity(), facts{graph.Luma, 1, 1, 1, 1}},
		"blur":              {testonnx.Spec{}.Conv(blur, []float32{0}), facts{graph.Luma, 1, 1, 1, 1}},
		"nearest":           {testonnx.Spec{Scale: 2}.Nearest(), facts{graph.Luma, 2, 1, 1, 1}},
		"four times":        {testonnx.Spec{Scale: 4, Channels: 3}.Nearest(), facts{graph.RGB, 4, 1, 1, 1}},
		"same names":        {testonnx.Spec{Scale: 3, SameNames: true}.Nearest(), facts{graph.Luma, 3, 1, 1, 1}},
		"white is 255":      {testonnx.Spec{Scale: 2, Peak: 255}.Nearest(), facts{graph.Luma, 2, 255, 1, 1}},
		"white is 1":        {testonnx.Spec{Scale: 2, Peak: 1}.Nearest(), facts{graph.Luma, 2, 1, 1, 1}},
		"offset of 0..255":  {testonnx.Spec{}.Gain(1, 1.5), facts{graph.Luma, 1, 255, 1, 1}},
		"half precision":    {testonnx.Spec{Scale: 2, Channels: 3, Type: testonnx.Float16}.Nearest(), facts{graph.RGB, 2, 1, 1, 1}},
		"bytes":             {testonnx.Spec{Scale: 2, Type: testonnx.Uint8}.Nearest(), facts{graph.Luma, 2, 255, 1, 1}},
		"channels last":     {testonnx.Spec{Scale: 2, Channels: 3, ChannelsLast: true}.Nearest(), facts{graph.RGB, 2, 1, 1, 1}},
		"multiple of two":   {testonnx.Spec{Scale: 2, Multiple: 2}.Nearest(), facts{graph.Luma, 2, 1, 2, 2}},
		"multiple of eight": {testonnx.Spec{Multiple: 8}.Identity(), facts{graph.Luma, 1, 1, 8, 8}},
		"multiple of six":   {testonnx.Spec{Multiple: 6}.Identity(), facts{graph.Luma, 1, 1, 6, 6}},
		"multiple of five":  {testonnx.Spec{Multiple: 5}.Identity(), facts{graph.Luma, 1, 1, 5, 5}},
		"multiple of 64":    {testonnx.Spec{Multiple: 64}.Identity(), facts{graph.Luma, 1, 1, 64, 64}},
		"fixed size":        {testonnx.Spec{Scale: 2, Width: 48, Height: 32}.Nearest(), facts{graph.Luma, 2, 1, 1, 1}},
		"fixed height":      {testonnx.Spec{Height: 40, Multiple: 4}.Identity(), facts{graph.Luma, 1, 1, 4, 1}},
	} {
		m := load(t, c.data)
		f := m.Facts()
		if got := (facts{f.Kind, f.Scale, f.Peak, f.MultipleW, f.MultipleH}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if m.Name() != "test" || len(m.SHA256()) != 64 {
			t.Errorf("%s: name %q, hash %q", name, m.Name(), m.SHA256())
		}
	}
}

func TestLoadModelRefuses(t *testing.T) {
	nan := testonnx.Spec{Scale: 2}.NaN()
	cases := []struct {
		name string
		data []byte
		want error
	}{
		{"NaN", nan, ErrModelValues},
		{"too bright", testonnx.Spec{}.Gain(1.3, 0), ErrModelRange},
		{"multiple of seven", testonnx.Spec{Multiple: 7}.Identity(), ErrModelRun},
		{"six times", testonnx.Spec{Scale: 6}.Nearest(), ErrModelScale},
		{"weights of random", testonnx.Swift(), ErrModelRange},
	}
	reasons := map[string]error{
		"empty": ErrModelFormat, "garbage": ErrModelFormat, "truncated": ErrModelFormat, "no-graph": ErrModelFormat,
		"external-data": ErrModelUnsupported, "opset-7": ErrModelUnsupported, "opset-99": ErrModelUnsupported,
		"shrinks": ErrModelSignature, "opset": ErrModelUnsupported,
	}
	for _, c := range testonnx.Wrong() {
		want := reasons[c.Name]
		if want == nil {
			want = ErrModelSignature
		}
		cases = append(cases, struct {
			name string
			data []byte
			want error
		}{c.Name, c.Data, want})
	}
	for _, c := range cases {
		_, err := LoadModel(runtimeForTest, "bad.onnx", c.data)
		var refused *ModelError
		if !errors.As(err, &refused) || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want a ModelError because %q", c.name, err, c.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "model bad.onnx cannot be used: ") {
			t.Errorf("%s: the sentence is %q", c.name, err)
		}
	}
}

// thirdParty is a network that nobody here made; see the issue.
const thirdParty = "../../../shared/models/animejanai-v3.1-performance-spanf3-x2-fp16.onnx"

func thirdPartyModel(t testing.TB) *Model {
	t.Helper()
	data, err := os.ReadFile(thirdParty)
	if err != nil {
		t.Skip("the shared test models are not here: ", err)
	}
	return load(t, data)
}

func TestLoadModelOfOthers(t *testing.T) {
	f := thirdPartyModel(t).Facts()
	if f.Kind != graph.RGB || f.Scale != 2 || f.Peak != 1 || f.InType != graph.Float16 || f.MultipleW != 1 || f.MultipleH != 1 || f.ChannelsLast {
		t.Errorf("got %+v", f)
	}
}
