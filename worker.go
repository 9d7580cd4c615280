package main

import (
	"context"

	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// workerCommand is a worker of the server's, which starts it with its sockets open.
type workerCommand struct{}

// codedModels gives errors about models their codes.
type codedModels struct{ a *app }

// Scale implements worker.Models.
func (m codedModels) Scale(name string) (int, error) {
	scale, err := m.a.Scale(name)
	return scale, job.WithCode(err)
}

// Add implements worker.Models.
func (m codedModels) Add(name string, data []byte) error { return job.WithCode(m.a.add(name, data)) }

// Run works until the server lets the worker go.
func (c *workerCommand) Run(ctx context.Context, a *app) error {
	ends, err := worker.Inherited()
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	pipeline.Warm()
	if _, err := a.Scale(models.Default); err != nil {
		return err
	}
	return worker.Serve(ctx, ends, worker.Config{
		Models: codedModels{a}, Threads: threads(), Log: a.log,
		Hello: wire.Hello{Version: wire.Version, GStreamer: pipeline.Version(), ONNXRuntime: a.rt.Version()},
	})
}
