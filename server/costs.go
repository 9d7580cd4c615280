package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/api"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// costs knows what each model takes of this machine: a worker measures it once,
// before the first sessions come. Until then a film's cost is not predicted, and
// what its session really takes counts as soon as that is known.
type costs struct {
	workers *pool.Pool
	models  []models.Manifest
	log     *slog.Logger

	mu    sync.Mutex
	known map[string]wire.Costs // guarded by mu; by model
}

func newCosts(workers *pool.Pool, known []models.Manifest, log *slog.Logger) *costs {
	return &costs{workers: workers, models: known, log: log, known: map[string]wire.Costs{}}
}

// run measures the models, one after the other, and ends.
func (c *costs) run(ctx context.Context) error {
	for _, m := range c.models {
		measured, err := c.measure(ctx, m.ID)
		switch {
		case ctx.Err() != nil || errors.Is(err, pool.ErrEnded):
			return nil
		case err != nil: // sessions are admitted by what they really take, then
			c.log.Warn("costs not measured", "model", m.ID, "error", err)
			continue
		}
		c.log.Info("costs measured", "model", m.ID, "decode", measured.Decode, "upscale", measured.Upscale,
			"encode", measured.Encode, "gpu", measured.GPU)
		c.mu.Lock()
		c.known[m.ID] = measured
		c.mu.Unlock()
	}
	return nil
}

// measure has a worker of its own measure a model.
func (c *costs) measure(ctx context.Context, model string) (_ wire.Costs, err error) {
	w, err := c.workers.Take(ctx, "", deaf{})
	if err != nil {
		return wire.Costs{}, err
	}
	defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(ctx))) }()
	return w.Measure(ctx, model)
}

// deaf is the handler of a worker that plays nothing.
type deaf struct{}

func (deaf) Init(wire.Init)         {}
func (deaf) Packet(wire.Packet)     {}
func (deaf) Cue(wire.Cue)           {}
func (deaf) Progress(wire.Progress) {}
func (deaf) Ended(wire.Ended)       {}
func (deaf) Stats(wire.Stats)       {}
func (deaf) Warning(wire.Warning)   {}
func (deaf) Gone(error)             {}

// of returns what a model takes, nil where that is not measured.
func (c *costs) of(model string) *wire.Costs {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[model]; ok {
		return &known
	}
	return nil
}

// measured lists what was measured.
func (c *costs) measured() []api.ModelCost {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []api.ModelCost{}
	for _, m := range c.models {
		if known, ok := c.known[m.ID]; ok {
			all = append(all, api.ModelCost(known))
		}
	}
	return all
}

// scale returns the scale of a model.
func (c *costs) scale(model string) (int, error) { return playback.Scale(c.models, model) }

// predict returns what a film takes with settings, if the model was measured.
func (c *costs) predict(film *wire.Opened, settings session.Settings) (wire.Cost, bool) {
	known := c.of(settings.Model)
	scale, err := c.scale(settings.Model)
	if known == nil || err != nil {
		return wire.Cost{}, false
	}
	v := film.Video
	rows := v.SourceSize[1] * scale
	if settings.Height > 0 {
		rows = settings.Height
	}
	if film.Video.Size[1] > 0 { // the picture keeps its shape
		v.Size = [2]int{v.Size[0] * rows / v.Size[1], rows}
	}
	return known.Predict(v), true
}

// costed is a Starter whose workers know what the model takes.
type costed struct {
	session.Starter
	costs *costs
}

// starter returns a Starter that tells workers what was measured.
func (c *costs) starter(s session.Starter) session.Starter { return costed{s, c} }

// Start implements session.Starter.
func (s costed) Start(ctx context.Context, source string, job session.Job, handler session.Handler) (session.Worker, wire.Opened, error) {
	job.Open.Costs = s.costs.of(job.Open.Upscale.Model)
	return s.Starter.Start(ctx, source, job, handler)
}
