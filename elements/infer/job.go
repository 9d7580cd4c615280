package infer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// job is a model wrapped for one provider, on its way to it.
type job struct {
	model   *Model
	cfg     Config
	bands   bandLayout
	plan    graph.Plan // of a band, a tile or the whole frame
	wrapped *graph.Wrapped
	threads int // of each engine
}

// newJob wraps m for p. A frame of a network of dynamic size is whole, and in
// bands on the CPU.
func newJob(m *Model, cfg Config, p provider) (*job, error) {
	j := &job{model: m, cfg: cfg, bands: bandLayout{count: 1}, threads: cfg.Threads}
	if j.threads == 0 {
		j.threads = DefaultThreads()
	}
	in := tileLayout(cfg.In, m.facts, cfg.Tile)
	if in == cfg.In && p.bands && m.facts.Height == 0 && m.reach >= 0 {
		j.bands = planBands(in.Height, j.threads, reachOf(m), m.facts.MultipleH)
		in.Height = j.bands.height
	}
	in.Matrix = matrixOf(cfg.In) // an unknown one would depend on the height of the piece
	j.threads /= j.bands.count
	j.plan = graph.Plan{In: in, Out: in.Scaled(m.facts.Scale), Mix: cfg.Mix, Portable: p.device}
	var err error
	if j.wrapped, err = graph.Wrap(m.graph, m.facts, j.plan); err != nil {
		return nil, &ModelError{Model: m.name, Reason: ErrModelRun, Detail: err}
	}
	return j, nil
}

// tileLayout returns the layout of what the graph computes at once: the whole
// frame, or a tile of the model's fixed size or of at most side pixels (0 for
// no limit).
func tileLayout(in frame.Layout, f graph.Facts, side int) frame.Layout {
	tile := in
	fit := func(length, fixed, multiple int) int {
		switch {
		case fixed > 0:
			return fixed
		case side > 0 && side < length:
			step := max(multiple, 1) * (1 + max(multiple, 1)%2) // even, for chroma
			return min((side+step-1)/step*step, length)
		}
		return length
	}
	tile.Width = fit(in.Width, f.Width, f.MultipleW)
	tile.Height = fit(in.Height, f.Height, f.MultipleH)
	return tile
}

// matrixOf returns the matrix that an unknown one stands for at l's height.
func matrixOf(l frame.Layout) frame.Matrix {
	if l.Matrix != frame.MatrixUnknown {
		return l.Matrix
	}
	if kr, _ := l.Matrix.Coefficients(l.Height); kr == 0.2126 {
		return frame.BT709
	}
	return frame.BT601
}

// open opens the provider that the configuration names, or the first of chain
// that passes its test. The notes tell why others did not.
func (u *Upscaler) open(cfg Config, chain []provider) error {
	auto := cfg.Provider == "" || cfg.Provider == ProviderAuto
	for _, p := range chain {
		if auto && !p.auto || !auto && p.name != cfg.Provider {
			continue
		}
		j, err := newJob(u.model, cfg, p)
		if err != nil {
			return err
		}
		notes, err := u.try(j, p)
		switch {
		case err == nil:
			u.provider, u.notes = p.name, append(u.notes, notes...)
			return nil
		case !auto:
			return fmt.Errorf("%w: %s: %w", ErrProvider, p.name, err)
		}
		cfg.Log.Info("provider refused", "provider", p.name, "model", u.model.name, "reason", err)
		u.notes = append(u.notes, fmt.Sprintf("%s: %v", p.name, err))
	}
	return fmt.Errorf("%w: every one was refused: %s", ErrProvider, strings.Join(u.notes, "; "))
}

// try opens the job on p and proves it by real inferences. On an error nothing
// stays open.
func (u *Upscaler) try(j *job, p provider) (notes []string, err error) {
	err = keepSignals(func() error {
		if notes, err = u.load(j, p); err != nil {
			return err
		}
		return u.verify(j, p)
	})
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return notes, nil
}

// load makes the lanes of the job.
func (u *Upscaler) load(j *job, p provider) (notes []string, err error) {
	for range j.bands.count {
		var e engine
		if e, notes, err = p.open(j); err != nil {
			return nil, err
		}
		l, err := newLane(e, j.plan, j.wrapped)
		if err != nil {
			return nil, err
		}
		u.lanes = append(u.lanes, l)
	}
	switch scale := j.model.facts.Scale; {
	case j.bands.count > 1:
		u.bands = newBanding(j.bands, u.out, scale, u.lanes)
	case j.plan.In.Width != u.in.Width || j.plan.In.Height != u.in.Height:
		u.tiles = newTiling(u.in, u.out, j.plan.In, scale)
	}
	return notes, nil
}
