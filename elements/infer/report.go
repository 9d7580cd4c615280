package infer

import (
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// selfTest is a small network with the parts that upscaling networks have (see
// TestSelfTestModel, which makes it), for proving a provider without a model
// of the user's.
//
//go:embed selftest.onnx
var selfTest []byte

// ProviderReport tells whether a provider can be used on this machine.
type ProviderReport struct {
	Name   string // one of the Provider constants
	Auto   bool   // whether ProviderAuto tries it
	Works  bool   // a real inference on it gave the CPU's numbers
	Device string // what it computes on, where that is known
	Reason string // why it does not work, in one line; "" where it does
	Fix    string // what would make it work; "" where it does
	Notes  []string
}

// Providers lists the names of the providers in the order of ProviderAuto.
func Providers() []string {
	names := make([]string, 0, len(providers))
	for _, p := range providers {
		names = append(names, p.name)
	}
	return names
}

// Report tries a provider with a real inference on device number 0 and compares
// the numbers with the CPU's. It takes a fraction of a second, or longer where
// TensorRT builds an engine. A driver that is broken may end the process, so who
// only wants to know asks in a process of its own.
func Report(rt *Runtime, name string) (ProviderReport, error) {
	i := slices.IndexFunc(providers, func(p provider) bool { return p.name == name })
	if i < 0 {
		return ProviderReport{}, fmt.Errorf("%w: there is no provider %q", ErrConfig, name)
	}
	m, err := LoadModel(rt, "self-test", selfTest)
	if err != nil {
		return ProviderReport{}, err
	}
	return reportOn(m, providers[i])
}

// reportOn runs the model on one provider.
func reportOn(m *Model, p provider) (r ProviderReport, err error) {
	cache, err := os.MkdirTemp("", "upscaled-engines-")
	if err != nil {
		return ProviderReport{}, fmt.Errorf("a folder for engines: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
	r = ProviderReport{Name: p.name, Auto: p.auto}
	u, err := newUpscaler(m, Config{
		In:       frame.Layout{Format: frame.NV12, Width: 128, Height: 96},
		Provider: p.name,
		CacheDir: cache,
		Log:      slog.New(slog.DiscardHandler),
	}, []provider{p})
	if err != nil {
		r.Reason, r.Fix = err.Error(), fixes[p.name]
		return r, nil
	}
	r.Works, r.Notes = true, u.Notes()
	switch p.name {
	case ProviderTensorRT, ProviderCUDA:
		r.Device = deviceName(0)
	case ProviderCPU:
		r.Device = processorName()
	}
	return r, u.Close()
}

// fixes say what each provider needs.
var fixes = map[string]string{
	ProviderTensorRT: "install NVIDIA's driver, and the CUDA, cuDNN and TensorRT that ONNX Runtime was built for, and set " + LibraryEnv + " to an ONNX Runtime built for TensorRT",
	ProviderCUDA:     "install NVIDIA's driver, and the CUDA and cuDNN that ONNX Runtime was built for, and set " + LibraryEnv + " to an ONNX Runtime built for CUDA",
	ProviderOpenVINO: "install OpenVINO and Intel's GPU driver, and set " + LibraryEnv + " to an ONNX Runtime built for OpenVINO",
	ProviderWebGPU:   "install a Vulkan driver for the GPU, and set " + LibraryEnv + " to an ONNX Runtime built for WebGPU",
	ProviderCPU:      "run make deps again: the CPU provider is part of every ONNX Runtime",
}

// processorName returns the name of the first processor, or "".
func processorName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, name, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return ""
}
