package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/pipeline"
)

// doctorCommand checks the machine.
type doctorCommand struct {
	JSON bool   `name:"json" help:"Print JSON."`
	Try  string `hidden:"" placeholder:"PROVIDER" help:"Try one provider in this process, as doctor does in one of its own."`
}

// diagnosis is what doctor found.
type diagnosis struct {
	GStreamer string                 `json:"gstreamer"`
	Elements  []elementCheck         `json:"elements"`
	Encoders  map[string][]string    `json:"encoders"` // by codec, those that are here
	Runtime   runtimeCheck           `json:"onnx_runtime"`
	Providers []infer.ProviderReport `json:"providers"`
	Processor []string               `json:"processor_features"`
	Cores     int                    `json:"cores"`
	GPUs      []string               `json:"gpus"`
	Healthy   bool                   `json:"healthy"`
	Fixes     []string               `json:"fixes"`
}

// elementCheck is a GStreamer element that is needed.
type elementCheck struct {
	Element string `json:"element"`
	Package string `json:"package"` // of Debian, that holds it
	Found   bool   `json:"found"`
}

// runtimeCheck is the state of the ONNX Runtime library.
type runtimeCheck struct {
	Wanted  string `json:"wanted"`
	Version string `json:"version"`
	Path    string `json:"path"`
	Problem string `json:"problem,omitempty"`
}

// Run checks and prints. It returns an error, already reported, when something
// that is needed is missing.
func (c *doctorCommand) Run(ctx context.Context, a *app) error {
	if c.Try != "" {
		return a.try(c.Try)
	}
	d := a.examine(ctx)
	var err error
	if c.JSON {
		err = printJSON(a.stdout, d)
	} else {
		d.print(a)
	}
	if err == nil && !d.Healthy {
		err = marked(fmt.Errorf("something is missing"))
	}
	return err
}

// examine looks at everything. It changes nothing.
func (a *app) examine(ctx context.Context) diagnosis {
	pipeline.Init()
	d := diagnosis{
		GStreamer: pipeline.Version(), Cores: runtime.NumCPU(), Processor: processorFeatures(), GPUs: gpus(ctx),
		Encoders: pipeline.Encoders(pipeline.Has), Fixes: []string{},
	}
	missing := map[string][]string{}
	for _, n := range pipeline.Needed() {
		found := pipeline.Has(n.Element)
		d.Elements = append(d.Elements, elementCheck{n.Element, n.Package, found})
		if !found {
			missing[n.Package] = append(missing[n.Package], n.Element)
		}
	}
	for p, elements := range missing {
		d.Fixes = append(d.Fixes, fmt.Sprintf("install %s (elements %s)", p, strings.Join(elements, ", ")))
	}
	a.examineRuntime(ctx, &d)
	d.Healthy = len(d.Fixes) == 0
	return d
}

// examineRuntime opens ONNX Runtime and tries every provider with a real
// inference.
func (a *app) examineRuntime(ctx context.Context, d *diagnosis) {
	d.Runtime.Wanted = infer.WantedVersion()
	rt, err := infer.Open()
	if err != nil {
		d.Runtime.Problem = err.Error()
		d.Fixes = append(d.Fixes, "run deploy/install-deps.sh, or let "+infer.LibraryEnv+" name the library")
		return
	}
	d.Runtime.Version, d.Runtime.Path = rt.Version(), rt.Path()
	for _, name := range infer.Providers() {
		r := tryApart(ctx, name)
		d.Providers = append(d.Providers, r)
		if name == infer.ProviderCPU && !r.Works {
			d.Fixes = append(d.Fixes, "the CPU provider must run: "+r.Reason)
		}
	}
}

// tryApart tries a provider in a process of its own: a broken driver may end it.
func tryApart(ctx context.Context, provider string) infer.ProviderReport {
	report := infer.ProviderReport{Name: provider}
	self, err := os.Executable()
	if err != nil {
		report.Reason = err.Error()
		return report
	}
	out, err := exec.CommandContext(ctx, self, "doctor", "--try", provider).Output()
	if err != nil {
		report.Reason = fmt.Sprintf("trying it ended the process: %v", err)
		return report
	}
	if err := json.Unmarshal(out, &report); err != nil {
		report.Reason = fmt.Sprintf("trying it gave no report: %v", err)
	}
	return report
}

// try tries one provider in this process and prints the report.
func (a *app) try(provider string) error {
	rt, err := infer.Open()
	if err != nil {
		return err
	}
	r, err := infer.Report(rt, provider)
	if err != nil {
		return err
	}
	return printJSON(a.stdout, r)
}

// processorFeatures lists what ONNX Runtime's kernels for the processor use.
func processorFeatures() []string {
	found := []string{}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"avx2", cpu.X86.HasAVX2},
		{"fma", cpu.X86.HasFMA},
		{"avx512f", cpu.X86.HasAVX512F},
		{"avx512vnni", cpu.X86.HasAVX512VNNI},
		{"avx512bf16", cpu.X86.HasAVX512BF16},
		{"amx-int8", cpu.X86.HasAMXInt8},
		{"amx-bf16", cpu.X86.HasAMXBF16},
		{"asimd", cpu.ARM64.HasASIMD},
		{"asimddp", cpu.ARM64.HasASIMDDP},
		{"sve", cpu.ARM64.HasSVE},
	} {
		if f.has {
			found = append(found, f.name)
		}
	}
	return found
}

// gpus names the GPUs that NVIDIA's driver and the kernel's render nodes show.
func gpus(ctx context.Context) []string {
	found := []string{}
	if out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader").Output(); err == nil {
		found = append(found, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	nodes, err := os.ReadDir("/dev/dri")
	if err != nil {
		return found // no GPU with a kernel driver
	}
	for _, n := range nodes {
		if strings.HasPrefix(n.Name(), "renderD") {
			found = append(found, "/dev/dri/"+n.Name())
		}
	}
	return found
}

// print writes the diagnosis for a person.
func (d diagnosis) print(a *app) {
	w := a.stdout
	mark := map[bool]string{true: "ok     ", false: "MISSING"}
	fmt.Fprintf(w, "GStreamer %s\n", d.GStreamer)
	for _, e := range d.Elements {
		fmt.Fprintf(w, "  %s  %-16s %s\n", mark[e.Found], e.Element, e.Package)
	}
	fmt.Fprintln(w, "Encoders")
	for _, c := range pipeline.Codecs() {
		here := d.Encoders[string(c)]
		if len(here) == 0 {
			here = []string{"none"}
		}
		fmt.Fprintf(w, "  %-5s  %s\n", c, strings.Join(here, ", "))
	}
	if d.Runtime.Problem != "" {
		fmt.Fprintf(w, "ONNX Runtime (wanted: %s)\n  MISSING  %s\n", d.Runtime.Wanted, d.Runtime.Problem)
	} else {
		fmt.Fprintf(w, "ONNX Runtime %s\n  %s\n", d.Runtime.Version, d.Runtime.Path)
	}
	for _, p := range d.Providers {
		if p.Works {
			fmt.Fprintf(w, "  ok       %-9s %s\n", p.Name, p.Device)
			continue
		}
		fmt.Fprintf(w, "  no       %-9s %s\n", p.Name, firstLine(p.Reason))
		if p.Fix != "" {
			fmt.Fprintf(w, "           %-9s %s\n", "", p.Fix)
		}
	}
	fmt.Fprintf(w, "Processor: %d cores, %s\n", d.Cores, strings.Join(d.Processor, " "))
	if len(d.GPUs) == 0 {
		fmt.Fprintln(w, "GPU: none found")
	}
	for _, g := range d.GPUs {
		fmt.Fprintln(w, "GPU:", g)
	}
	for _, f := range d.Fixes {
		fmt.Fprintln(w, "FIX:", f)
	}
}
