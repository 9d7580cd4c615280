package infer

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// cpuOptions returns the options of every session; threads 0 is
// DefaultThreads. The caller destroys them.
func cpuOptions(threads int) (*ort.SessionOptions, error) {
	if threads == 0 {
		threads = DefaultThreads()
	}
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		// Without the arena memory is given back and asked for at every node:
		// 454 MB at 960x540 where the arena holds 79. A memory pattern is not
		// faster and holds 27 MB more.
		o.SetCpuMemArena(true),
		o.SetMemPattern(false),
		// Threads that spin while they wait take the cores that the decoder
		// and the encoder share with the network.
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		o.Destroy()
		return nil, err
	}
	return o, nil
}

// openCPU runs the graph on the processor. It takes every precision that the
// model has; half precision is computed in 32 bits where the processor has no
// instructions for it.
func openCPU(j *job) (engine, []string, error) {
	if j.cfg.Precision == PrecisionFP16 && j.model.facts.InType != graph.Float16 {
		return nil, nil, errors.New("the CPU computes this model in 32 bits; use precision auto or fp32")
	}
	o, err := cpuOptions(j.threads)
	if err != nil {
		return nil, nil, err
	}
	defer o.Destroy()
	s, err := j.session(o)
	return s, nil, err
}

// session loads the job's graph with the options.
func (j *job) session(o *ort.SessionOptions) (engine, error) {
	s, err := newSession(j.wrapped.ONNX, names(j.wrapped.Inputs), names(j.wrapped.Outputs), o)
	if err != nil {
		return nil, readable(err) // not s: a nil *session in an engine is not nil
	}
	return s, nil
}

// onDevice loads the job's graph with the provider that appendTo adds. First
// no node may fall back to the CPU; where that fails, some may, and a note says so.
func (j *job) onDevice(name string, appendTo func(*ort.SessionOptions) error) (engine, []string, error) {
	strict, err := j.withProvider(appendTo, true)
	if err == nil {
		return strict, nil, nil
	}
	mixed, again := j.withProvider(appendTo, false)
	if again != nil {
		return nil, nil, again
	}
	return mixed, []string{fmt.Sprintf("%s: parts of the graph run on the CPU: %v", name, err)}, nil
}

func (j *job) withProvider(appendTo func(*ort.SessionOptions) error, strict bool) (engine, error) {
	o, err := cpuOptions(j.threads)
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if strict {
		if err := o.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1"); err != nil {
			return nil, err
		}
	}
	if err := appendTo(o); err != nil {
		return nil, fmt.Errorf("it does not load: %w", readable(err))
	}
	return j.session(o)
}

// openCUDA runs the graph on a GPU of NVIDIA's. Not run on a GPU so far.
func openCUDA(j *job) (engine, []string, error) {
	if j.cfg.Precision == PrecisionFP16 && j.model.facts.InType != graph.Float16 {
		return nil, nil, errors.New("CUDA computes in half precision only models that are in half precision; use tensorrt, or precision auto")
	}
	return j.onDevice(ProviderCUDA, j.appendCUDA)
}

func (j *job) appendCUDA(o *ort.SessionOptions) error {
	c, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer c.Destroy()
	if err := c.Update(j.cudaOptions()); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(c)
}

// cudaOptions are ONNX Runtime's names and values.
func (j *job) cudaOptions() map[string]string {
	tf32 := "1"
	if j.cfg.Precision == PrecisionFP32 {
		tf32 = "0" // TF32 multiplies with 10 bits of mantissa
	}
	return map[string]string{
		"device_id":                 strconv.Itoa(j.cfg.Device),
		"do_copy_in_default_stream": "1",                // frames come one by one; a second stream gains nothing and may race
		"cudnn_conv_algo_search":    "HEURISTIC",        // exhaustive search takes seconds at the first frame
		"arena_extend_strategy":     "kSameAsRequested", // several sessions share the card's memory
		"use_tf32":                  tf32,
	}
}

// openTensorRT runs the graph in an engine that TensorRT builds for it, here
// or in an earlier session of the same key. Not run on a GPU so far.
func openTensorRT(j *job) (engine, []string, error) {
	cache, err := j.engineCache()
	if err != nil {
		return nil, nil, err
	}
	return j.onDevice(ProviderTensorRT, func(o *ort.SessionOptions) error {
		t, err := ort.NewTensorRTProviderOptions()
		if err != nil {
			return err
		}
		defer t.Destroy()
		if err := t.Update(j.tensorRTOptions(cache)); err != nil {
			return err
		}
		if err := o.AppendExecutionProviderTensorRT(t); err != nil {
			return err
		}
		// What TensorRT does not know runs in CUDA.
		return j.appendCUDA(o)
	})
}

// tensorRTOptions are ONNX Runtime's names and values.
func (j *job) tensorRTOptions(cache string) map[string]string {
	half := "1"
	if j.cfg.Precision == PrecisionFP32 {
		half = "0"
	}
	return map[string]string{
		"device_id":                      strconv.Itoa(j.cfg.Device),
		"trt_fp16_enable":                half,
		"trt_engine_cache_enable":        "1",
		"trt_engine_cache_path":          cache,
		"trt_timing_cache_enable":        "1",
		"trt_timing_cache_path":          cache,
		"trt_builder_optimization_level": "3",
	}
}

// openOpenVINO runs the graph on a GPU of Intel's. Not run on one so far.
func openOpenVINO(j *job) (engine, []string, error) {
	precision := map[string]string{PrecisionFP32: "FP32", PrecisionFP16: "FP16"}[j.cfg.Precision]
	if precision == "" {
		precision = "ACCURACY" // the model's own
	}
	return j.onDevice(ProviderOpenVINO, func(o *ort.SessionOptions) error {
		return o.AppendExecutionProviderOpenVINO(map[string]string{
			"device_type": "GPU." + strconv.Itoa(j.cfg.Device),
			"precision":   precision,
		})
	})
}

// openWebGPU runs the graph on whatever Vulkan offers. It has run on a graphics
// card made of software only (SwiftShader), where its numbers were the CPU's.
func openWebGPU(j *job) (engine, []string, error) {
	if j.cfg.Precision == PrecisionFP16 && j.model.facts.InType != graph.Float16 {
		return nil, nil, errors.New("WebGPU computes in half precision only models that are in half precision")
	}
	return j.onDevice(ProviderWebGPU, func(o *ort.SessionOptions) error {
		return o.AppendExecutionProvider("WebGPU", map[string]string{"deviceId": strconv.Itoa(j.cfg.Device)})
	})
}

// gpuFailure is how ONNX Runtime tells of a call that a library of NVIDIA's refused:
// which, with what number and in what words. What follows tells of its source and
// names this host.
var gpuFailure = regexp.MustCompile(`(?:CUDA|CUDNN|CUBLAS|CUFFT|CURAND|CUSPARSE) failure -?\d+: .*? ; GPU=`)

// readable returns an error of ONNX Runtime's, which is nothing but a text, in one
// line and without the places in its source that it names.
func readable(err error) error {
	s := strings.Join(strings.Fields(err.Error()), " ")
	if failure := gpuFailure.FindString(s); failure != "" {
		return errors.New(strings.TrimSuffix(failure, " ; GPU="))
	}
	for _, end := range []string{"[ONNXRuntimeError] : 1 : FAIL : ", "was false. "} {
		if _, after, found := strings.Cut(s, end); found {
			s = after
		}
	}
	return errors.New(s)
}
