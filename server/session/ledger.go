package session

import (
	"slices"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// weight of a new measurement: a few of them outweigh what was predicted.
	weight = 0.25
	// A client that was refused asks again after between these.
	retrySoonest = 5 * time.Second
	retryLatest  = 5 * time.Minute
)

// Capacity is what all sessions together may take.
type Capacity struct {
	Sessions int     // at most
	CoreMS   float64 // of the processor's cores in each second: cores × 1000 × headroom
	GPUMS    float64 // of the GPU in each second, 0: there is none
}

// ledger holds what each session takes of the machine. A place is taken before a
// film is opened, so that clients that come at once cannot get more places than
// there are, and the cost booked when it is known.
type ledger struct {
	capacity Capacity

	mu      sync.Mutex
	tickets map[*ticket]bool // guarded by mu
	given   chan struct{}    // guarded by mu; closed when something is given back; nil: nobody waits for that
}

// ticket is one session's place in the ledger.
type ticket struct {
	ledger *ledger
	// guarded by ledger.mu
	core, gpu float64   // ms for each second of film
	ends      time.Time // when it is expected to end
}

// reserve takes a place. Errors are RefusedError.
func (l *ledger) reserve(now time.Time) (*ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if used := len(l.tickets); used >= l.capacity.Sessions {
		return nil, &RefusedError{
			Reason: ReasonSessions, Needed: 1, Used: float64(used), Limit: float64(l.capacity.Sessions),
			RetryAfter: l.retry(now, func(left []*ticket) bool { return len(left) < l.capacity.Sessions }),
		}
	}
	if l.tickets == nil {
		l.tickets = map[*ticket]bool{}
	}
	t := &ticket{ledger: l, ends: now.Add(retryLatest)}
	l.tickets[t] = true
	return t, nil
}

// book takes what a plan costs, in place of what the ticket had. Errors are
// RefusedError, after which the ticket has what it had.
func (t *ticket) book(cost wire.Cost, now time.Time) error {
	l := t.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	before := *t
	t.core, t.gpu = 0, 0
	core, gpu := sum(l.all())
	t.core, t.gpu = before.core, before.gpu
	for _, c := range []struct {
		reason              Reason
		needed, used, limit float64
	}{
		{ReasonCPU, cost.CoreMS, core, l.capacity.CoreMS},
		{ReasonGPU, cost.GPUMS, gpu, l.capacity.GPUMS},
	} {
		if c.needed == 0 || c.needed+c.used <= c.limit {
			continue
		}
		retry := l.retry(now, func(left []*ticket) bool {
			core, gpu := sum(slices.DeleteFunc(left, func(o *ticket) bool { return o == t }))
			return core+cost.CoreMS <= l.capacity.CoreMS && gpu+cost.GPUMS <= l.capacity.GPUMS
		})
		return &RefusedError{Reason: c.reason, Needed: c.needed, Used: c.used, Limit: c.limit, RetryAfter: retry}
	}
	t.core, t.gpu = cost.CoreMS, cost.GPUMS
	if t.core < before.core || t.gpu < before.gpu {
		l.gave()
	}
	return nil
}

// booked returns what the ticket has.
func (t *ticket) booked() wire.Cost {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	return wire.Cost{CoreMS: t.core, GPUMS: t.gpu}
}

// restore books what the ticket had before, whether it fits or not: it is what the
// session takes.
func (t *ticket) restore(cost wire.Cost) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.core, t.gpu = cost.CoreMS, cost.GPUMS
	t.ledger.gave()
}

// measured moves what is booked towards what a session really takes.
func (t *ticket) measured(core float64) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.core += weight * (core - t.core)
	t.ledger.gave()
}

// expect tells when the session will end, as it looks now.
func (t *ticket) expect(end time.Time) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.ends = end
}

// release gives the place back. A second call does nothing.
func (t *ticket) release() {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	delete(t.ledger.tickets, t)
	t.ledger.gave()
}

// freed returns a channel that is closed when something is given back next.
func (l *ledger) freed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.given == nil {
		l.given = make(chan struct{})
	}
	return l.given
}

// gave tells that something may have been given back. The caller holds mu.
func (l *ledger) gave() {
	if l.given != nil {
		close(l.given)
		l.given = nil
	}
}

// load returns what is taken in ms in each second.
func (l *ledger) load() (core, gpu float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sum(l.all())
}

// retry estimates when enough sessions have ended for fits to hold, 0 where it
// does not even with none. The caller holds mu.
func (l *ledger) retry(now time.Time, fits func(left []*ticket) bool) time.Duration {
	left := l.all()
	slices.SortFunc(left, func(a, b *ticket) int { return a.ends.Compare(b.ends) })
	for i, t := range left {
		if fits(slices.Clone(left[i+1:])) {
			return max(retrySoonest, min(t.ends.Sub(now), retryLatest))
		}
	}
	return 0
}

// all returns the tickets. The caller holds mu.
func (l *ledger) all() []*ticket {
	all := make([]*ticket, 0, len(l.tickets))
	for t := range l.tickets {
		all = append(all, t)
	}
	return all
}

func sum(tickets []*ticket) (core, gpu float64) {
	for _, t := range tickets {
		core += t.core
		gpu += t.gpu
	}
	return core, gpu
}
