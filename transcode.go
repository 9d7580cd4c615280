package main

import (
	"context"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

// transcodeCommand makes an upscaled file of a video file.
type transcodeCommand struct {
	Input      string              `arg:"" help:"Video file."`
	Output     string              `short:"o" placeholder:"FILE" help:"File to write. Default: NAME.upscaled.mkv beside the input."`
	Model      string              `default:"auto" placeholder:"ID|PATH|auto" help:"Id of a model (see 'upscaled models list'), path of an ONNX file, or auto."`
	Provider   string              `default:"auto" enum:"auto,cuda,tensorrt,openvino,webgpu,cpu" help:"Where the model runs: ${enum}."`
	Device     int                 `default:"0" help:"Number of the provider's device."`
	Height     int                 `placeholder:"ROWS" help:"Rows of the written picture; a plain scaler makes it so after the model."`
	VideoCodec pipeline.VideoCodec `placeholder:"CODEC" help:"h264, hevc, av1 or vp9. Default: h264, or hevc where the source is HDR."`
	Quality    int                 `default:"-1" placeholder:"N" help:"Constant quality in the codec's own scale, less is better: h264 and hevc 0 to 51, av1 and vp9 0 to 63."`
	Speed      pipeline.Speed      `default:"balanced" enum:"fast,balanced,best" help:"How long the encoder may look for a smaller file: ${enum}."`
	Container  pipeline.Container  `placeholder:"mkv|mp4" help:"Container. Default: by the output's name, else mkv."`
	Strength   float64             `default:"1" help:"Share of the model in its mix with a bicubic upscale, 0 to 1."`
	Start      time.Duration       `placeholder:"T" help:"Where to begin, as in 90s or 1h2m."`
	Duration   time.Duration       `placeholder:"T" help:"How much to take. Default: all."`
	Force      bool                `short:"f" help:"Write over the output."`
	Remote     string              `placeholder:"URL" help:"Server that does the work, as in http://gpu.lan:7890. Its token is that of --token-file, or of the variable UPSCALED_TOKEN."`
	TokenFile  string              `placeholder:"FILE" help:"File with the token of the server of --remote on its one line."`
	JSON       bool                `name:"json" help:"Print JSON lines instead of text."`
}

// Run transcodes.
func (c *transcodeCommand) Run(ctx context.Context, a *app) error {
	show := newDisplay(a, c.JSON)
	var err error
	if c.Remote != "" {
		err = c.remotely(ctx, show)
	} else {
		_, err = a.transcode(ctx, c.request(), show)
	}
	if err != nil {
		return show.failed(err)
	}
	return nil
}

func (c *transcodeCommand) request() job.Request {
	return job.Request{
		Input: c.Input, Output: c.Output, Force: c.Force, Model: modelName(c.Model), Provider: c.Provider, Device: c.Device,
		Container: c.Container, Codec: c.VideoCodec, Quality: c.Quality, Speed: c.Speed, Strength: c.Strength,
		Height: c.Height, Threads: threads(), Start: c.Start, Duration: c.Duration,
	}
}

// modelName resolves auto. A choice by measurement needs models to choose
// from; while one is known, it is the choice.
func modelName(name string) string {
	if name == "auto" {
		return models.Default
	}
	return name
}

// transcode prepares and runs a job, and shows it.
func (a *app) transcode(ctx context.Context, r job.Request, show display) (outcome, error) {
	if err := a.open(); err != nil {
		return outcome{}, job.WithCode(err)
	}
	j, err := job.Prepare(ctx, r, a, a.log)
	if err != nil {
		return outcome{}, err
	}
	show.plan(j)
	res, err := j.Run(ctx, show.progress)
	show.end()
	if err != nil {
		return outcome{}, err
	}
	done := outcome{job: j, result: res}
	show.done(done)
	return done, nil
}

// outcome is a finished transcode.
type outcome struct {
	job    *job.Job
	result pipeline.Result
}

// fps returns the pictures that were written a second, from the start of the
// pipeline to the finished file.
func (o outcome) fps() float64 { return rate(o.result.Encoded, o.result.Elapsed) }

func rate(frames int64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(frames) / d.Seconds()
}

// display shows a job to the user.
type display interface {
	plan(j *job.Job)
	progress(p pipeline.Progress)
	end() // of the progress, whatever came of it
	note(sentence string)
	done(o outcome)
	failed(err error) error // returns err, marked as reported if it has shown it
}

func newDisplay(a *app, asJSON bool) display {
	if asJSON {
		return newJSONDisplay(a.stdout)
	}
	return newTextDisplay(a.stderr)
}

// marked returns err as one that the user has seen.
func marked(err error) error { return fmt.Errorf("%w: %w", errReported, err) }
