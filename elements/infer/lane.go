package infer

import (
	"errors"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

// engine runs the graph of one layout: a session, or a fake in tests.
type engine interface {
	run(in, out []view, strength float32) error
	close() error
}

// lane is an engine and the tensors that frames of its size are for it. One
// caller at a time; an Upscaler of several bands has as many lanes.
type lane struct {
	engine   engine
	from, to *side
}

// newLane pairs the tensors of a wrapped graph with the planes of its plan. It
// takes the engine over.
func newLane(e engine, plan graph.Plan, w *graph.Wrapped) (*lane, error) {
	inputs := w.Inputs
	if plan.Mix && len(inputs) > 0 {
		inputs = inputs[:len(inputs)-1] // the scalar is no plane
	}
	from, err := newSide(plan.In, inputs)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	to, err := newSide(plan.Out, w.Outputs)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &lane{engine: e, from: from, to: to}, nil
}

// compute runs the engine on a frame of its size.
func (l *lane) compute(in, out frame.Frame, strength float32) error {
	defer l.from.forget()
	defer l.to.forget()
	l.from.fill(in)
	if err := l.engine.run(l.from.view(in), l.to.view(out), strength); err != nil {
		return err
	}
	l.to.drain(out)
	return nil
}
