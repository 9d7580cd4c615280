package infer

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph/onnxpb"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// fakeEngine is the CPU's engine with a fault.
type fakeEngine struct {
	engine
	fault  func(out []view) error // after a run
	closed *int
}

func (e *fakeEngine) run(in, out []view, strength float32) error {
	if err := e.engine.run(in, out, strength); err != nil {
		return err
	}
	return e.fault(out)
}

func (e *fakeEngine) close() error {
	*e.closed++
	return e.engine.close()
}

// fakeDevice returns a provider of that name which computes as the CPU does
// and then has the fault. It counts the engines that were closed.
func fakeDevice(name string, fault func(out []view) error, closed *int) provider {
	return provider{name: name, auto: true, device: true, open: func(j *job) (engine, []string, error) {
		e, _, err := openCPU(j)
		if err != nil {
			return nil, nil, err
		}
		return &fakeEngine{engine: e, fault: fault, closed: closed}, []string{name + ": not a real one"}, nil
	}}
}

// brighter adds levels to every sample of the first plane.
func brighter(levels byte) func([]view) error {
	return func(out []view) error {
		for i := range out[0].data {
			out[0].data[i] += levels
		}
		return nil
	}
}

func TestChain(t *testing.T) {
	missing := errors.New("libmissing.so: cannot open shared object file")
	cpu := provider{name: ProviderCPU, auto: true, open: openCPU}
	closed := 0
	device := func(fault func([]view) error) provider { return fakeDevice(ProviderCUDA, fault, &closed) }
	for name, c := range map[string]struct {
		first    provider
		provider string
		note     string
	}{
		"does not load": {
			provider{name: ProviderCUDA, auto: true, device: true, open: func(*job) (engine, []string, error) { return nil, nil, missing }},
			ProviderCPU, "cuda: libmissing.so: cannot open shared object file",
		},
		"fails to run": {
			device(func([]view) error { return errors.New("out of memory") }),
			ProviderCPU, "cuda: a test frame failed: out of memory",
		},
		"gives black": {
			device(func(out []view) error { clear(out[0].data); return nil }),
			ProviderCPU, "cuda: a test frame came out wrong",
		},
		"is off by a little everywhere": {
			device(brighter(3)), ProviderCPU, "cuda: its numbers are not the CPU's: off by 2.",
		},
		"has one wrong sample": {
			device(func(out []view) error { out[0].data[30*400+50] ^= 0x40; return nil }),
			ProviderCPU, "cuda: its numbers are not the CPU's: off by 0.0",
		},
		"has a wrong patch far from the corner": {
			device(func(out []view) error {
				clear(out[0].data[len(out[0].data)-40*400 : len(out[0].data)-20*400])
				return nil
			}),
			ProviderCPU, "cuda: a test frame came out wrong",
		},
		"is right": {device(func([]view) error { return nil }), ProviderCUDA, "cuda: not a real one"},
		"is not for auto": {
			provider{name: ProviderWebGPU, open: func(*job) (engine, []string, error) { t.Error("it was opened"); return nil, nil, missing }},
			ProviderCPU, "",
		},
	} {
		closed = 0
		var log bytes.Buffer
		m := load(t, testonnx.Spec{Scale: 2}.Nearest())
		cfg := Config{In: frame.Layout{Format: frame.I420, Width: 200, Height: 150}, Log: slog.New(slog.NewTextHandler(&log, nil))}
		u, err := newUpscaler(m, cfg, []provider{c.first, cpu})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		notes := strings.Join(u.Notes(), "; ")
		if u.Provider() != c.provider || !strings.HasPrefix(notes, c.note) {
			t.Errorf("%s: runs on %s, notes %q, want %s and %q", name, u.Provider(), notes, c.provider, c.note)
		}
		refused := c.note != "" && c.provider == ProviderCPU
		if got := strings.Contains(log.String(), `msg="provider refused" provider=cuda`); got != refused {
			t.Errorf("%s: the log is %q", name, log.String())
		}
		if c.first.device && name != "does not load" && (closed == 1) != refused {
			t.Errorf("%s: %d engines were closed", name, closed)
		}
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestChainComparesWholeFrames takes a network whose result depends on the
// whole frame: the corner that is compared first differs, the whole does not.
func TestChainComparesWholeFrames(t *testing.T) {
	m := load(t, pulledToMaximum(t))
	closed := 0
	right := fakeDevice(ProviderCUDA, func([]view) error { return nil }, &closed)
	u, err := newUpscaler(m, Config{In: frame.Layout{Format: frame.I420, Width: 300, Height: 200}}, []provider{right})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	wrong := fakeDevice(ProviderCUDA, brighter(3), &closed)
	if _, err := newUpscaler(m, Config{In: u.In()}, []provider{wrong}); !errors.Is(err, ErrProvider) {
		t.Errorf("got %v", err)
	}
}

// pulledToMaximum returns a luma network that moves every pixel part of the way
// to the brightest one.
func pulledToMaximum(t *testing.T) []byte {
	t.Helper()
	data, err := proto.Marshal(&onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name:        proto.String("pulled"),
			Input:       []*onnxpb.ValueInfoProto{onnxpb.Value("in", onnxpb.Float, 1, 1, "h", "w")},
			Output:      []*onnxpb.ValueInfoProto{onnxpb.Value("out", onnxpb.Float, 1, 1, "h", "w")},
			Initializer: []*onnxpb.TensorProto{onnxpb.Floats("part", []float32{0.3})},
			Node: []*onnxpb.NodeProto{
				onnxpb.Node("GlobalMaxPool", []string{"in"}, []string{"most"}),
				onnxpb.Node("Sub", []string{"most", "in"}, []string{"way"}),
				onnxpb.Node("Mul", []string{"way", "part"}, []string{"step"}),
				onnxpb.Node("Add", []string{"in", "step"}, []string{"out"}),
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestNoProviderIsLeft refuses all, even in auto.
func TestNoProviderIsLeft(t *testing.T) {
	none := provider{name: ProviderCPU, auto: true, open: func(*job) (engine, []string, error) { return nil, nil, errors.New("no memory") }}
	m := load(t, testonnx.Spec{}.Identity())
	_, err := newUpscaler(m, Config{In: frame.Layout{Format: frame.I420, Width: 32, Height: 32}}, []provider{none})
	if !errors.Is(err, ErrProvider) || !strings.Contains(err.Error(), "cpu: no memory") {
		t.Errorf("got %v", err)
	}
}

// TestAskedForProviderIsNotReplaced asks for a GPU where there is none.
func TestAskedForProviderIsNotReplaced(t *testing.T) {
	if devices, _ := os.ReadDir("/proc/driver/nvidia/gpus"); len(devices) > 0 {
		t.Skip("a GPU of NVIDIA's is here")
	}
	m := load(t, testonnx.Spec{Scale: 2}.Nearest())
	for _, name := range []string{ProviderTensorRT, ProviderCUDA, ProviderOpenVINO} {
		u, err := New(runtimeForTest, m, Config{In: frame.Layout{Format: frame.NV12, Width: 64, Height: 64}, Provider: name, CacheDir: t.TempDir()})
		if !errors.Is(err, ErrProvider) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
		if u != nil {
			t.Errorf("%s: an upscaler on %s", name, u.Provider())
		}
	}
}

func TestAutoEndsOnTheCPU(t *testing.T) {
	if devices, _ := os.ReadDir("/proc/driver/nvidia/gpus"); len(devices) > 0 {
		t.Skip("a GPU of NVIDIA's is here")
	}
	m := load(t, testonnx.Spec{Scale: 2}.Nearest())
	u := open(t, m, Config{In: frame.Layout{Format: frame.NV12, Width: 64, Height: 64}, Provider: ProviderAuto, CacheDir: t.TempDir()})
	if u.Provider() != ProviderCPU || len(u.Notes()) != 3 {
		t.Errorf("runs on %s, notes %q", u.Provider(), u.Notes())
	}
}

func TestHalfPrecisionIsNotPretended(t *testing.T) {
	in := frame.Layout{Format: frame.NV12, Width: 64, Height: 64}
	half := Config{In: in, Provider: ProviderCPU, Precision: PrecisionFP16}
	if _, err := New(runtimeForTest, load(t, testonnx.Spec{}.Identity()), half); !errors.Is(err, ErrProvider) {
		t.Errorf("a model in 32 bits: got %v", err)
	}
	open(t, load(t, testonnx.Spec{Type: testonnx.Float16}.Identity()), half)
}

// TestEngineKey checks that an engine is found again only for what it was
// built for.
func TestEngineKey(t *testing.T) {
	a := &job{model: &Model{sha256: strings.Repeat("a", 64)}}
	a.plan.In = frame.Layout{Format: frame.NV12, Width: 640, Height: 360}
	key := a.engineKey("driver 1", "card")
	if key != a.engineKey("driver 1", "card") || !strings.HasPrefix(key, "aaaaaaaa-NV12-640x360-") {
		t.Errorf("the key is %q", key)
	}
	for name, change := range map[string]func(*job){
		"model":     func(j *job) { j.model = &Model{sha256: strings.Repeat("b", 64)} },
		"size":      func(j *job) { j.plan.In.Width = 642 },
		"format":    func(j *job) { j.plan.In.Format = frame.I420 },
		"matrix":    func(j *job) { j.plan.In.Matrix = frame.BT709 },
		"mix":       func(j *job) { j.plan.Mix = true },
		"precision": func(j *job) { j.cfg.Precision = PrecisionFP32 },
		"device":    func(j *job) { j.cfg.Device = 1 },
	} {
		b := *a
		change(&b)
		if b.engineKey("driver 1", "card") == key {
			t.Errorf("another %s has the same key", name)
		}
	}
	if a.engineKey("driver 2", "card") == key || a.engineKey("driver 1", "other") == key {
		t.Error("another driver or card has the same key")
	}
}
