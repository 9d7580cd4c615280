package jobs

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

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
	if err != nil && errors.Is(context.Cause(a.ctx), errCancelled) {
		err = errCancelled // also while it failed, and its worker was ended
	}
	r := q.jobs[a.id]
	var refused *session.RefusedError
	var away *awayError
	state, again := StateDone, false
	switch {
	case err == nil:
	case errors.Is(err, errHeight):
	case errors.Is(err, errCancelled):
		state = StateCancelled
	case errors.Is(err, errStopping), errors.Is(err, session.ErrDraining), errors.Is(err, pool.ErrEnded):
		state = StateQueued
		q.setBlocked(WaitingRoom) // none will be made
	case errors.As(err, &away):
		state = StateQueued
	case errors.As(err, &refused):
		state = StateQueued
		q.setBlocked(WaitingRoom)
	case errors.Is(err, pool.ErrNoWorker):
		state = StateQueued
		q.setBlocked(WaitingWorker)
	case playback.Problem(err).Code == problem.JobsUnwritable: // it did not begin
		state = StateQueued
		q.setBlocked(WaitingRoom)
	case q.passing(r, err):
		state, again = StateQueued, true
	default:
		state = StateFailed
	}
	q.remove(a)
	if state == StateQueued && r.Held {
		state = StatePaused
	}
	stored := state == r.State && !state.Over() && !again // it never was another one
	if !stored {
		e := q.update(a.id, func(r *Record, c *change) {
			if again {
				r.again(state, err)
			} else {
				q.become(r, c, state, made, err)
			}
		})
		if e != nil {
			q.attempts[a.id] = a
			q.made -= a.meter.written.Position
			q.answer(a.id, e)
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
