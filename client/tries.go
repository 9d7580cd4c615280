package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

const (
	// Attempts are how many of them in a row may come no further at most. Those that find
	// no server, or no room on it, are bounded by time instead.
	Attempts = 3
	// rest is Client.rest.
	rest = 2 * time.Second
	// occupied is for how long in a row a server may have no room for an attempt: what
	// has it may be somebody's film.
	occupied = time.Hour
)

// tries decides whether and when there is another attempt at a film.
type tries struct {
	address string
	rest    time.Duration // before the second attempt

	fails    int           // attempts in a row that came no further
	hindered time.Time     // since when none has begun, zero where the last one has
	answered time.Time     // when the server did last, since then
	pause    time.Duration // before the next that may begin
	told     problem.Code  // why the last one has not begun
}

// next makes ready for another attempt after one that failed, and returns how long to
// wait before it. Retry is nil where there is nothing new to tell. The error is why there
// is none.
func (t *tries) next(m *making, failed error) (tell *Retry, pause time.Duration, err error) {
	var retry Retry
	misfit, lost, e := (*MisfitError)(nil), (*LostError)(nil), (*Error)(nil)
	switch {
	case errors.As(failed, &misfit):
		t.begun()
		t.fails = 0
		retry, err = m.part(misfit)
	case errors.As(failed, &lost):
		t.begun()
		retry, err = t.lost(m, lost)
	case m.again && errors.As(failed, &e) && e.passes:
		return t.hinder(m, e)
	default:
		return nil, 0, failed
	}
	return &retry, t.rest << max(0, t.fails-1), err
}

// begun forgets what kept attempts from their begin.
func (t *tries) begun() { t.hindered, t.told = time.Time{}, "" }

// lost counts an attempt that broke.
func (t *tries) lost(m *making, lost *LostError) (Retry, error) {
	retry, further, err := m.retreat(lost)
	if t.fails++; further {
		t.fails = 1
	}
	if lost.Attempt, lost.Attempts = t.fails, Attempts; t.fails == Attempts {
		return retry, &Error{Code: CodeLost, Sentence: fmt.Sprintf("the connection to %s broke %d times", t.address, Attempts), Cause: lost}
	}
	return retry, err
}

// hinder waits for a server that is away, as while it is started again, or has no room,
// which may be that of the attempt before. What came of the result is worth that.
func (t *tries) hinder(m *making, e *Error) (tell *Retry, pause time.Duration, err error) {
	now := time.Now()
	if t.hindered.IsZero() {
		t.hindered, t.answered, t.pause = now, now, t.rest
	}
	if !e.unanswered() {
		t.answered = now
	}
	switch away := now.Sub(t.answered); {
	case away > gaveUp:
		return nil, 0, &Error{Code: CodeLost, Sentence: fmt.Sprintf("the connection to %s broke, and there was no other for %s", t.address, away.Round(time.Second)), Cause: e}
	case now.Sub(t.hindered) > occupied:
		return nil, 0, e
	}
	if e.Code != t.told {
		t.told = e.Code
		tell = &Retry{Cause: e, From: m.reached()}
	}
	pause = max(t.pause, e.after)
	t.pause = min(2*t.pause, lastPause)
	return tell, pause, nil
}
