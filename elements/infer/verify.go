package infer

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// What a test frame may be off by, in levels of 8 bits. A picture scaled back
// down is near its original for any network that upscales; a provider that
// computes the same network is near the CPU even in half precision.
const (
	saneMean     = 20.0 // of the picture from its original
	saneLargest  = 64.0 // the same, of a single pixel
	agreeMean    = 1.0  // of a provider from the CPU
	agreeLargest = 12.0 // the same, of a single sample
)

const (
	testCrop   = 96 // side of the corner of the test frame that the CPU computes for comparison
	testMargin = 32 // how far from the corner's cut the network may see it
)

// verify runs a test frame and returns an error unless the picture is right:
// near its original, and for a provider with a device of its own equal to the
// CPU's. It also makes the engines allocate what their first frame needs.
func (u *Upscaler) verify(j *job, p provider) error {
	in, out := testFrame(u.in), frame.New(u.out, 1)
	if err := u.upscale(in, out, 1); err != nil {
		return fmt.Errorf("a test frame failed: %w", err)
	}
	if mean, largest := drift(in, out, j.model.facts.Scale); mean > saneMean || largest > saneLargest {
		return fmt.Errorf("a test frame came out wrong, by %.0f levels of 255 on average and %.0f at most", mean, largest)
	}
	if !p.device {
		return nil
	}
	if u.tiles != nil { // the last tile is judged
		return j.compare(u.tiles.tile, u.tiles.result)
	}
	return j.compare(in, out)
}

// compare returns an error unless out, which a provider made of in, is what the
// CPU makes of it. The CPU computes a corner; where that differs, because the
// network looks further than testMargin, the whole decides.
func (j *job) compare(in, out frame.Frame) error {
	corner := j.crop(testCrop)
	if corner.In.Width < j.plan.In.Width || corner.In.Height < j.plan.In.Height {
		if err := j.compareWith(corner, in, out); err == nil {
			return nil
		}
	}
	return j.compareWith(j.plan, in, out)
}

// compareWith compares out with what the CPU makes of in, or of the corner of
// it that plan is for.
func (j *job) compareWith(plan graph.Plan, in, out frame.Frame) error {
	wrapped, err := graph.Wrap(j.model.graph, j.model.facts, plan)
	if err != nil {
		return err
	}
	cfg := j.cfg
	cfg.Precision = PrecisionAuto
	cpu, _, err := openCPU(&job{model: j.model, cfg: cfg, plan: plan, wrapped: wrapped, threads: j.threads})
	if err != nil {
		return fmt.Errorf("the CPU, to compare with: %w", err)
	}
	defer cpu.close()
	l, err := newLane(cpu, plan, wrapped)
	if err != nil {
		return err
	}
	in.Layout = plan.In // the corner's rows keep their stride
	want := frame.New(plan.Out, 1)
	if err := l.compute(in, want, 1); err != nil {
		return fmt.Errorf("the CPU, to compare with: %w", err)
	}
	mean, largest := difference(out, want, testMargin*j.model.facts.Scale)
	if mean > agreeMean || largest > agreeLargest {
		return fmt.Errorf("its numbers are not the CPU's: off by %.2f levels of 255 on average and %.0f at most", mean, largest)
	}
	return nil
}

// crop returns the job's plan for a corner of at most side pixels. A size that
// the model fixes stays.
func (j *job) crop(side int) graph.Plan {
	plan, facts := j.plan, j.model.facts
	if facts.Width == 0 {
		plan.In.Width = min(plan.In.Width, side)
	}
	if facts.Height == 0 {
		plan.In.Height = min(plan.In.Height, side)
	}
	plan.Out = plan.In.Scaled(facts.Scale)
	return plan
}
