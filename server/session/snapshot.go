package session

import (
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Snapshot is what is known of a session at a time.
type Snapshot struct {
	ID       string
	Kind     Kind
	Owner    string
	Source   string
	State    State
	Cause    Cause       // from StateEnding on
	Failure  *wire.Error // of CauseFailed
	Created  time.Time
	Ended    time.Time // zero before
	Film     wire.Opened
	Settings Settings  // those of now
	Seq      uint64    // of the last event that is told of here
	Progress *Progress // of one that is made from begin to end, nil before the first and of other kinds
	Stats    *Stats    // the newest, nil before the first

	// Of KindPlayback alone.
	Seeking bool // a seek waits for its segment
	// Generation is the number of the newest one of the picture.
	Generation int
	Segments   int
	Segment    time.Duration // length, rounded down
	Position   time.Duration // of the player in the film
	Buffered   time.Duration // that is made beyond it
}

// Stats are a worker's figures with what they mean for the session.
type Stats struct {
	wire.Stats
	FPS      float64       // pictures encoded a second, over the last second
	RealTime float64       // seconds of film made in a second; 0 while nothing is
	Busy     float64       // cores that the worker keeps busy
	Buffered time.Duration // made beyond the player's position
	Progress *Progress     // of a session that tells it
}

// watched returns what is known of the session, as its Life tells it. The caller
// holds mu.
func (s *Session) watched() Snapshot {
	shot := s.common()
	shot.Seeking, shot.Generation, shot.Segments = !s.seeking.IsZero(), s.video.newest(), s.line.Count()
	_, shot.Segment = s.line.Span(0)
	shot.Position, shot.Buffered = s.position.at, s.buffered()
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
