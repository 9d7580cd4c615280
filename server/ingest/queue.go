package ingest

import (
	"context"
	"sync"
	"time"
)

// What may wait for a worker that does not take its feed. When there is more, whole groups of pictures go.
const (
	queueBytes = 32 << 20
	queueSpan  = 5 * time.Second
)

// unit is a picture or a frame of sound on its way to the worker.
type unit struct {
	at      time.Duration // in the feed
	picture bool
	key     bool
	data    []byte
}

// queue is what waits for the worker. One goroutine takes.
type queue struct {
	ready chan struct{} // has one when there is something to take

	mu      sync.Mutex
	units   []unit // guarded by mu, as all below
	bytes   int
	await   bool // what was waited on is gone: nothing is taken in before a key picture
	ended   error
	dropped Dropped
}

// Dropped counts what a worker did not take in time.
type Dropped struct {
	Groups   int64 // of pictures, from a key picture to the next, or the rest of one
	Pictures int64
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put adds a unit, and drops what is too much.
func (q *queue) put(u unit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended != nil || !q.wants(u) {
		return
	}
	q.units = append(q.units, u)
	q.bytes += len(u.data)
	for q.bytes > queueBytes || u.at-q.units[0].at > queueSpan {
		if !q.cut() {
			break
		}
	}
	q.wake()
}

// wants reports whether a unit can be shown after what was dropped.
func (q *queue) wants(u unit) bool {
	if !q.await {
		return true
	}
	if u.picture && u.key {
		q.await = false
		return true
	}
	if u.picture {
		q.dropped.Pictures++
	}
	return false
}

// cut drops all before the second group of pictures that waits, or everything where there is none, and reports
// whether something is left.
func (q *queue) cut() bool {
	keep := len(q.units)
	for i, u := range q.units {
		if i > 0 && u.picture && u.key {
			keep = i
			break
		}
	}
	q.dropped.Groups++
	for _, u := range q.units[:keep] {
		q.bytes -= len(u.data)
		if u.picture {
			q.dropped.Pictures++
		}
	}
	q.units = append([]unit(nil), q.units[keep:]...)
	q.await = len(q.units) == 0
	return !q.await
}

// take waits for the next unit. The error is what the queue ended with, or ctx's cause.
func (q *queue) take(ctx context.Context) (unit, error) {
	for {
		if u, ok, err := q.next(); ok || err != nil {
			return u, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return unit{}, context.Cause(ctx)
		}
	}
}

func (q *queue) next() (u unit, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.units) == 0 {
		return u, false, q.ended
	}
	u = q.units[0]
	q.units[0] = unit{}
	q.units = q.units[1:]
	q.bytes -= len(u.data)
	return u, true, nil
}

// end has take return err when all is taken.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended == nil {
		q.ended = err
	}
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default: // it looks already
	}
}

func (q *queue) count() Dropped {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
