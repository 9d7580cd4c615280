package infer

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

var update = flag.Bool("update", false, "write selftest.onnx anew")

// TestSelfTestModel proves that selftest.onnx is the network that this test
// makes: a 3x3 convolution of luma that sharpens a little, and a shuffle to twice
// the size.
func TestSelfTestModel(t *testing.T) {
	kernel := []float32{0, -0.05, 0, -0.05, 1.2, -0.05, 0, -0.05, 0}
	var weights []float32
	for range 4 {
		weights = append(weights, kernel...)
	}
	data := testonnx.Spec{Scale: 2}.Conv(weights, make([]float32, 4))
	if *update {
		if err := os.WriteFile("selftest.onnx", data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	layout := frame.Layout{Format: frame.I420, Width: 40, Height: 30}
	_, got := upscale(t, open(t, load(t, selfTest), Config{In: layout}), 1, 1)
	_, want := upscale(t, open(t, load(t, data), Config{In: layout}), 1, 1)
	if at := differs(got, want); at != "" {
		t.Errorf("run go test ./elements/infer -update: %s", at)
	}
}

func TestReport(t *testing.T) {
	for _, name := range Providers() {
		r, err := Report(runtimeForTest, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", r)
		if r.Name != name || r.Works == (r.Reason != "") || r.Works == (r.Fix != "") {
			t.Errorf("got %+v", r)
		}
		if name == ProviderCPU && (!r.Works || r.Device == "") {
			t.Errorf("the CPU: %+v", r)
		}
	}
	if _, err := Report(runtimeForTest, "abacus"); !errors.Is(err, ErrConfig) {
		t.Errorf("an unknown provider: got %v", err)
	}
}

func TestReadable(t *testing.T) {
	for from, want := range map[string]string{
		"/src/a.cc:88 Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load\n  library libx.so": "Failed to load library libx.so",
		"/src/b.cc:65 status == 1 was false. No adapters":                                      "No adapters",
		"no such thing": "no such thing",
		// What ONNX Runtime's provider for CUDA says where the driver is too old, of an
		// option and of a session.
		"u.h:187 Parse Failed to parse provider option \"device_id\": CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; " +
			"hostname=h ; file=/onnxruntime_src/a.cc ; line=67 ; expr=cudaGetDeviceCount(&num_devices); ": "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
		"Error creating C session: /onnxruntime_src/b.cc:122 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(int) [with ERRTYPE = cudaError] " +
			"/onnxruntime_src/b.cc:114 CudaCall(int) [with ERRTYPE = cudaError] CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=/c.cc ; line=337 ; expr=cudaMalloc((void**)&p, size); ": "CUDA failure 2: out of memory",
	} {
		if got := readable(errors.New(from)).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
