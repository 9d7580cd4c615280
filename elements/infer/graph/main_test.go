package graph_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

func TestMain(m *testing.M) {
	library, err := findRuntime()
	if err == nil {
		ort.SetSharedLibraryPath(library)
		err = ort.InitializeEnvironment(ort.WithLogLevelError())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "these tests run the graphs that they make:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := ort.DestroyEnvironment(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// findRuntime returns the path of the ONNX Runtime library that `make deps`
// puts under .deps beside go.mod.
func findRuntime() (string, error) {
	if path := os.Getenv("UPSCALED_ORT_LIBRARY"); path != "" {
		return path, nil
	}
	version, err := os.ReadFile(filepath.Join("..", "onnxruntime.version"))
	if err != nil {
		return "", err
	}
	path := filepath.Join("..", "..", "..", ".deps", "onnxruntime", strings.TrimSpace(string(version)), "libonnxruntime.so.1")
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// runner is a session of a wrapped graph with the memory of its planes.
type runner struct {
	session *ort.DynamicAdvancedSession
	in, out frame.Frame
	inputs  []ort.Value // the strength last, if any
	outputs []ort.Value
}

// newRunner loads a wrapped graph on the CPU.
func newRunner(t testing.TB, w *graph.Wrapped, p graph.Plan, threads int) *runner {
	t.Helper()
	options, err := ort.NewSessionOptions()
	must(t, err)
	defer options.Destroy()
	must(t, options.SetIntraOpNumThreads(threads))
	must(t, options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	r := &runner{in: frame.New(p.In, 1), out: frame.New(p.Out, 1)}
	var ins, outs []string
	for i, x := range w.Inputs {
		ins = append(ins, x.Name)
		if x.Name == graph.StrengthInput {
			r.inputs = append(r.inputs, nil)
			r.mix(t, 1)
			continue
		}
		r.inputs = append(r.inputs, tensor(t, x, r.in.Planes[i].Data))
	}
	for i, x := range w.Outputs {
		outs = append(outs, x.Name)
		r.outputs = append(r.outputs, tensor(t, x, r.out.Planes[i].Data))
	}
	r.session, err = ort.NewDynamicAdvancedSessionWithONNXData(w.ONNX, ins, outs, options)
	must(t, err)
	t.Cleanup(func() {
		r.session.Destroy()
		for _, v := range append(r.inputs, r.outputs...) {
			v.Destroy()
		}
	})
	return r
}

func tensor(t testing.TB, x graph.Tensor, data []byte) ort.Value {
	t.Helper()
	types := map[graph.ElemType]ort.TensorElementDataType{
		graph.Uint8: ort.TensorElementDataTypeUint8, graph.Uint16: ort.TensorElementDataTypeUint16,
		graph.Float32: ort.TensorElementDataTypeFloat, graph.Float16: ort.TensorElementDataTypeFloat16,
	}
	v, err := ort.NewCustomDataTensor(x.Shape, data, types[x.Type])
	must(t, err)
	return v
}

// mix sets the strength.
func (r *runner) mix(t testing.TB, strength float32) {
	t.Helper()
	last := len(r.inputs) - 1
	if r.inputs[last] != nil {
		r.inputs[last].Destroy()
	}
	s, err := ort.NewScalar(strength) // its own Set does not reach the runtime
	must(t, err)
	r.inputs[last] = s
}

func (r *runner) run(t testing.TB) {
	t.Helper()
	must(t, r.session.Run(r.inputs, r.outputs))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
