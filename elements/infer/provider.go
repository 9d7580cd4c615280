package infer

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
	bands  bool // computes bands of a frame on several cores

	// open loads the job's graph. The notes say what of it is not as asked.
	open func(j *job) (engine, []string, error)
}

// providers are all that are known, in the order in which auto tries them.
var providers = []provider{
	{name: ProviderTensorRT, auto: true, device: true, open: openTensorRT},
	{name: ProviderCUDA, auto: true, device: true, open: openCUDA},
	{name: ProviderOpenVINO, auto: true, device: true, open: openOpenVINO},
	{name: ProviderWebGPU, device: true, open: openWebGPU},
	{name: ProviderCPU, auto: true, bands: true, open: openCPU},
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
