package worker

import (
	"context"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// measure has the machine measured, and answers.
func (w *worker) measure(ctx context.Context, m wire.Measure) wire.Reply {
	scale, err := w.cfg.Models.Scale(m.Model)
	if err != nil {
		return wire.Reply{ID: m.ID, Error: public(err)}
	}
	c, err := pipeline.MeasureCosts(ctx, pipeline.PlaySpec{
		Model: m.Model, Provider: m.Provider, Device: m.Device, Scale: scale, Strength: 1, Threads: w.cfg.Threads, Quality: -1, Burn: -1,
	})
	if err != nil {
		return wire.Reply{ID: m.ID, Error: public(err)}
	}
	return wire.Reply{ID: m.ID, Costs: &wire.Costs{
		Model: m.Model, Provider: c.Provider, Decode: c.Decode, Upscale: c.Upscale, Encode: c.Encode, GPU: c.GPU,
	}}
}
