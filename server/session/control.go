package session

import (
	"time"
)

// position is where the client is in the film.
type position struct {
	at   time.Duration
	when time.Time // the client told so; zero: taken from what it asks for
}

// Seek says that the player goes to a time of the film and will ask for what is
// there. The making begins at once and not only with that request. The error, as
// of all methods here, is an EndedError.
func (s *Session) Seek(to time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	now := time.Now()
	s.touched, s.position = now, position{at: max(0, min(to, s.film.Duration)), when: now}
	close(s.sought)
	s.sought = make(chan struct{})
	if s.served && s.missing(s.video, s.line.At(s.position.at)) {
		s.seeking = now
	}
	s.hint(s.video)
	s.hintHeard(s.audio, s.standard())
	s.hintHeard(s.text, s.request.Text)
	s.tell()
	return nil
}

// Sought returns where the client is in the film, and what is closed when it goes elsewhere: for who plays the
// session out without a player that would ask for what is there.
func (s *Session) Sought() (at time.Duration, elsewhere <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position.at, s.sought
}

// Played says that the film is played out up to a time, unless the client has gone elsewhere since Sought.
func (s *Session) Played(at time.Duration, elsewhere <-chan struct{}) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	s.touched = time.Now()
	if (<-chan struct{})(s.sought) == elsewhere {
		s.position = position{at: min(at, s.film.Duration), when: s.touched}
	}
	return nil
}

// hintHeard hints at the tracks that a player asks for, or else at the one that it
// will, -1 for none.
func (s *Session) hintHeard(tracks []*rendition, likely int) {
	heard := false
	for _, r := range tracks {
		if !r.asked.IsZero() {
			s.hint(r)
			heard = true
		}
	}
	if !heard && likely >= 0 {
		s.hint(tracks[likely])
	}
}

// standard returns the track of sound that plays where nobody chooses, -1 where
// there is none.
func (s *Session) standard() int {
	if s.request.Audio >= 0 {
		return s.request.Audio
	}
	for i, a := range s.film.Audio {
		if a.Default {
			return i
		}
	}
	return min(0, len(s.audio)-1)
}

// hint has the rendition made from the client's position on. The caller holds mu.
func (s *Session) hint(r *rendition) {
	now := time.Now()
	k := s.line.At(s.position.at)
	if s.missing(r, k) {
		r.hint(k, now)
		return
	}
	r.ask(k, now)
	r.wake()
}

// Pause has nothing read ahead any more. What a player asks for is still made.
func (s *Session) Pause() error { return s.pause(true) }

// Resume ends a pause.
func (s *Session) Resume() error { return s.pause(false) }

func (s *Session) pause(paused bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	s.touched, s.paused = time.Now(), paused
	if paused {
		s.shift(StatePaused)
	} else if s.state == StatePaused {
		s.shift(StatePlaying)
	}
	for _, r := range s.renditions() {
		r.wake()
	}
	return nil
}

// Ping says that the client is still there, and where it is in the film; below 0
// it does not say.
func (s *Session) Ping(at time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	s.touched = time.Now()
	if at >= 0 {
		s.position = position{at: min(at, s.film.Duration), when: s.touched}
	}
	return nil
}
