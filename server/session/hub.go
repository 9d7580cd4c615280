package session

import (
	"context"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// backlog is how many events may wait for a subscriber, newest stats apart. They
// come a few in a minute; one that leaves this many lying has gone away.
const backlog = 64

// Event is something that happened to a session. One of State, Stats, Playlist and
// Warning is set.
type Event struct {
	Session string
	Owner   string
	Seq     uint64    // ascends in a session; stats that were passed over leave gaps
	State   *Snapshot // after a change of state, of seeking or of settings
	Stats   *Stats
	// Playlist comes when segments that a player may have are not those of now.
	Playlist *Playlist
	Warning  *wire.Warning
}

// Playlist says what a player should fetch anew.
type Playlist struct {
	Generation int           // the newest of the picture
	From       time.Duration // of the film: begin of the first segment that is, or will be, another one
	Changed    bool          // the text of the playlist changes, and not only what its URLs hold
}

// hub hands events to subscribers and never waits for one.
type hub struct {
	mu          sync.Mutex
	subscribers map[*Subscription]bool // guarded by mu
}

// Subscription receives events. All but stats come complete and in order; of the stats of a session only the newest are kept. When more than 64
// events lie untaken it is closed with ErrSlow.
type Subscription struct {
	hub   *hub
	wants func(Event) bool
	ready chan struct{} // has one when there is something to take

	// guarded by hub.mu
	events []Event
	stats  map[string]Event
	err    error
}

// subscribe returns a subscription to the events that wants, which must be quick,
// returns true for.
func (h *hub) subscribe(wants func(Event) bool) *Subscription {
	s := &Subscription{hub: h, wants: wants, ready: make(chan struct{}, 1), stats: map[string]Event{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subscribers == nil {
		h.subscribers = map[*Subscription]bool{}
	}
	h.subscribers[s] = true
	return s
}

// publish hands an event to all who want it.
func (h *hub) publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		if s.wants(e) {
			s.take(e)
		}
	}
}

// take keeps an event for Next. The caller holds hub.mu.
func (s *Subscription) take(e Event) {
	switch {
	case e.Stats != nil:
		s.stats[e.Session] = e
	case len(s.events) == backlog:
		s.end(ErrSlow)
	default:
		if e.State != nil && e.State.State == StateEnded {
			delete(s.stats, e.Session)
		}
		s.events = append(s.events, e)
	}
	s.wake()
}

// Next waits for the next event. After the subscription ended it returns ErrSlow
// or ErrClosed; otherwise an error is ctx's.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok, err := s.poll(); ok || err != nil {
			return e, err
		}
		select {
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		case <-s.ready:
		}
	}
}

// poll returns what lies there, if anything. Events of state come first.
func (s *Subscription) poll() (Event, bool, error) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.err != nil {
		return Event{}, false, s.err
	}
	if len(s.events) > 0 {
		e := s.events[0]
		s.events = s.events[1:]
		return e, true, nil
	}
	for id, e := range s.stats {
		delete(s.stats, id)
		return e, true, nil
	}
	return Event{}, false, nil
}

// Close ends the subscription. A second call does nothing.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.end(ErrClosed)
	s.wake()
}

// end ends the subscription with the first error given. The caller holds hub.mu.
func (s *Subscription) end(err error) {
	if s.err == nil {
		s.err = err
	}
	delete(s.hub.subscribers, s)
	s.events, s.stats = nil, nil
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}
