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
//
// What yields gets in where there is room beside all, and is then no hindrance to
// anybody: others are admitted as if it were not there, and it learns from crowded
// that it has to stand back.
type ledger struct {
	capacity Capacity

	mu      sync.Mutex
	tickets map[*ticket]bool // guarded by mu
	given   chan struct{}    // guarded by mu; closed when something is given back; nil: nobody waits for that
	moved   chan struct{}    // guarded by mu; likewise when anything in it changes
}

// ticket is one session's place in the ledger.
type ticket struct {
	ledger *ledger
	yields bool // it is a job's
	// guarded by ledger.mu
	core, gpu float64   // ms for each second of film
	ends      time.Time // when it is expected to end
	listed    bool      // its session is known
}

// reserve takes a place. Errors are RefusedError.
func (l *ledger) reserve(now time.Time, yields bool) (*ticket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &ticket{ledger: l, yields: yields, ends: now.Add(retryLatest)}
	before := l.before(t)
	if used := len(before); used >= l.capacity.Sessions {
		return nil, &RefusedError{
			Reason: ReasonSessions, Needed: 1, Used: float64(used), Limit: float64(l.capacity.Sessions),
			RetryAfter: retry(now, before, func(left []*ticket) bool { return len(left) < l.capacity.Sessions }),
		}
	}
	if l.tickets == nil {
		l.tickets = map[*ticket]bool{}
	}
	l.tickets[t] = true
	l.move()
	return t, nil
}

// before returns the tickets that a ticket has to leave room for. The caller holds
// mu.
func (l *ledger) before(t *ticket) []*ticket {
	return slices.DeleteFunc(l.all(), func(o *ticket) bool { return o == t || o.yields && !t.yields })
}

// crowded reports whether what yields has what was given to others since.
func (l *ledger) crowded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	core, gpu := sum(l.all())
	return len(l.tickets) > l.capacity.Sessions || core > l.capacity.CoreMS || gpu > l.capacity.GPUMS
}

// book takes what a plan costs, in place of what the ticket had. Errors are
// RefusedError, after which the ticket has what it had.
func (t *ticket) book(cost wire.Cost, now time.Time) error {
	l := t.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	others := l.before(t)
	core, gpu := sum(others)
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
		later := retry(now, others, func(left []*ticket) bool {
			core, gpu := sum(left)
			return core+cost.CoreMS <= l.capacity.CoreMS && gpu+cost.GPUMS <= l.capacity.GPUMS
		})
		return &RefusedError{Reason: c.reason, Needed: c.needed, Used: c.used, Limit: c.limit, RetryAfter: later}
	}
	less := cost.CoreMS < t.core || cost.GPUMS < t.gpu
	if t.core, t.gpu = cost.CoreMS, cost.GPUMS; less {
		l.gave()
	}
	l.move()
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

// measured moves what is booked towards what a session really takes, as far as there is so much: how much film was made
// in that time is the worker's word.
func (t *ticket) measured(core float64) {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.core += weight * (max(0, min(core, t.ledger.capacity.CoreMS)) - t.core)
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

// list says that the ticket's session is known.
func (t *ticket) list() {
	t.ledger.mu.Lock()
	defer t.ledger.mu.Unlock()
	t.listed = true
	t.ledger.move()
}

// opening counts those that do not yield and whose session is not known yet.
func (l *ledger) opening() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range l.tickets {
		if !t.yields && !t.listed {
			n++
		}
	}
	return n
}

// moves returns a channel that is closed when anything in the ledger changes next.
func (l *ledger) moves() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.moved == nil {
		l.moved = make(chan struct{})
	}
	return l.moved
}

// move tells that something has changed. The caller holds mu.
func (l *ledger) move() {
	if l.moved != nil {
		close(l.moved)
		l.moved = nil
	}
}

// gave tells that something may have been given back. The caller holds mu.
func (l *ledger) gave() {
	l.move()
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

// retry estimates when enough of those that are in the way have ended for fits to
// hold, 0 where it does not even with none. The caller holds the ledger's mu.
func retry(now time.Time, inTheWay []*ticket, fits func(left []*ticket) bool) time.Duration {
	slices.SortFunc(inTheWay, func(a, b *ticket) int { return a.ends.Compare(b.ends) })
	for i, t := range inTheWay {
		if fits(inTheWay[i+1:]) {
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
