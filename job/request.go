package job

import (
	"cmp"
	"path/filepath"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/pipeline"
)

// Request is what a user asks for. Zero values stand for defaults.
type Request struct {
	Input     string
	Output    string // default: beside Input, NAME.upscaled.EXT
	Force     bool   // write over Output
	Model     string // id or path
	Provider  string
	Device    int
	Container pipeline.Container  // default: by Output's extension, else Matroska
	Codec     pipeline.VideoCodec // default: H264, HEVC for HDR
	Quality   int                 // -1: the codec's default
	Speed     pipeline.Speed      // default: Balanced
	Strength  float64             // 0 to 1
	Height    int                 // rows; 0: the source's times the model's scale
	Threads   pipeline.Threads
	Start     time.Duration
	Duration  time.Duration
}

// resolve fills in the container and the output's path.
func (r Request) resolve() (Request, error) {
	byName := pipeline.Container(strings.ToLower(strings.TrimPrefix(filepath.Ext(r.Output), ".")))
	known := byName == pipeline.Matroska || byName == pipeline.MP4
	switch {
	case r.Container == pipeline.TS:
		return r, fail(pipeline.CodeSpec, nil, "container: must be mkv or mp4 (got %q)", r.Container)
	case r.Output == "":
		r.Container = cmp.Or(r.Container, pipeline.Matroska)
		base := strings.TrimSuffix(r.Input, filepath.Ext(r.Input))
		r.Output = base + ".upscaled." + string(r.Container)
	case !known:
		return r, fail(pipeline.CodeSpec, nil, "output: the name must end in .mkv or .mp4 (got %s)", filepath.Base(r.Output))
	case r.Container == "":
		r.Container = byName
	case r.Container != byName:
		return r, fail(pipeline.CodeSpec, nil, "output: %s is not the name of an %s file", filepath.Base(r.Output), r.Container)
	}
	r.Speed = cmp.Or(r.Speed, pipeline.Balanced)
	return r, nil
}

// spec says the request in the pipeline's words.
func (r Request) spec(scale int, output string) pipeline.Spec {
	return pipeline.Spec{
		Output: output, Container: r.Container, Model: r.Model, Scale: scale, Provider: r.Provider, Device: r.Device,
		Strength: r.Strength, Height: r.Height, Codec: r.Codec, Quality: r.Quality, Speed: r.Speed, Threads: r.Threads,
		Start: r.Start, Duration: r.Duration,
	}
}
