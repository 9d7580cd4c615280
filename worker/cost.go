package worker

import (
	"context"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// unknownRate is the frame rate that a film with a varying one is taken to have.
const unknownRate = 30

// cost predicts what a second of a film takes, from what the machine was measured
// to take for a million pixels; nothing where it was not measured.
func cost(p pipeline.PlayPlan, costs *wire.Costs) wire.Cost {
	if costs == nil {
		return wire.Cost{}
	}
	rate := p.Timeline.Rate.Float()
	if rate == 0 {
		rate = unknownRate
	}
	in := float64(p.Media.Video.Width*p.Media.Video.Height) / 1e6 * rate
	out := float64(p.Width*p.Height) / 1e6 * rate
	c := wire.Cost{
		Decode: costs.Decode * in, Upscale: costs.Upscale * in, Encode: costs.Encode * out, GPUMS: costs.GPU * in,
	}
	c.CoreMS = c.Decode + c.Upscale + c.Encode
	return c
}

// measure has the machine measured, and answers.
func (w *worker) measure(ctx context.Context, m wire.Measure) wire.Reply {
	scale, err := w.cfg.Models.Scale(m.Model)
	if err != nil {
		return wire.Reply{ID: m.ID, Error: public(err)}
	}
	c, err := pipeline.MeasureCosts(ctx, pipeline.PlaySpec{
		Model: m.Model, Scale: scale, Strength: 1, Threads: w.cfg.Threads, Quality: -1, Burn: -1,
	})
	if err != nil {
		return wire.Reply{ID: m.ID, Error: public(err)}
	}
	return wire.Reply{ID: m.ID, Costs: &wire.Costs{Model: m.Model, Decode: c.Decode, Upscale: c.Upscale, Encode: c.Encode, GPU: c.GPU}}
}
