package session

import (
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// quiet is how long a warning is not told again; trouble of single frames would
	// otherwise fill the queues of subscribers.
	quiet = 10 * time.Second
	// maxWarned bounds the codes that are remembered for that; there are a dozen.
	maxWarned = 100
)

// Snapshot is what is known of a session at a time.
type Snapshot struct {
	ID       string
	Owner    string
	Request  Request
	State    State
	Seeking  bool        // a seek waits for its segment
	Cause    Cause       // from StateEnding on
	Failure  *wire.Error // of CauseFailed
	Created  time.Time
	Ended    time.Time // zero before
	Film     wire.Opened
	Settings Settings // those of now
	Seq      uint64   // of the last event that is told of here
	// Generation is the number of the newest one of the picture.
	Generation int
	Segments   int
	Segment    time.Duration // length, rounded down
	Position   time.Duration // of the player in the film
	Buffered   time.Duration // that is made beyond it
	Stats      *Stats        // the newest, nil before the first
}

// Stats are a worker's figures with what they mean for the session.
type Stats struct {
	wire.Stats
	FPS      float64       // pictures encoded a second, over the last second
	RealTime float64       // seconds of film made in a second; 0 while nothing is
	Busy     float64       // cores that the worker keeps busy
	Buffered time.Duration // made beyond the player's position
}

// ID returns the session's name: 128 random bits in base32.
func (s *Session) ID() string { return s.id }

// Owner returns whose session it is.
func (s *Session) Owner() string { return s.request.Owner }

// State returns where the session is in its life.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// finishedAt returns when the session ended, zero before.
func (s *Session) finishedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}

// Snapshot returns the session as it is now.
func (s *Session) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

// snapshot is Snapshot for a caller that holds mu.
func (s *Session) snapshot() Snapshot {
	_, length := s.line.Span(0)
	shot := Snapshot{
		ID: s.id, Owner: s.request.Owner, Request: s.request, State: s.state, Seeking: !s.seeking.IsZero(),
		Cause: s.cause, Failure: s.failure, Created: s.created, Ended: s.finished, Film: *s.film,
		Settings: s.settings, Seq: s.seq, Generation: s.video.newest(), Segments: s.line.Count(), Segment: length,
		Position: s.position.at, Buffered: s.buffered(),
	}
	if s.meter.known {
		stats := s.meter.stats
		stats.Runs = slices.Clone(stats.Runs)
		shot.Stats = &stats
	}
	return shot
}

// buffered returns how much of the picture is made beyond the client's position.
func (s *Session) buffered() time.Duration {
	if s.state.over() {
		return 0
	}
	from := s.line.At(s.position.at)
	k := from
	for k < s.line.Count() && k <= from+2*s.ahead && !s.missing(s.video, k) {
		k++
	}
	if k == from {
		return 0
	}
	_, end := s.line.Span(k - 1)
	return max(0, end-s.position.at)
}

// tell publishes the state. The caller holds mu.
func (s *Session) tell() {
	if s.film == nil { // nobody knows of it
		return
	}
	shot := s.snapshot()
	s.publish(Event{State: &shot})
}

// warn tells the client something that ends nothing, what it was told a moment ago
// not again. The caller holds mu.
func (s *Session) warn(w wire.Warning) {
	now := time.Now()
	if told, ok := s.warned[w.Code]; ok && now.Sub(told) < quiet {
		return
	}
	if len(s.warned) < maxWarned {
		s.warned[w.Code] = now
	}
	s.log.Warn("session warning", "code", w.Code, "sentence", w.Sentence)
	s.publish(Event{Warning: &w})
}

func (s *Session) publish(e Event) {
	s.seq++
	e.Session, e.Owner, e.Seq = s.id, s.request.Owner, s.seq
	if e.State != nil {
		e.State.Seq = s.seq
	}
	s.hub.publish(e)
}
