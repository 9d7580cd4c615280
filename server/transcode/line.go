package transcode

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
)

// line is where transcodes wait for room on the machine: who came first tries first.
type line struct {
	most int // that wait; who comes then is refused

	mu      sync.Mutex
	waiting []*waiter             // guarded by mu; the first one tries
	refused *session.RefusedError // guarded by mu: what it was refused for last
}

// waiter is one that waits. Turn is closed when it is the first.
type waiter struct{ turn chan struct{} }

// pass returns when try has succeeded, or failed for another reason than want of
// room. Freed returns what is closed when there may be more. Errors are try's, a
// FullError, and ctx's cause; who has waited in vain for as long as patience gets the
// RefusedError.
func (l *line) pass(ctx context.Context, patience time.Duration, freed func() <-chan struct{}, try func() error) error {
	w, err := l.join(try)
	if w == nil {
		return err
	}
	defer l.leave(w)
	over := time.NewTimer(patience)
	defer over.Stop()
	select {
	case <-w.turn:
	case <-over.C:
		return l.reason()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		room := freed() // before the try: what is freed after it is not missed
		if err := try(); !l.hopes(err) {
			return err
		}
		select {
		case <-room:
		case <-over.C:
			return l.reason()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// join tries where nobody waits. It returns a waiter if there is one to be.
func (l *line) join(try func() error) (*waiter, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		err := try()
		refused, is := hopeful(err)
		if !is || l.most == 0 {
			return nil, err
		}
		l.refused = refused
	}
	if len(l.waiting) >= l.most {
		return nil, &FullError{Limit: l.most, Refused: l.refused}
	}
	w := &waiter{turn: make(chan struct{})}
	if l.waiting = append(l.waiting, w); len(l.waiting) == 1 {
		close(w.turn)
	}
	return w, nil
}

// leave takes a waiter out of the line.
func (l *line) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other != w {
			continue
		}
		l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
		if i == 0 && len(l.waiting) > 0 {
			close(l.waiting[0].turn)
		}
	}
}

// hopes reports whether it is worth while to wait after an error, and keeps it.
func (l *line) hopes(err error) bool {
	refused, is := hopeful(err)
	if is {
		l.mu.Lock()
		l.refused = refused
		l.mu.Unlock()
	}
	return is
}

// reason is what the first was refused for last.
func (l *line) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

// length returns how many wait.
func (l *line) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// hopeful reports whether an error says that there will be room.
func hopeful(err error) (*session.RefusedError, bool) {
	refused, is := errors.AsType[*session.RefusedError](err)
	return refused, is && refused.RetryAfter > 0
}
