package jobs

import (
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

const (
	firstAgain = 30 * time.Second // until a job is tried again; doubles from failure to failure
	lastAgain  = 10 * time.Minute
)

// passing reports whether a job is tried again after an error: one that may pass by
// itself, as the table of problems has it, or since its film was there before, and has
// not come too often.
func (q *Queue) passing(r *Record, err error) bool {
	code := problem.Code(failureOf(err).Code)
	kind, known := problem.KindOf(code)
	return r.Failures < q.o.Retries && (known && kind.Retryable() || r.misses(code))
}

// again makes a record one of a job that is tried again later. Next has the monotonic
// clock, too, which nobody sets.
func (r *Record) again(state State, err error) {
	r.State, r.Failure = state, failureOf(err)
	r.Failures++
	r.Next = time.Now().Add(pauseAfter(r.Failures))
}

// pauseAfter returns how long a job waits that has failed so often.
func pauseAfter(failures int) time.Duration { return min(firstAgain<<max(failures-1, 0), lastAgain) }

// rested reports whether a job may be tried.
func (r *Record) rested() bool { return !time.Now().Before(r.Next) }

// remember takes over when a stored job is tried again. The time is another clock's,
// which may have been set: it waits no longer than it would have at first.
func (r *Record) remember() {
	if !r.Next.IsZero() {
		r.Next = time.Now().Add(min(max(time.Until(r.Next), 0), pauseAfter(r.Failures)))
	}
}
