package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/upscale"
)

// Progress is how far a run has come.
type Progress struct {
	Elapsed  time.Duration // since the start of the run
	Position time.Duration // of the source that is written
	Decoded  int64         // frames
	Upscaled int64
	Encoded  int64
	Plain    int64 // frames that no model made: always counted, never called upscaled
	Model    upscale.Stats
}

// Result is what a run came to.
type Result struct {
	Progress
	Cores map[Stage]time.Duration // processor time each stage took
}

// Runner runs plans. The zero value is not usable.
type Runner struct {
	Log *slog.Logger
	// Observe gets the progress about twice a second, on Run's goroutine; nil
	// for none.
	Observe func(Progress)
	// Stall is how long nothing may move before a run is given up; 0 for a minute. Where
	// a stream does not come, or nobody takes one, the time does not count.
	Stall time.Duration
	// Pause stops the run and lets it go on; nil for a run that nobody stops.
	Pause *Pause
}

// tick is how often the bus, the counters and the clocks of threads are read.
const tick = 250 * time.Millisecond

// Run runs p to its end, and returns when its pipeline is in NULL. When ctx
// ends it stops at once and returns ctx's cause; the output is then unfinished.
// Errors are of type *Error.
func (r Runner) Run(ctx context.Context, p Plan) (Result, error) {
	part := p.Spec.Start > 0 || p.Spec.Duration > 0
	b, err := build(p.Graph, part && p.Media.sought())
	if err != nil {
		return Result{}, err
	}
	b.awaited, b.pushed = p.Media.flowing(), p.Media.Streamed
	switch {
	case part && !b.wait:
		b.take(p.Spec.Start, p.Spec.Duration)
	case part && p.Media.stopsEarly():
		b.take(0, p.Spec.Duration) // from where the seek goes to
	}
	res, err := r.between(ctx, b, p)
	down := takeDown(b.pipe, downTimeout)
	if !errors.Is(down, ErrStuck) {
		res.Progress = b.final(res.Progress)
		b.free()
	}
	if err == nil || errors.Is(down, ErrStuck) {
		err = errors.Join(err, down)
	}
	return res, err
}

// final returns what a run has come to, with the pipeline in NULL: what stops a run in
// the middle stops none of its threads at once.
func (b *built) final(last Progress) Progress {
	element, err := upscale.Of(b.named["upscaler"].Unsafe())
	if err != nil {
		return last // as it was when the run would not start
	}
	p := b.progress(time.Time{}, element)
	p.Elapsed, p.Model.Model = last.Elapsed, last.Model.Model // which a closed element has no more
	return p
}

// between sets up the ends of what is built, and runs it.
func (r Runner) between(ctx context.Context, b *built, p Plan) (Result, error) {
	if err := p.connect(b); err != nil {
		return Result{}, err
	}
	if r.Pause != nil {
		r.Pause.attach(b.named["upscaler"].GetStaticPad("sink"))
		defer r.Pause.detach()
	}
	res, err := r.play(ctx, b, p)
	if err != nil && ctx.Err() == nil && p.film != nil {
		if read := p.film.failed(b.named["source"]); read != nil {
			return res, read
		}
	}
	return res, err
}

func (r Runner) play(ctx context.Context, b *built, p Plan) (Result, error) {
	element, err := upscale.Of(b.named["upscaler"].Unsafe())
	if err != nil {
		return Result{}, fail(CodeInternal, err, "no upscaler")
	}
	begin, clocks := time.Now(), newClocks()
	if err := b.start(); err != nil {
		return Result{}, b.startError(element)
	}
	if b.wait {
		if err := b.seek(ctx, p.Media.Begin+p.Spec.Start, p.Spec.Duration); err != nil {
			return Result{}, err
		}
	}
	dog := newWatchdog(b, r.stall())
	bus := b.pipe.GetPipelineBus()
	observed := time.Time{}
	for {
		m := bus.TimedPopFiltered(gst.ClockTime(tick), gst.MessageError|gst.MessageWarning|gst.MessageEOS)
		clocks.read()
		progress := b.progress(begin, element)
		switch {
		case ctx.Err() != nil:
			return Result{Progress: progress}, context.Cause(ctx)
		case m != nil && m.Type() == gst.MessageError:
			return Result{Progress: progress}, diagnose(parseFailure(m), element)
		case m != nil && m.Type() == gst.MessageEOS:
			return Result{Progress: progress, Cores: clocks.byStage()}, b.complete(p, progress)
		case m != nil:
			r.Log.Warn("an element warned", "warning", parseFailure(m).Error())
		}
		if r.Pause.Held() || p.waits() {
			dog.rest()
		}
		if err := errors.Join(b.failed(), dog.look(element.Preparing())); err != nil {
			return Result{Progress: progress}, err
		}
		if r.Observe != nil && time.Since(observed) > 2*tick {
			observed = time.Now()
			r.Observe(progress)
		}
	}
}

func (r Runner) stall() time.Duration {
	if r.Stall == 0 {
		return time.Minute
	}
	return r.Stall
}

func (b *built) progress(begin time.Time, e *upscale.Element) Progress {
	model := e.Stats()
	return Progress{
		Elapsed:  time.Since(begin),
		Position: b.counters[StageEncode].end(),
		Decoded:  b.counters[StageDecode].count(),
		Upscaled: int64(model.Upscaled),
		Encoded:  b.counters[StageEncode].count(),
		Plain:    b.counters[StageUpscale].count() - int64(model.Upscaled),
		Model:    model,
	}
}

// complete refuses a run that lost pictures on the way or made none, and one
// whose source broke off.
func (b *built) complete(plan Plan, done Progress) error {
	if err := b.failed(); err != nil {
		return err
	}
	switch {
	case done.Encoded == 0 && plan.Spec.Duration > 0:
		return fail(CodeSpec, nil, "the source has no picture from %s to %s", plan.Spec.Start, plan.Spec.Start+plan.Spec.Duration)
	case done.Encoded == 0 && plan.Spec.Start > 0:
		return fail(CodeSpec, nil, "start: the source has no picture from %s on", plan.Spec.Start)
	case done.Encoded == 0:
		return fail(CodeDamaged, nil, "the source ended before its first picture")
	case done.Encoded != done.Upscaled:
		return fail(CodeInternal, nil, "%d pictures were upscaled but %d were encoded", done.Upscaled, done.Encoded)
	}
	return b.whole(plan)
}

// startError says why the pipeline refused to start.
func (b *built) startError(e *upscale.Element) error {
	if f := popError(b.pipe); f != nil {
		return diagnose(f, e)
	}
	return fail(CodeInternal, nil, "the pipeline did not start")
}

// diagnose turns a failure into an Error, with the element's own error in place
// of its sentence where the upscaler was at fault.
func diagnose(f *failure, e *upscale.Element) error {
	if err := e.Err(); err != nil {
		return fail(CodeModel, err, "the model failed")
	}
	return f.classify()
}

// seek moves the source to start once every branch is linked. What is taken of it ends
// with the source, where it is not ended on the way.
func (b *built) seek(ctx context.Context, start, duration time.Duration) error {
	stop := time.Duration(-1)
	if duration > 0 && b.part == nil {
		stop = start + duration
	}
	sought, err := b.seekTo(ctx, start, stop)
	if err == nil && !sought {
		return fail(CodeSpec, nil, "the source cannot be started at %s", start)
	}
	return err
}

// seekTo waits until every branch is linked, and for a moment for the film's other
// streams: flvdemux (1.22) fails at a seek that overtakes the first data of one. It
// moves the source to start then, and reports whether it moved. What came before is
// dropped in front of the branches, and so are the flushes of the seek: the muxer
// must see neither. stop −1 plays to the end.
func (b *built) seekTo(ctx context.Context, start, stop time.Duration) (bool, error) {
	bus := b.pipe.GetPipelineBus()
	waiting := time.Now() // for a branch
	for deadline := waiting.Add(probeTimeout); ; {
		if m := bus.TimedPopFiltered(gst.ClockTime(2*time.Millisecond), gst.MessageError); m != nil {
			return false, parseFailure(m).classify()
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		n, streams, linked := b.missing()
		if n > 0 {
			waiting = time.Now()
		}
		switch {
		case n == 0 && (streams == 0 || time.Since(waiting) > settle):
			return seek(linked, start, stop), nil
		case time.Now().After(deadline):
			return false, fail(CodeStalled, nil, "the source shows no streams (stage: %s)", StageRead)
		}
	}
}
