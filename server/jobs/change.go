package jobs

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// Add makes the jobs of an order, and returns when they are on the disk: all of them
// or none. Errors become problems by playback.Problem.
func (q *Queue) Add(ctx context.Context, o Order) (Added, error) {
	common, clamped, err := o.templateOf(q.o.Desk)
	if err != nil {
		return Added{}, err
	}
	hook, err := o.hook(q.o.Hosts, q.o.Secret.IsSet())
	if err != nil {
		return Added{}, err
	}
	p, err := q.expand(ctx, o, common, q.room())
	if err != nil {
		return Added{}, err
	}
	added := Added{Order: newID(), Count: len(p.tasks), Jobs: []Job{}, Passed: p.passed, Skipped: append([]PassedBy{}, p.skipped...), Clamped: clamped}
	now := time.Now().UTC()
	records := make([]*Record, len(p.tasks))
	for i, t := range p.tasks {
		records[i] = &Record{
			ID: newID(), Order: added.Order, Task: t, Priority: o.priority(), State: StateQueued, Seq: 1, Created: now,
			Source: p.sources[i], Hook: hook,
		}
		if o.Paused {
			records[i].State, records[i].Held = StatePaused, true
		}
	}
	if added.Jobs, err = q.insert(records); err != nil {
		return Added{}, err
	}
	q.o.Log.Info("jobs added", "order", added.Order, "jobs", added.Count, "skipped", added.Passed)
	return added, nil
}

// newID returns 128 random bits in base32, like a session's.
func newID() string { return strings.ToLower(rand.Text()) }

// room returns how many jobs may be added.
func (q *Queue) room() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(0, q.o.Max-q.unfinished())
}

// insert adds jobs, and tells of the first ones. What others have added since they
// were planned counts.
func (q *Queue) insert(records []*Record) ([]Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopping {
		return nil, problem.New(problem.ShuttingDown, "")
	}
	if len(records)+q.unfinished() > q.o.Max {
		return nil, tooMany(q.o.Max)
	}
	for _, r := range records {
		if q.outputs[r.Task.path()] != "" {
			return nil, problem.New(problem.OutputExists, "a job that is not over makes %q", r.Task.path())
		}
	}
	if len(records) > 0 {
		if err := q.write(change{jobs: records}); err != nil {
			return nil, err
		}
	}
	q.put(records...)
	q.lookAgain()
	first := []Job{}
	for _, r := range records[:min(len(records), told)] {
		first = append(first, q.tell(r))
	}
	return first, nil
}

// Change changes a job's priority, and pauses or resumes it. Errors are problems:
// JobUnknown, JobOver.
func (q *Queue) Change(id string, c Change) (Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.jobs[id]
	switch {
	case r == nil:
		return Job{}, problem.New(problem.JobUnknown, "")
	case r.State.Over():
		return Job{}, problem.New(problem.JobOver, "the job is %s", r.State)
	}
	held := r.Held
	if c.Paused != nil {
		held = *c.Paused
	}
	if a := q.attempts[id]; a != nil && r.Held != held {
		placed, _ := q.busy()
		a.parked = !held && placed >= q.o.Concurrency
	}
	err := q.update(id, func(r *Record, _ *change) {
		if r.Held = held; c.Priority != nil {
			r.Priority = *c.Priority
		}
		if c.Paused != nil && !held {
			r.Next = time.Time{} // who resumes a job does not want to wait
		}
		r.State = q.due(r)
	})
	if err != nil {
		return Job{}, err
	}
	q.steer(q.attempts[id])
	q.lookAgain()
	return q.tell(q.jobs[id]), nil
}

// due returns the state that a job which is not over is in. The caller holds mu.
func (q *Queue) due(r *Record) State {
	a := q.attempts[r.ID]
	under := a != nil && a.worker != nil
	switch {
	case r.Held, under && (a.parked || q.yields()):
		return StatePaused
	case under:
		return StateRunning
	}
	return StateQueued
}
