package main

import (
	"log/slog"
	"os"
	"runtime"
	"sync"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/upscale"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

// app is what the subcommands share.
type app struct {
	log            *slog.Logger
	stdout, stderr *os.File

	mu     sync.Mutex
	rt     *infer.Runtime          // guarded by mu; nil before open
	loaded map[string]*infer.Model // guarded by mu; by the name they were asked for under
}

// open starts GStreamer and ONNX Runtime and makes the element known. Further
// calls do nothing.
func (a *app) open() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rt != nil {
		return nil
	}
	rt, err := infer.Open()
	if err != nil {
		return err
	}
	pipeline.Init()
	if err := upscale.Register(upscale.Config{Runtime: rt, Model: a.model, Log: a.log}); err != nil {
		return err
	}
	a.rt, a.loaded = rt, map[string]*infer.Model{}
	a.log.Debug("started", "gstreamer", pipeline.Version(), "onnxruntime", rt.Version(), "library", rt.Path())
	return nil
}

// model loads a model by id or path, once.
func (a *app) model(name string) (*infer.Model, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.loaded[name]; m != nil {
		return m, nil
	}
	file, err := models.Open(name)
	if err != nil {
		return nil, err
	}
	m, err := infer.LoadModel(a.rt, file.Name(), file.Data)
	if err != nil {
		return nil, err
	}
	a.loaded[name] = m
	return m, nil
}

// add makes a model known under a name that no other has.
func (a *app) add(name string, data []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.loaded[name] != nil {
		return nil // it has been given twice
	}
	m, err := infer.LoadModel(a.rt, name, data)
	if err != nil {
		return err
	}
	a.loaded[name] = m
	return nil
}

// Scale implements job.Models.
func (a *app) Scale(name string) (int, error) {
	m, err := a.model(name)
	if err != nil {
		return 0, err
	}
	return m.Facts().Scale, nil
}

// threads shares this machine's cores among the stages.
func threads() pipeline.Threads { return pipeline.ShareCores(runtime.GOMAXPROCS(0)) }
