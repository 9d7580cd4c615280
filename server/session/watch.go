package session

import (
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// linger is how long a session stays whose client says that it is at the end of
	// the film: it may go back.
	linger = 30 * time.Second
	// unheard is after how long a track that nobody asks for is no longer made.
	unheard = time.Minute
)

// counted is how far the run of the picture was that the last figures told of. Its
// fields are guarded by Life.mu.
type counted struct {
	run   uint32
	until time.Duration // that it had made
	slack bool          // it waited at its limit at some time in the last second
}

// advance returns what the run of the picture has made since the last figures.
func (s *Session) advance(now wire.Stats) second {
	m := &s.counted
	for _, r := range now.Runs {
		run := s.video.run
		if run == nil || r.Run != run.id {
			continue
		}
		until := time.Duration(r.Until * float64(time.Second))
		from := m.until
		if r.Run != m.run {
			from, _ = s.line.Span(run.first)
		}
		this := second{film: max(0, until-from), waited: r.Waiting || m.slack, buffered: s.buffered()}
		m.run, m.until, m.slack = r.Run, until, r.Waiting
		return this
	}
	return second{waited: true, buffered: s.buffered()}
}

// first takes note of a segment of the picture that was made.
func (s *Session) first() {
	if s.state != StateStarting {
		return
	}
	s.shift(StatePlaying)
	if s.paused {
		s.shift(StatePaused)
	}
}

// delivered takes note of a segment of the picture that a player gets.
func (s *Session) delivered(w *waiter, now time.Time) {
	if s.state.over() {
		return
	}
	sought := !s.seeking.IsZero() && !w.asked.Before(s.seeking)
	switch {
	case !s.served:
		s.served = true
	case sought:
		s.hooks.Seek(now.Sub(s.seeking))
	case w.seek:
		s.hooks.Seek(now.Sub(w.asked))
	}
	if sought {
		s.seeking = time.Time{}
		s.tell()
	}
	s.last = w.segment == s.video.count-1
	if s.position.when.IsZero() || now.Sub(s.position.when) > linger {
		begin, _ := s.line.Span(w.segment) // clients that do not tell where they are play about here
		s.position = position{at: begin}
	}
	s.ticket.expect(now.Add(s.film.Duration - s.position.at))
}

// look ends a session that nobody uses any more, and the making of tracks that
// nobody hears.
func (s *Session) look(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaited() {
		s.touched = now
	}
	atEnd := s.last && s.position.at >= s.film.Duration-s.pictureSegment()
	switch {
	case now.Sub(s.touched) >= s.idle && s.last:
		s.end(CauseEOS, nil)
	case now.Sub(s.touched) >= s.idle:
		s.end(CauseIdle, nil)
	case atEnd && !s.position.when.IsZero() && now.Sub(s.video.asked) >= linger:
		s.end(CauseEOS, nil)
	}
	for _, r := range s.renditions()[1:] {
		if r.run != nil && now.Sub(r.asked) >= unheard {
			_ = s.worker.Halt(r.run.id) // an error comes to Gone, too
			s.drop(r.run)
			r.head, r.asked = -1, time.Time{}
		}
	}
}

// awaited reports whether a request waits for a segment.
func (s *Session) awaited() bool {
	for _, r := range s.renditions() {
		if slices.ContainsFunc(r.waiters, func(w *waiter) bool { return w.done != nil }) {
			return true
		}
	}
	return false
}

// pictureSegment returns the length of a segment.
func (s *Session) pictureSegment() time.Duration {
	_, end := s.line.Span(0)
	return end
}
