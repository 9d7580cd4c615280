package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// run is one run of a stream.
type run struct {
	id     uint32
	stream wire.Stream
	cancel context.CancelCauseFunc
	before *run          // of the same stream, which ends first; nil for none
	ended  chan struct{} // closed when it has ended

	// Guarded by worker.mu:
	play  playing // nil until it is built
	limit int
	late  []func(playing) error // changes that came before play
}

// playing is what a run plays: a *pipeline.Play, or a *pipeline.Live.
type playing interface {
	Stats() pipeline.PlayStats
	SetModel(name string) error
	SetStrength(strength float64) error
	SetFilters(s filters.Settings, cube *filters.Cube) error
	KeyFrame()
}

// errHalted is the cause of a run that ends because it was told to.
var errHalted = errors.New("halted")

// play answers Play and begins the run.
func (w *worker) play(ctx context.Context, m wire.Play) {
	w.mu.Lock()
	f, known := w.film, w.runs[m.Run] != nil
	w.mu.Unlock()
	if f == nil || f.live || known {
		w.reply(wire.Reply{ID: m.ID, Error: public(fail(pipeline.CodeSpec, "play: there is no film, or the run is there already"))})
		return
	}
	plan, err := w.planned(f, m)
	if err != nil {
		w.reply(wire.Reply{ID: m.ID, Error: public(err)})
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &run{id: m.Run, stream: m.Stream, cancel: cancel, ended: make(chan struct{}), limit: m.Limit}
	w.mu.Lock()
	r.before = w.streams[m.Stream]
	if r.before != nil {
		r.before.cancel(errHalted)
	}
	w.runs[r.id], w.streams[r.stream] = r, r
	w.mu.Unlock()
	w.reply(wire.Reply{ID: m.ID})
	w.start(func() { w.run(ctx, r, f, plan, m) })
}

// planned returns the plan of a run, with the settings that Play changes.
func (w *worker) planned(f *film, m wire.Play) (pipeline.PlayPlan, error) {
	w.mu.Lock()
	spec := f.spec
	w.mu.Unlock()
	changed := spec
	if m.Upscale != nil {
		with, err := w.spec(*m.Upscale, wire.Video{}, -1)
		if err != nil {
			return pipeline.PlayPlan{}, err
		}
		with.Height, with.Quality, with.MaxRate, with.Burn = spec.Height, spec.Quality, spec.MaxRate, spec.Burn
		with.Sound = spec.Sound
		changed = with
	}
	if m.Video != nil {
		changed.Height, changed.Quality, changed.MaxRate = m.Video.Height, m.Video.Quality, m.Video.MaxRate
	}
	if m.Burn != nil {
		changed.Burn = *m.Burn
	}
	plan, err := f.plan(changed)
	if err != nil {
		return pipeline.PlayPlan{}, err
	}
	w.mu.Lock()
	f.spec = changed
	w.mu.Unlock()
	return plan, nil
}

// run makes a stream to its end and tells of it.
func (w *worker) run(ctx context.Context, r *run, f *film, plan pipeline.PlayPlan, m wire.Play) {
	if r.before != nil {
		<-r.before.ended
		r.before = nil
	}
	err := w.make(ctx, r, f, plan, m)
	w.forget(r)
	w.tellEnd(r.id, err)
}

// forget takes a run that has ended off the list, and keeps its figures.
func (w *worker) forget(r *run) {
	w.mu.Lock()
	if r.play != nil {
		w.past.add(r.play.Stats())
	}
	delete(w.runs, r.id)
	if w.streams[r.stream] == r {
		delete(w.streams, r.stream)
	}
	w.mu.Unlock()
	close(r.ended)
	r.cancel(nil)
}

// tellEnd tells how a run ended.
func (w *worker) tellEnd(id uint32, err error) {
	ended := wire.Ended{Run: id}
	switch {
	case errors.Is(err, errHalted), errors.Is(err, errStopped):
		ended.Halted = true
	default:
		ended.Error = public(err)
	}
	if err := w.conn.Write(ended); err != nil {
		w.cfg.Log.Debug("end of a run lost", "err", err)
	}
	w.giveUp(err)
}

// giveUp ends a process that is of no use any more, for a thread of it hangs.
func (w *worker) giveUp(err error) {
	if errors.Is(err, pipeline.ErrStuck) {
		w.cancel(err)
	}
}

func (w *worker) make(ctx context.Context, r *run, f *film, plan pipeline.PlayPlan, m wire.Play) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p, err := w.build(r, f, plan, m)
	if err != nil {
		return err
	}
	if err := w.settle(r, p); err != nil {
		cancelled, cancel := context.WithCancelCause(ctx)
		cancel(err)
		return p.Run(cancelled) // which takes down what was built
	}
	return p.Run(ctx)
}

// settle makes the changes that came before a run was built, and hands it over.
func (w *worker) settle(r *run, p *pipeline.Play) error {
	for {
		w.mu.Lock()
		late := r.late
		r.late = nil
		if len(late) == 0 {
			r.play = p
			p.Limit(r.limit)
			w.mu.Unlock()
			return nil
		}
		w.mu.Unlock()
		for _, change := range late {
			if err := change(p); err != nil {
				return err
			}
		}
	}
}

func (w *worker) build(r *run, f *film, plan pipeline.PlayPlan, m wire.Play) (*pipeline.Play, error) {
	options := pipeline.PlayOptions{Log: w.cfg.Log, Limit: m.Limit, Stall: Stall}
	i := m.Stream.Index
	switch {
	case m.Segment < 0:
		return nil, fail(pipeline.CodeSpec, "segment: must not be negative")
	case m.Stream == wire.Stream{Kind: wire.StreamVideo}:
		return pipeline.PlayVideo(f.source, plan, m.Segment, output{w, r.id, "video"}, options)
	case m.Stream.Kind == wire.StreamAudio && i >= 0 && i < len(plan.Audio):
		return pipeline.PlaySound(f.source, plan, i, m.Segment, output{w, r.id, "audio"}, options)
	case m.Stream.Kind == wire.StreamText && i >= 0 && i < len(plan.Text) && !plan.Text[i].Bitmap:
		return pipeline.PlayText(f.source, plan, i, m.Segment, output{w, r.id, "text"}, options)
	}
	return nil, fail(pipeline.CodeSpec, fmt.Sprintf("stream: the film has no %s %d", m.Stream.Kind, i))
}

// limit moves the limit of a run; one that has ended has none.
func (w *worker) limit(m wire.Limit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.runs[m.Run]
	if r == nil {
		w.job.limit(m)
		return
	}
	r.limit = m.Segment
	if p, ok := r.play.(*pipeline.Play); ok {
		p.Limit(m.Segment)
	}
}

func (w *worker) halt(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.runs[id]; r != nil {
		r.cancel(errHalted)
	}
	w.job.halt(id)
}

// video returns the run of the picture, nil where there is none.
func (w *worker) video() playing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.streams[wire.Stream{Kind: wire.StreamVideo}]; r != nil {
		return r.play
	}
	return nil
}

// set changes what runs, and what runs from now on.
func (w *worker) set(m wire.Set) error {
	w.mu.Lock()
	f := w.film
	w.mu.Unlock()
	if f == nil {
		return fail(pipeline.CodeSpec, "set: there is no film")
	}
	cube, err := w.check(f, m)
	if err != nil {
		return err
	}
	return w.change(func(p playing) error { return apply(p, m, cube) }, func() {
		if m.Model != nil {
			f.spec.Model = *m.Model
		}
		if m.Strength != nil {
			f.spec.Strength = *m.Strength
		}
		if m.Filters != nil {
			f.spec.Filters, f.spec.Cube = *m.Filters, cube
		}
	})
}

// check refuses what cannot be set, of whatever runs now or from now on, before any
// of it is: of a change either all is made or nothing. It returns the table of colours.
func (w *worker) check(f *film, m wire.Set) (*filters.Cube, error) {
	if m.Strength != nil && !(*m.Strength >= 0 && *m.Strength <= 1) { // NaN neither
		return nil, fail(pipeline.CodeSpec, fmt.Sprintf("strength: must be 0 to 1 (got %g)", *m.Strength))
	}
	cube, err := parseCube(m.Cube)
	if err != nil {
		return nil, err
	}
	if m.Filters != nil && m.Filters.LUT != "" && cube == nil {
		return nil, fail(pipeline.CodeSpec, "lut: the table is missing")
	}
	if m.Model != nil {
		return cube, w.sameScale(f, *m.Model)
	}
	return cube, nil
}

// change changes the run of the picture, and keeps the change for those to come.
// While a model loads, another run may take the place of the one that is changed:
// then that is changed, too.
func (w *worker) change(apply func(playing) error, keep func()) error {
	for changed := (*run)(nil); ; {
		w.mu.Lock()
		r := w.streams[wire.Stream{Kind: wire.StreamVideo}]
		if r != nil && r.play == nil {
			r.late = append(r.late, apply)
		}
		if r == nil || r.play == nil || r == changed {
			keep()
			w.mu.Unlock()
			return nil
		}
		w.mu.Unlock()
		if err := apply(r.play); err != nil { // play is set once
			return err
		}
		changed = r
	}
}

// sameScale refuses a model that cannot take the running one's place.
func (w *worker) sameScale(f *film, model string) error {
	scale, err := w.cfg.Models.Scale(model)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if scale != f.spec.Scale {
		return fail(pipeline.CodeSpec, fmt.Sprintf("model: %s makes pictures %d times larger, the running one %d times", model, scale, f.spec.Scale))
	}
	return nil
}

func apply(p playing, m wire.Set, cube *filters.Cube) error {
	if m.Model != nil {
		if err := p.SetModel(*m.Model); err != nil {
			return err
		}
	}
	if m.Strength != nil {
		if err := p.SetStrength(*m.Strength); err != nil {
			return err
		}
	}
	if m.Filters != nil {
		return p.SetFilters(*m.Filters, cube)
	}
	return nil
}

// keyFrame makes the next picture of a run a key frame.
func (w *worker) keyFrame(id uint32) error {
	w.mu.Lock()
	r := w.runs[id]
	w.mu.Unlock()
	if r == nil || r.stream.Kind != wire.StreamVideo {
		return fail(pipeline.CodeSpec, fmt.Sprintf("key frame: there is no run %d of a picture", id))
	}
	if p := w.video(); p != nil {
		p.KeyFrame()
	}
	return nil
}
