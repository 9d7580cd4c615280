package job

import (
	"context"
	"errors"
	"log/slog"

	"github.com/upscaled-media/upscaled/pipeline"
)

// Models tells what a job must know of a model before it plans.
type Models interface {
	// Scale returns how many times larger a model makes a picture, 1 to 4.
	Scale(name string) (int, error)
}

// Job is a transcode that can start.
type Job struct {
	Plan pipeline.Plan
	// Output is the path that the finished file gets.
	Output string

	log   *slog.Logger
	force bool
}

// Prepare checks a request, looks at the input and plans. Errors are of type
// *pipeline.Error, or ctx's cause.
func Prepare(ctx context.Context, r Request, models Models, log *slog.Logger) (*Job, error) {
	r, err := r.resolve()
	if err != nil {
		return nil, err
	}
	media, err := pipeline.Probe(ctx, r.Input)
	if err != nil {
		return nil, err
	}
	if err := checkOutput(r); err != nil {
		return nil, err
	}
	scale, err := models.Scale(r.Model)
	if err != nil {
		return nil, modelError(err)
	}
	plan, err := pipeline.NewPlan(media, r.spec(scale, r.Output), pipeline.Has)
	if err != nil {
		return nil, err
	}
	return &Job{Plan: plan, Output: r.Output, log: log, force: r.Force}, nil
}

// Run does the job. observe gets the progress about twice a second, on this
// goroutine. Whatever goes wrong, no unfinished file is left behind. Errors
// are of type *pipeline.Error, or ctx's cause.
func (j *Job) Run(ctx context.Context, observe func(pipeline.Progress)) (pipeline.Result, error) {
	out, err := createOutput(j.Output, j.force)
	if err != nil {
		return pipeline.Result{}, err
	}
	plan := j.Plan.WithOutput(out.temp)
	res, err := pipeline.Runner{Log: j.log, Observe: observe}.Run(ctx, plan)
	if err == nil {
		err = pipeline.Finish(ctx, plan)
	}
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		return res, WithCode(errors.Join(err, out.discard()))
	}
	return res, nil
}
