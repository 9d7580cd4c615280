package jobs

import (
	"context"

	"github.com/upscaled-media/upscaled/server/problem"
)

// ending is the end of a job, for clients that wait for it.
type ending struct {
	told chan struct{} // closed when the job is over, or that cannot be stored
	err  error         // why it cannot; written before told is closed
}

// Cancel ends a job, and returns when its worker is gone and nothing of its output is
// left. A job that is over stays what it is, and so does one whose output is whole.
// Errors are problem.JobUnknown, problem.ShuttingDown, the store's, after which the job
// is cancelled as soon as it can be where it was under way, and ctx's.
func (q *Queue) Cancel(ctx context.Context, id string) (Job, error) {
	end, err := q.cancel(ctx, id)
	if err != nil {
		return Job{}, err
	}
	select {
	case <-end.told:
		if end.err != nil {
			return Job{}, end.err
		}
		return q.Get(id)
	case <-ctx.Done():
		return Job{}, context.Cause(ctx)
	}
}

// cancel begins the end of a job. One of which an earlier attempt may have left
// something gets an attempt of its own for that: folders that hang keep nobody else.
func (q *Queue) cancel(ctx context.Context, id string) (*ending, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.jobs[id]
	switch {
	case r == nil:
		return nil, problem.New(problem.JobUnknown, "")
	case r.State.Over():
		end := &ending{told: make(chan struct{})}
		close(end.told)
		return end, nil
	case q.stopping:
		return nil, problem.New(problem.ShuttingDown, "")
	}
	end := q.endings[id]
	if end == nil {
		end = &ending{told: make(chan struct{})}
		q.endings[id] = end
	}
	a := q.attempts[id]
	if a == nil && r.Attempts > 0 {
		a = newAttempt(ctx, q, id)
		a.last = true
		q.attempts[id], q.last = a, append(q.last, a)
		q.lookAgain()
	}
	if a != nil {
		a.cancel(errCancelled)
		signal(a.asked)
		return end, nil
	}
	if err := q.update(id, func(r *Record, c *change) { q.conclude(r, c, StateCancelled) }); err != nil {
		q.answer(id, err)
	}
	return end, nil
}

// answer tells those who wait for a job's end that it is over, or why that cannot be
// stored. The caller holds mu.
func (q *Queue) answer(id string, err error) {
	if end := q.endings[id]; end != nil {
		delete(q.endings, id)
		end.err = err
		close(end.told)
	}
}
