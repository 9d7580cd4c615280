package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

// bench is what the runs of one size need.
type bench struct {
	a             *app
	runs, frames  int
	model         *infer.Model
	data          []byte // of the model
	width, height int    // of the source, pixels
	path          string // of the source
	output        string
	plan          pipeline.Plan
	small, large  []frame.Frame // what the stages alone are fed with
}

// kept is how many different pictures the stages are fed with alone: enough
// that the encoder sees motion, few enough for the memory.
const kept = 48

// usualQuality is x264's quantizer for the sources: what x264 itself takes when
// nobody says otherwise.
const usualQuality = 23

func newBench(ctx context.Context, a *app, c *benchCommand, width, height int) (*bench, error) {
	b := &bench{
		a: a, runs: c.Runs, frames: c.Frames, width: width, height: height,
		path: filepath.Join(c.Dir, fmt.Sprintf("source-%dx%d.mkv", width, height)), output: filepath.Join(c.Dir, "out.mkv"),
	}
	file, err := models.Open(c.Model)
	if err != nil {
		return nil, job.WithCode(err)
	}
	b.data = file.Data
	if b.model, err = a.model(c.Model); err != nil {
		return nil, job.WithCode(err)
	}
	clip, err := testmedia.NewDetail(testmedia.Spec{Width: 2 * width, Height: 2 * height, Frames: c.Frames})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(a.stderr, "drawing %s\n", b.path)
	if err := recordHalf(ctx, b.path, clip, usualQuality); err != nil {
		return nil, err
	}
	request := demoRequest(b.path, b.output)
	request.Model = c.Model
	j, err := job.Prepare(ctx, request, a, a.log)
	if err != nil {
		return nil, err
	}
	b.plan = j.Plan
	return b, b.load(ctx)
}

// load decodes the first pictures and upscales them.
func (b *bench) load(ctx context.Context) error {
	var u *infer.Upscaler
	err := pipeline.Frames(ctx, b.path, func(p pipeline.Picture) (err error) {
		if len(b.small) == kept {
			return nil
		}
		if u == nil {
			if u, err = infer.New(b.a.rt, b.model, infer.Config{In: p.Frame.Layout, Log: b.a.log}); err != nil {
				return err
			}
		}
		small, large := frame.New(p.Frame.Layout, 1), frame.New(u.Out(), 1)
		for i := range small.Format.Planes() {
			_, rows := small.PlaneSize(i)
			frame.CopyRows(small.Planes[i], p.Frame.Planes[i], small.RowBytes(i), rows)
		}
		b.small, b.large = append(b.small, small), append(b.large, large)
		return u.Run(small, large, 1)
	})
	if u != nil {
		err = errors.Join(err, u.Close())
	}
	return err
}

// measure takes every figure once in each round, so that a machine that gets
// slower slows all of them alike.
func (b *bench) measure(ctx context.Context, cores int) (figures, error) {
	fmt.Fprintf(b.a.stderr, "measuring %d×%d, %d rounds\n", b.width, b.height, b.runs)
	values := map[string][]float64{}
	for range b.runs {
		if err := b.round(ctx, func(name string, v float64) { values[name] = append(values[name], v) }); err != nil {
			return figures{}, err
		}
	}
	f := figures{
		Source: fmt.Sprintf("%d×%d", b.width, b.height), Written: fmt.Sprintf("%d×%d", b.plan.Width, b.plan.Height),
		Decode: spreadOf(values["decode"]), Upscale: spreadOf(values["upscale"]), Encode: spreadOf(values["encode"]),
		FPS: spreadOf(values["fps"]), Raw: spreadOf(values["raw"]), RawFPS: spreadOf(values["raw fps"]), RSS: spreadOf(values["rss"]),
	}
	f.Ideal = 1000 * float64(cores) / (f.Decode.Median + f.Upscale.Median + f.Encode.Median)
	f.Ratio = f.FPS.Median / f.Ideal
	f.Overhead = 100 * (f.Upscale.Median/f.Raw.Median - 1)
	return f, nil
}

func (b *bench) round(ctx context.Context, add func(name string, v float64)) error {
	for _, alone := range []struct {
		stage    pipeline.Stage
		pictures []frame.Frame
	}{{pipeline.StageDecode, nil}, {pipeline.StageUpscale, b.small}, {pipeline.StageEncode, b.large}} {
		cost, err := pipeline.Alone(ctx, b.plan, alone.stage, alone.pictures, b.frames)
		if err != nil {
			return err
		}
		add(string(alone.stage), milliseconds(cost.CPU)/float64(cost.Frames))
	}
	cost, err := b.raw()
	if err != nil {
		return err
	}
	add("raw", milliseconds(cost.CPU)/float64(cost.Frames))
	add("raw fps", float64(cost.Frames)/cost.Wall.Seconds())
	fps, rss, err := b.endToEnd(ctx)
	add("fps", fps)
	add("rss", rss)
	return err
}

// raw runs the bare network, after a first run that sets it up.
func (b *bench) raw() (cost pipeline.Cost, err error) {
	r, err := infer.NewRaw(b.model, b.data, b.width, b.height, b.plan.Spec.Threads.Upscale)
	if err != nil {
		return cost, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Run(); err != nil {
		return cost, err
	}
	begin, used := time.Now(), processorTime()
	for range b.frames {
		if err := r.Run(); err != nil {
			return cost, err
		}
	}
	return pipeline.Cost{Frames: b.frames, CPU: processorTime() - used, Wall: time.Since(begin)}, nil
}

// processorTime returns what this process has used so far, all threads.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // getrusage(2): not with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// endToEnd transcodes in a process of its own and returns the frames a second
// that it tells and its peak memory in MiB.
func (b *bench) endToEnd(ctx context.Context) (fps, rss float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, self, "transcode", b.path, "--output", b.output, "--force", "--json",
		"--speed", string(b.plan.Spec.Speed), "--model", b.plan.Spec.Model)
	cmd.Stderr = b.a.stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("the transcode to measure failed: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	last := lines[len(lines)-1]
	var done doneEvent
	if err := json.Unmarshal(last, &done); err != nil || done.Event != "done" {
		return 0, 0, fmt.Errorf("the transcode to measure ended with %q", last)
	}
	return done.FPS, done.RSS, nil
}
