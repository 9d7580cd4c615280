package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/pipeline"
)

// benchCommand measures what each stage costs alone and what they come to
// together, and what sessions of the server take.
type benchCommand struct {
	Dir    string `default:"bench" help:"Folder for the drawn clips and the figures."`
	Runs   int    `default:"5" help:"Runs of each measurement; the median is told, with the least and the most."`
	Frames int    `default:"120" help:"Pictures in a run of a stage."`
	Only   string `default:"all" enum:"all,stages,sessions,starts,cold,rest,full,control,split,remote,live,webrtc" help:"What is measured: ${enum}."`
	Model  string `default:"${default_model}" help:"Id, or path of an ONNX file."`
}

// benchSizes are the sources: each is made twice as large.
var benchSizes = [][2]int{{640, 360}, {854, 480}, {960, 540}}

// spread is the median of some runs with the least and the most.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	v := slices.Sorted(slices.Values(values))
	return spread{v[len(v)/2], v[0], v[len(v)-1]}
}

// String tells the median and, in brackets, the least and the most.
func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max) }

// figures are those of one size. core_ms is processor time, all cores, in
// milliseconds a frame.
type figures struct {
	Source   string  `json:"source"`
	Written  string  `json:"written"`
	Decode   spread  `json:"decode_core_ms"`
	Upscale  spread  `json:"upscale_core_ms"`
	Encode   spread  `json:"encode_core_ms"`
	Ideal    float64 `json:"ideal_fps"` // cores over the sum of the medians
	FPS      spread  `json:"end_to_end_fps"`
	Ratio    float64 `json:"ratio"` // end to end over ideal
	Raw      spread  `json:"raw_onnx_runtime_core_ms"`
	RawFPS   spread  `json:"raw_onnx_runtime_fps"`
	Overhead float64 `json:"element_over_raw_percent"` // core-ms of the stage over those of the bare network
	RSS      spread  `json:"peak_rss_mib"`             // of the whole process, end to end
}

// benchReport is what is written to figures.json.
type benchReport struct {
	Version string    `json:"version"`
	Cores   int       `json:"cores"`
	Model   string    `json:"model"`
	Speed   string    `json:"speed"`
	Runs    int       `json:"runs"`
	Frames  int       `json:"frames"`
	Sizes   []figures `json:"sizes"`
}

// Run measures what was asked for.
func (c *benchCommand) Run(ctx context.Context, a *app) error {
	if c.Runs < 1 || c.Frames < 2 {
		return &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "bench: needs at least 1 run and 2 frames"}
	}
	if err := a.open(); err != nil {
		return job.WithCode(err)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if c.Only == "all" || c.Only == "stages" {
		if err := c.stages(ctx, a); err != nil {
			return err
		}
	}
	if c.Only == "stages" {
		return nil
	}
	return c.sessions(ctx, a)
}

// stages draws and measures each size, prints the figures and writes them to
// figures.json.
func (c *benchCommand) stages(ctx context.Context, a *app) error {
	report := benchReport{
		Version: revision(), Cores: runtime.GOMAXPROCS(0), Model: c.Model, Speed: string(pipeline.Fast), Runs: c.Runs, Frames: c.Frames,
	}
	for _, size := range benchSizes {
		b, err := newBench(ctx, a, c, size[0], size[1])
		if err != nil {
			return err
		}
		f, err := b.measure(ctx, report.Cores)
		if err != nil {
			return err
		}
		report.Sizes = append(report.Sizes, f)
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(c.Dir, "figures.json")
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return report.print(a, path)
}

func (r benchReport) print(a *app, path string) error {
	fmt.Fprintf(a.stdout, "%s on %d cores, x264 %s: medians of %d runs of %d frames (least–most)\n", r.Model, r.Cores, r.Speed, r.Runs, r.Frames)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, f := range r.Sizes {
		fmt.Fprintf(w, "%s → %s\t\n", f.Source, f.Written)
		for _, row := range []struct {
			name  string
			value any
		}{
			{"decode, core-ms a frame", f.Decode},
			{"upscale", f.Upscale},
			{"encode", f.Encode},
			{"ideal fps", fmt.Sprintf("%.1f", f.Ideal)},
			{"end to end fps", f.FPS},
			{"ratio", fmt.Sprintf("%.2f", f.Ratio)},
			{"ONNX Runtime alone, core-ms a frame", f.Raw},
			{"ONNX Runtime alone, fps", f.RawFPS},
			{"element over it", fmt.Sprintf("%+.1f %%", f.Overhead)},
			{"peak RSS, MiB", f.RSS},
		} {
			fmt.Fprintf(w, "  %s\t%v\n", row.name, row.value)
		}
	}
	fmt.Fprintln(w, path)
	return w.Flush()
}
