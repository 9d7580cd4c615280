package infer

import (
	"fmt"
	"strings"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// The names of providers, for Config.Provider. ProviderAuto takes the first
// that can run the model, in the order of the others but WebGPU, which may end up
// on a graphics card made of software.
const (
	ProviderAuto     = "auto"
	ProviderTensorRT = "tensorrt"
	ProviderCUDA     = "cuda"
	ProviderOpenVINO = "openvino"
	ProviderWebGPU   = "webgpu"
	ProviderCPU      = "cpu"
)

// The precisions of Config.Precision: the model's own type, with whatever the
// provider does by default; nothing below 32 bits added; or half precision
// asked for.
const (
	PrecisionAuto = "auto"
	PrecisionFP32 = "fp32"
	PrecisionFP16 = "fp16"
)

func knownPrecision(s string) bool {
	return s == "" || s == PrecisionAuto || s == PrecisionFP32 || s == PrecisionFP16
}

// provider is one way to run a graph.
type provider struct {
	name   string
	auto   bool // is tried in auto
	device bool // computes elsewhere than the CPU reference, so that its numbers are compared

	// open loads the job's graph. The notes say what of it is not as asked.
	open func(j *job) (engine, []string, error)
}

// providers are all that are known, in the order in which auto tries them.
var providers = []provider{
	{name: ProviderTensorRT, auto: true, device: true, open: openTensorRT},
	{name: ProviderCUDA, auto: true, device: true, open: openCUDA},
	{name: ProviderOpenVINO, auto: true, device: true, open: openOpenVINO},
	{name: ProviderWebGPU, device: true, open: openWebGPU},
	{name: ProviderCPU, auto: true, open: openCPU},
}

func knownProvider(name string) bool {
	if name == "" || name == ProviderAuto {
		return true
	}
	for _, p := range providers {
		if p.name == name {
			return true
		}
	}
	return false
}

// job is a wrapped model on its way to a provider.
type job struct {
	model   *Model
	cfg     Config
	plan    graph.Plan
	wrapped *graph.Wrapped
}

// choose opens the job on the provider that the configuration names, or on the
// first of chain that passes its test. The notes tell why others did not.
func (j *job) choose(chain []provider) (engine, string, []string, error) {
	auto := j.cfg.Provider == "" || j.cfg.Provider == ProviderAuto
	var notes []string
	for _, p := range chain {
		if auto && !p.auto || !auto && p.name != j.cfg.Provider {
			continue
		}
		e, remarks, err := j.try(p)
		if err == nil {
			return e, p.name, append(notes, remarks...), nil
		}
		if !auto {
			return nil, "", nil, fmt.Errorf("%w: %s: %w", ErrProvider, p.name, err)
		}
		j.cfg.Log.Info("provider refused", "provider", p.name, "model", j.model.name, "reason", err)
		notes = append(notes, fmt.Sprintf("%s: %v", p.name, err))
	}
	return nil, "", nil, fmt.Errorf("%w: every one was refused: %s", ErrProvider, strings.Join(notes, "; "))
}

// try opens the job on p and proves it by a real inference.
func (j *job) try(p provider) (engine, []string, error) {
	var e engine
	var notes []string
	err := keepSignals(func() (err error) {
		if e, notes, err = p.open(j); err != nil {
			return err
		}
		return j.verify(e, p)
	})
	if err != nil && e != nil {
		e.close()
		e = nil
	}
	return e, notes, err
}
