package pipeline

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// gate holds a run up at its limit.
type gate struct {
	waiting atomic.Bool
	count   atomic.Int64 // of what was handed over
	until   atomic.Int64 // film time of it, in nanoseconds

	timeline Timeline
	mu       sync.Mutex
	moved    sync.Cond
	limit    time.Duration // guarded by mu
	closed   bool          // guarded by mu
	fault    error         // guarded by mu; of the lane
}

// errClosed ends what is on its way to a run's output when the run ends.
var errClosed = errors.New("the run has ended")

func (g *gate) init(t Timeline, segment int) {
	g.timeline, g.limit = t, limitOf(t, segment)
	g.moved.L = &g.mu
}

func (g *gate) move(segment int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limitOf(g.timeline, segment)
	g.moved.Broadcast()
}

// limitOf returns the time that a run must not reach before segment. Where the film
// has no such segment there is none: a film that was not measured may be longer than
// it claims, and its picture is what a run of text goes by.
func limitOf(t Timeline, segment int) time.Duration {
	if begin := t.Begin(segment); begin <= t.End-time.Second/50 { // a shorter rest is no segment
		return begin
	}
	return math.MaxInt64
}

// pass waits until what begins at a time of the film may be handed over.
func (g *gate) pass(at time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for at >= g.limit && !g.closed {
		g.waiting.Store(true)
		g.moved.Wait()
	}
	g.waiting.Store(false)
	if g.closed {
		return errClosed
	}
	return nil
}

// handed notes that all before a time of the film is handed over.
func (g *gate) handed(until time.Duration) {
	g.count.Add(1)
	g.until.Store(max(g.until.Load(), int64(until)))
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.moved.Broadcast()
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault == nil {
		g.fault = err
	}
}

func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault
}
