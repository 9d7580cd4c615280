package jobs

import (
	"context"
	"errors"
	"sync"
)

// Event is something new of a job: all of it, or how far it is.
type Event struct {
	Job      Job
	Progress bool // nothing but the progress is another one
}

// ErrClosed is returned by a Subscription that was closed.
var ErrClosed = errors.New("subscription is closed")

// hub tells subscribers which jobs are others than they were told, and never waits
// for one. What they are then is looked up when a subscriber takes it: one that is
// slow misses what a job was in between, and never what it is in the end.
type hub struct {
	mu          sync.Mutex
	subscribers map[*Subscription]bool // guarded by mu
}

// Subscription receives events: for each job the newest. It holds at most one for
// each job that there is.
type Subscription struct {
	hub   *hub
	tell  func(id string) (Job, bool)
	ready chan struct{} // has one when there is something to take

	// guarded by hub.mu
	order  []string        // jobs of which something is new, the oldest first
	states map[string]bool // whether more than the progress is
	closed bool
}

// Subscribe returns the events of all jobs from now on.
func (q *Queue) Subscribe() *Subscription {
	s := &Subscription{hub: &q.hub, tell: q.look, ready: make(chan struct{}, 1), states: map[string]bool{}}
	q.hub.mu.Lock()
	defer q.hub.mu.Unlock()
	if q.hub.subscribers == nil {
		q.hub.subscribers = map[*Subscription]bool{}
	}
	q.hub.subscribers[s] = true
	return s
}

// changed says that a job is another one.
func (h *hub) changed(id string, progress bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		if _, known := s.states[id]; !known {
			s.order = append(s.order, id)
		}
		s.states[id] = s.states[id] || !progress
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

// Next waits for the next event. After Close it returns ErrClosed; otherwise an error
// is ctx's.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		id, state, err := s.poll()
		if err != nil {
			return Event{}, err
		}
		if id == "" {
			select {
			case <-ctx.Done():
				return Event{}, context.Cause(ctx)
			case <-s.ready:
			}
			continue
		}
		if job, known := s.tell(id); known { // else it was forgotten
			return Event{job, !state}, nil
		}
	}
}

// poll returns the job of the next event, "" for none.
func (s *Subscription) poll() (id string, state bool, err error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.closed {
		return "", false, ErrClosed
	}
	if len(s.order) == 0 {
		return "", false, nil
	}
	id, s.order = s.order[0], s.order[1:]
	state = s.states[id]
	delete(s.states, id)
	return id, state, nil
}

// Close ends the subscription. A second call does nothing.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.closed = true
	delete(s.hub.subscribers, s)
	select {
	case s.ready <- struct{}{}:
	default:
	}
}
