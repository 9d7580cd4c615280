package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
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

	// Guarded by queue.mu.
	session string
	life    Life
	worker  session.Transcoder // nil until it transcodes
	waits   bool               // the worker was told to
	meter   meter
}

func newAttempt(q *Queue, id string) *attempt {
	a := &attempt{queue: q, id: id, ended: make(chan wire.Ended, 1), gone: make(chan error, 1)}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	return a
}

// attempt tries a job, and stores what came of it. Ctx does not end.
func (q *Queue) attempt(ctx context.Context, a *attempt) {
	defer a.cancel(nil)
	var beside sync.WaitGroup
	made, err := a.try(beside.Go)
	beside.Wait()
	for !q.settle(a, made, err) { // the disk of the store is full, or fails
		select {
		case <-time.After(lookEvery):
		case <-q.ended(a):
			q.leave(a) // the next start finds it as it was
			return
		}
	}
	q.lookAgain()
}

// ended is closed when the server ends.
func (q *Queue) ended(a *attempt) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	over := make(chan struct{})
	if q.stopping {
		close(over)
	}
	return over
}

// leave takes an attempt away.
func (q *Queue) leave(a *attempt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(a)
}

// remove takes an attempt away. The caller holds mu.
func (q *Queue) remove(a *attempt) {
	q.made += a.meter.written.Position
	delete(q.attempts, a.id)
}

// settle stores what came of an attempt, and reports whether it could.
func (q *Queue) settle(a *attempt, made Made, err error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.jobs[a.id]
	var refused *session.RefusedError
	state := StateDone
	switch {
	case err == nil:
	case errors.Is(err, errHeight):
	case errors.Is(err, errCancelled):
		state = StateCancelled
	case errors.Is(err, errStopping), errors.Is(err, session.ErrDraining), errors.Is(err, pool.ErrEnded):
		state = StateQueued
		q.setBlocked(WaitingRoom) // none will be made
	case errors.As(err, &refused):
		state = StateQueued
		q.setBlocked(WaitingRoom)
	case errors.Is(err, pool.ErrNoWorker):
		state = StateQueued
		q.setBlocked(WaitingWorker)
	default:
		state = StateFailed
	}
	q.remove(a)
	if state == StateQueued && r.Held {
		state = StatePaused
	}
	stored := state == r.State && !state.Over() // it never was another one
	if !stored {
		if e := q.update(a.id, func(r *Record, c *change) { q.become(r, c, state, made, err) }); e != nil {
			q.attempts[a.id] = a
			q.made -= a.meter.written.Position
			q.o.Log.Error("job's end cannot be stored", append(r.attrs(), "state", state, "error", e)...)
			return false
		}
	}
	q.o.Log.Info("job left its worker", append(r.attrs(), "state", state, "because", err, "elapsed", made.Elapsed)...)
	return true
}

// become makes a record what an attempt has made of it.
func (q *Queue) become(r *Record, c *change, state State, made Made, err error) {
	switch {
	case errors.Is(err, errHeight):
		r.Skipped = "height"
		q.conclude(r, c, state)
	case state == StateDone:
		q.finish(r, c, made)
	case state == StateFailed:
		r.Failure = failureOf(err)
		q.conclude(r, c, state)
	case state == StateCancelled:
		q.conclude(r, c, state)
	default:
		r.State = state
	}
}

// failureOf returns what a client is told of an error.
func failureOf(err error) *wire.Error {
	var ended *session.EndedError
	if errors.As(err, &ended) && ended.Failure != nil {
		return ended.Failure
	}
	p := playback.Problem(err)
	return &wire.Error{Code: string(p.Code), Sentence: p.Detail, Detail: err.Error()}
}

// try makes the output, or leaves nothing of it.
func (a *attempt) try(start func(func())) (made Made, err error) {
	q := a.queue
	r := q.record(a.id)
	if r.Attempts > 0 { // whose folder may have been away when the server began
		if made, ok := q.rescue(r); ok {
			return made, nil
		}
	}
	life, err := q.o.Host.Begin(session.About{Kind: session.KindJob, Source: r.Task.Source, Settings: settingsFor(&r.Task)})
	if err != nil {
		return made, a.because(err)
	}
	defer life.Conclude()
	defer func() { err = conclude(life, err) }()
	a.enter(life)
	identity := q.identityOf(r)
	worker, prepared, err := q.o.Starter.Prepare(a.ctx, r.Task.Source, life.ID(),
		wire.Prepare{Upscale: r.Task.Upscale, Output: r.Task.Output}, start, handler{a})
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
	return a.make(life, worker, prepared, identity)
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
func (a *attempt) make(life Life, worker session.Transcoder, prepared wire.Prepared, identity Identity) (made Made, err error) {
	q := a.queue
	r := q.record(a.id)
	folder, err := q.o.Sources.Folder(r.Task.Folder, true)
	if err != nil {
		return made, err
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
		r.State, r.Attempts, r.Started, r.Source, r.Whole = StateRunning, r.Attempts+1, time.Now().UTC(), identity, nil
		if r.Held {
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
		case session.CauseClient, session.CauseIdle:
			return errCancelled
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
// an end without warning takes nothing from it.
func (a *attempt) publish(out *output, made *Made) error {
	q := a.queue
	q.o.step("before sync")
	mark, err := out.seal()
	if err != nil {
		return err
	}
	made.Bytes = mark.Size
	mark.Made = *made
	q.mu.Lock()
	err = q.update(a.id, func(r *Record, _ *change) { r.Whole = &mark })
	q.mu.Unlock()
	if err != nil {
		return err
	}
	q.o.step("before rename")
	err = out.publish()
	q.o.step("after rename")
	return err
}

// handler takes what the worker of an attempt says.
type handler struct{ *attempt }

// Written implements session.Handler, like the methods below.
func (h handler) Written(m wire.Written) {
	q := h.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	h.meter.written = m
	length := filmLength(q.jobs[h.id])
	q.hub.changed(h.id, true)
	h.life.Progress(session.Progress{
		Position: m.Position, Duration: length, Decoded: m.Decoded, Upscaled: m.Upscaled, Plain: m.Plain, Encoded: m.Encoded,
	})
}

func (h handler) Ended(m wire.Ended) {
	select {
	case h.ended <- m:
	default: // a worker that says so twice
	}
}

func (h handler) Gone(err error) { h.gone <- err }

func (h handler) Stats(m wire.Stats) { h.life.Stats(m) }

func (h handler) Warning(m wire.Warning) { h.life.Warn(m) }

func (handler) Init(wire.Init)         {}
func (handler) Packet(wire.Packet)     {}
func (handler) Cue(wire.Cue)           {}
func (handler) Progress(wire.Progress) {}

// settingsFor returns a task's settings as sessions have them.
func settingsFor(t *Task) session.Settings {
	u := t.Upscale
	return session.Settings{
		Model: u.Model, Provider: u.Provider, Device: u.Device, Strength: u.Strength, Filters: u.Filters, Cube: u.Cube,
		Height: t.Output.Height, Quality: t.Output.Quality, Burn: -1,
	}
}
