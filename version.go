package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/pipeline"
)

// versionCommand prints versions.
type versionCommand struct{}

// Run prints what this binary is and what it was built for.
func (versionCommand) Run(a *app) error {
	pipeline.Init()
	fmt.Fprintf(a.stdout, "upscaled %s (%s), GStreamer %s, built for ONNX Runtime %s\n",
		revision(), runtime.Version(), pipeline.Version(), infer.WantedVersion())
	return nil
}

// revision returns the commit that the binary was built from.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	found := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			found = s.Value[:min(12, len(s.Value))]
		}
	}
	return found
}
