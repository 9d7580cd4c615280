package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// run is the number of a worker's only run.
const run uint32 = 1

// Why an attempt's context ends.
var (
	errCancelled = errors.New("the job is cancelled")
	errStopping  = errors.New("the server is ending")
)

// errHeight ends an attempt at a film whose height was not asked for.
var errHeight = errors.New("the film has another height than was asked for")

// attempt is one try at a job.
type attempt struct {
	queue  *Queue
	id     string
	ctx    context.Context //nolint:containedctx // made with the attempt, so that it can be cancelled before its goroutine runs
	cancel context.CancelCauseFunc
	ended  chan wire.Ended // takes one
	gone   chan error      // takes one
	asked  chan struct{}   // has one when a client waits for its end
	last   bool            // it only ends the job, whose output may lie there

	// Guarded by queue.mu.
	session string
	life    Life
	worker  session.Transcoder // nil until it transcodes
	waits   bool               // the worker was told to
	parked  bool               // it was resumed while others had all places, and waits for one
	meter   meter
}

// newAttempt returns an attempt that ends by its cancel alone: at the end of Run, too,
// it is told why.
func newAttempt(ctx context.Context, q *Queue, id string) *attempt {
	a := &attempt{queue: q, id: id, ended: make(chan wire.Ended, 1), gone: make(chan error, 1), asked: make(chan struct{}, 1)}
	a.ctx, a.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return a
}

// attempt tries a job, and stores what came of it.
func (q *Queue) attempt(a *attempt) {
	defer a.cancel(nil)
	var beside sync.WaitGroup
	made, err := a.try(beside.Go)
	beside.Wait()
	for !q.settle(a, made, err) { // the disk of the store is full, or fails
		select {
		case <-time.After(lookEvery):
		case <-a.asked:
		case <-q.drained:
			q.leave(a) // the next start finds it as it was
			return
		}
	}
	q.lookAgain()
}

// try makes the output, or leaves nothing of it.
func (a *attempt) try(start func(func())) (made Made, err error) {
	q := a.queue
	r := q.record(a.id)
	if !a.last {
		if err := q.present(r); err != nil {
			return made, a.because(err)
		}
	}
	if r.Attempts > 0 { // whose folder may have been away when the server began
		if made, ok := q.rescue(r); ok {
			return made, nil
		}
	}
	if a.last {
		return made, errCancelled
	}
	life, err := q.o.Host.Begin(session.About{Kind: session.KindJob, Source: r.Task.Source, Settings: settingsFor(&r.Task)})
	if err != nil {
		return made, a.because(err)
	}
	defer life.Conclude()
	defer func() { err = conclude(life, err) }()
	a.enter(life)
	identity := q.identityOf(r)
	upscale, err := q.upscale(&r.Task)
	if err != nil {
		return made, err
	}
	worker, prepared, err := q.o.Starter.Prepare(a.ctx, r.Task.Source, life.ID(),
		wire.Prepare{Upscale: upscale, Output: r.Task.Output}, start, handler{a})
	if err != nil {
		return made, a.because(err)
	}
	defer func() { _ = worker.Close(context.WithoutCancel(a.ctx)) }() // which is bounded by itself
	if height := prepared.Video.SourceSize[1]; height < r.Task.MinHeight || r.Task.MaxHeight > 0 && height > r.Task.MaxHeight {
		return made, errHeight
	}
	if err := life.Book(q.cost(prepared.Cost)); err != nil {
		return made, a.because(err)
	}
	life.Describe(wire.Opened{
		Container: prepared.Container, Duration: prepared.Duration, Video: prepared.Video, Plan: prepared.Plan, Cost: prepared.Cost,
	})
	return a.make(start, life, worker, prepared, identity)
}

// conclude ends a job's session as the job ended, and returns why that was, in the
// words of the session where it has any.
func conclude(life Life, err error) error {
	var refused *session.RefusedError
	switch {
	case err == nil:
		life.End(session.CauseEOS)
	case errors.Is(err, errStopping):
		life.End(session.CauseShutdown)
	case errors.Is(err, errCancelled), errors.Is(err, errHeight), errors.As(err, &refused), errors.Is(err, pool.ErrNoWorker), errors.Is(err, pool.ErrEnded):
		life.End(session.CauseClient)
	default:
		life.Fail(err, string(playback.Problem(err).Code))
		var ended *session.EndedError
		if errors.As(life.Err(), &ended) && ended.Failure != nil {
			return errors.Join(ended, err)
		}
	}
	return err
}

// cost returns what a job books. One that gives way takes nothing from a session: it
// is paused when one begins.
func (q *Queue) cost(c wire.Cost) wire.Cost {
	if q.o.Yield {
		return wire.Cost{}
	}
	return wire.Cost{CoreMS: min(c.CoreMS, q.o.Booking.CoreMS), GPUMS: min(c.GPUMS, q.o.Booking.GPUMS)}
}

// enter says which session a job is made as.
func (a *attempt) enter(life Life) {
	q := a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	a.life, a.session = life, life.ID()
	q.hub.changed(a.id, false)
}

// because returns why something failed: the end of the attempt, if that is why.
func (a *attempt) because(err error) error {
	if cause := context.Cause(a.ctx); cause != nil {
		return cause
	}
	return err
}

// record returns a job as it is now.
func (q *Queue) record(id string) *Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.jobs[id]
}

// upscale returns what a worker is told of a task, with its colour table, of which
// the store has the sum alone: a folder's jobs may be thousands.
func (q *Queue) upscale(t *Task) (wire.Upscale, error) {
	u := t.Upscale
	if t.LUT == "" {
		return u, nil
	}
	var err error
	if u.Cube, err = q.o.Desk.LUTs.Read(u.Filters.LUT); err == nil && sumOf(u.Cube) != t.LUT {
		err = problem.New(problem.LUTUnknown, "the colour table %q is another one than when the job was ordered", u.Filters.LUT)
	}
	return u, err
}

// identityOf returns by what a job's source is known, zero where nothing tells.
func (q *Queue) identityOf(r *Record) Identity {
	if isURL(r.Task.Source) {
		return Identity{}
	}
	file, _, err := q.o.Sources.Stat(r.Task.Source)
	if err != nil {
		return Identity{} // opening it says why
	}
	return Identity{file.Size, file.Modified}
}

// make has the worker make the output and gives it its name.
func (a *attempt) make(
	start func(func()), life Life, worker session.Transcoder, prepared wire.Prepared, identity Identity,
) (made Made, err error) {
	q := a.queue
	r := q.record(a.id)
	folder, err := q.o.Sources.Folder(r.Task.Folder, true)
	if err != nil {
		return made, r.Task.refused(err)
	}
	early := &output{folder: folder, name: r.Task.Name, path: r.Task.path()}
	if err := errors.Join(early.free(), q.begin(a, prepared, identity)); err != nil {
		early.close()
		return made, err
	}
	q.o.step("before output")
	out, err := newOutput(folder, r)
	if err != nil {
		early.close()
		return made, err
	}
	defer out.close()
	defer func() {
		if err != nil {
			err = errors.Join(err, out.discard())
		}
	}()
	q.o.step("before transcode")
	if err := worker.Transcode(a.ctx, run, out.file); err != nil {
		return made, a.because(err)
	}
	writing, stop := context.WithCancel(a.ctx)
	defer stop()
	start(func() { out.write(writing) })
	life.Playing()
	a.runs(worker)
	if err := a.wait(life); err != nil {
		return made, err
	}
	made = a.made()
	return made, a.publish(out, &made)
}

// begin stores that a job runs.
func (q *Queue) begin(a *attempt, p wire.Prepared, identity Identity) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.update(a.id, func(r *Record, _ *change) {
		r.State, r.Attempts, r.Started, r.Source, r.Whole, r.Failure = StateRunning, r.Attempts+1, time.Now().UTC(), identity, nil, nil
		if r.Held || a.parked {
			r.State = StatePaused
		}
		length := max(0, p.Duration-r.Task.Output.Start)
		if d := r.Task.Output.Duration; d > 0 && (p.Duration == 0 || d < length) {
			length = d
		}
		r.Film = &Film{p.Container, length, p.Video, p.Encoding, p.Plan}
	})
}

// runs lets the worker be paused from now on, which may be due at once.
func (a *attempt) runs(worker session.Transcoder) {
	q := a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	a.worker = worker
	a.meter.run(time.Now())
	q.steer(a)
	q.follow(a)
}

// wait returns when the worker is done, or its work is of no use.
func (a *attempt) wait(life Life) error {
	select {
	case e := <-a.ended:
		if e.Error != nil {
			return a.because(e.Error)
		}
		if e.Halted {
			return a.because(pool.ErrGone)
		}
		return nil
	case err := <-a.gone:
		if err == nil {
			err = pool.ErrGone
		}
		return a.because(err)
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	case <-life.Ending():
		return a.overtaken(life)
	}
}

// overtaken returns why the session was ended from without.
func (a *attempt) overtaken(life Life) error {
	err := life.Err()
	var ended *session.EndedError
	if errors.As(err, &ended) {
		switch ended.Cause {
		case session.CauseShutdown:
			return errStopping
		case session.CauseClient, session.CauseIdle, session.CauseEOS:
			return errCancelled
		case session.CauseFailed:
		}
	}
	return err
}

// made returns what was made.
func (a *attempt) made() Made {
	q := a.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	return Made{Written: a.meter.written, Elapsed: a.meter.elapsed(time.Now())}
}

// publish gives the output its name. That it is whole is stored before: from then on
// an end without warning takes nothing from it. Until then a cancel does; the end of the
// server does not, since what is left to do takes no time.
func (a *attempt) publish(out *output, made *Made) error {
	q := a.queue
	q.o.step("before sync")
	mark, err := out.seal()
	if cause := context.Cause(a.ctx); err == nil && errors.Is(cause, errCancelled) {
		err = cause
	}
	if err != nil {
		return err
	}
	made.Bytes = mark.Size
	mark.Made = *made
	if err := a.mark(mark); err != nil {
		return err
	}
	q.o.step("before rename")
	err = out.publish()
	q.o.step("after rename")
	return err
}

// mark stores that the output is whole. While the store's disk is full it waits: what
// was made must not be lost for that.
func (a *attempt) mark(m Mark) error {
	q := a.queue
	for {
		q.mu.Lock()
		err := q.update(a.id, func(r *Record, _ *change) { r.Whole = &m })
		q.mu.Unlock()
		if err == nil {
			return nil
		}
		q.o.Log.Error("job's output cannot be marked as whole", "job", a.id, "error", err)
		timer := time.NewTimer(lookEvery)
		select {
		case <-timer.C:
		case <-a.ctx.Done():
			timer.Stop()
			return context.Cause(a.ctx)
		}
	}
}

// settingsFor returns a task's settings as sessions have them.
func settingsFor(t *Task) session.Settings {
	u := t.Upscale
	return session.Settings{
		Model: u.Model, Provider: u.Provider, Device: u.Device, Strength: u.Strength, Filters: u.Filters,
		Height: t.Output.Height, Quality: t.Output.Quality, Burn: -1,
	}
}
