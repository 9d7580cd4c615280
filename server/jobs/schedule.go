package jobs

import (
	"context"
	"sync"
	"time"
)

// lookEvery is after how long the scheduler looks again though nothing was told, as
// after an attempt that found no room or no worker, and for jobs that are tried again.
const lookEvery = 10 * time.Second

// schedule begins attempts until ctx ends, and ends those that there are then.
func (q *Queue) schedule(ctx context.Context, all *sync.WaitGroup) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	begin := func() {
		for a := q.next(ctx); a != nil; a = q.next(ctx) {
			all.Go(func() { q.attempt(a) }) //nolint:contextcheck // it has one of its own, which says why it ends
		}
	}
	defer begin() // of attempts that only end a job
	defer q.Drain()
	for {
		begin()
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-q.roomMade():
			q.unblock()
		case <-tick.C:
			q.unblock()
		}
	}
}

// unblock lets an attempt begin again.
func (q *Queue) unblock() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.setBlocked("")
}

// roomMade is closed when there may be room for what found none; nil, which never is,
// while nothing waits for that.
func (q *Queue) roomMade() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.freed
}

// setBlocked says why no attempt may begin until a place is given back from now on:
// that of the attempt which found no room was before. The caller holds mu.
func (q *Queue) setBlocked(why Waiting) {
	if q.freed = nil; why != "" {
		q.freed = q.o.Host.Freed()
	}
	if q.blocked == why {
		return
	}
	q.blocked = why
	if next := q.first(); why != "" && next != nil {
		q.hub.changed(next.ID, false)
	}
}

// next returns the attempt that is to begin now, nil for none, and moves pauses on
// that depend on the sessions.
func (q *Queue) next(ctx context.Context) *attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.unpark()
	for _, a := range q.attempts {
		q.steer(a)
		q.follow(a)
	}
	if len(q.last) > 0 {
		a := q.last[0]
		q.last = q.last[1:]
		return a
	}
	if q.stopping || q.yields() || q.blocked != "" || !q.place() {
		return nil
	}
	r := q.first()
	if r == nil {
		return nil
	}
	a := newAttempt(ctx, q, r.ID)
	q.attempts[r.ID] = a
	return a
}

// busy counts the attempts that have a place, and those that a client has stand still,
// which keep their workers. The caller holds mu.
func (q *Queue) busy() (placed, held int) {
	for id, a := range q.attempts {
		switch {
		case a.last:
		case q.jobs[id].Held, a.parked:
			held++
		default:
			placed++
		}
	}
	return placed, held
}

// place reports whether there is one for another attempt. At most twice as many have
// workers as may work: one that stands still keeps its memory. The caller holds mu.
func (q *Queue) place() bool {
	placed, held := q.busy()
	return placed < q.o.Concurrency && placed+held < 2*q.o.Concurrency
}

// unpark gives free places to jobs that were resumed when there was none. The caller
// holds mu.
func (q *Queue) unpark() {
	placed, held := q.busy()
	if held == 0 {
		return
	}
	for _, r := range q.order {
		if a := q.attempts[r.ID]; a != nil && a.parked && placed < q.o.Concurrency {
			a.parked = false
			placed++
		}
	}
}

// first returns the job whose turn it is: of those that may be tried, and of the
// highest priority among them, that which was added first. nil for none. The caller holds mu.
func (q *Queue) first() *Record {
	var best *Record
	for _, r := range q.order {
		if r.State != StateQueued || !r.rested() || q.attempts[r.ID] != nil || best != nil && r.Priority <= best.Priority {
			continue
		}
		if _, due := q.awaits(r); due {
			best = r
		}
	}
	return best
}

// waiting returns why nothing is being done for a job. The caller holds mu.
func (q *Queue) waiting(r *Record) Waiting {
	a := q.attempts[r.ID]
	away, _ := q.awaits(r)
	switch {
	case r.Held:
		return WaitingClient
	case q.yields():
		return WaitingSessions
	case a != nil && a.parked:
		return WaitingTurn
	case a != nil && (a.session != "" || !away):
		return ""
	case away:
		return WaitingSource
	case !r.rested():
		return WaitingRetry
	case q.blocked != "":
		return q.blocked
	}
	return WaitingTurn
}

// yields reports whether jobs give way now. The caller holds mu.
func (q *Queue) yields() bool { return q.o.Yield && q.others.Playing > 0 || q.others.Crowded }

// takeOthers learns of the sessions that are no jobs.
func (q *Queue) takeOthers(o Others) {
	q.mu.Lock()
	before := q.yields()
	q.others = o
	after := q.yields()
	if before != after {
		if next := q.first(); next != nil { // why it waits is another reason now
			q.hub.changed(next.ID, false)
		}
	}
	q.mu.Unlock()
	q.lookAgain()
}

// steer has a worker wait, or go on. The caller holds mu.
func (q *Queue) steer(a *attempt) {
	if a == nil || a.worker == nil {
		return
	}
	wait := q.jobs[a.id].Held || a.parked || q.yields()
	if wait == a.waits {
		return
	}
	segment := 1
	if wait {
		segment = 0
	}
	if a.worker.Limit(run, segment) != nil {
		return // it is gone, which the attempt sees
	}
	if a.waits = wait; wait {
		a.meter.rest(time.Now())
		a.life.Paused()
	} else {
		a.meter.run(time.Now())
		a.life.Playing()
	}
}

// follow stores the state that a job has come to be in. Where that cannot be
// written, it is tried again when the scheduler looks next. The caller holds mu.
func (q *Queue) follow(a *attempt) {
	r := q.jobs[a.id]
	if state := q.due(r); a.worker != nil && !r.State.Over() && state != r.State {
		if err := q.update(a.id, func(r *Record, _ *change) { r.State = state }); err != nil {
			q.o.Log.Error("job's state cannot be stored", append(r.attrs(), "state", state, "error", err)...)
		}
	}
}
