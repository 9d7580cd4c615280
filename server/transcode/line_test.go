package transcode

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
)

// room is a machine with so many places.
type room struct {
	mu    sync.Mutex
	left  int
	freed chan struct{}
	later time.Duration // of a refusal
}

func newRoom(left int) *room {
	return &room{left: left, freed: make(chan struct{}), later: time.Minute}
}

func (r *room) take() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return &session.RefusedError{Reason: session.ReasonSessions, RetryAfter: r.later}
	}
	r.left--
	return nil
}

func (r *room) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.freed
}

func (r *room) give() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left++
	close(r.freed)
	r.freed = make(chan struct{})
}

// TestLineIsKept lets some wait and gives places one by one.
func TestLineIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := &line{most: 3}, newRoom(1)
		got := make(chan int, 4)
		for i := range 4 {
			go func() {
				if err := l.pass(t.Context(), time.Hour, r.wait, r.take); err != nil {
					t.Error(i, err)
				}
				got <- i
			}()
			synctest.Wait()
		}
		full := &FullError{}
		if err := l.pass(t.Context(), time.Hour, r.wait, r.take); !errors.As(err, &full) || full.Limit != 3 || full.Refused == nil || l.length() != 3 {
			t.Errorf("%v, %d wait", err, l.length())
		}
		for want := range 4 {
			if i := <-got; i != want {
				t.Errorf("%d comes in place of %d", i, want)
			}
			r.give()
			synctest.Wait()
		}
		if l.length() != 0 {
			t.Errorf("%d wait still", l.length())
		}
	})
}

// TestLineEnds waits in vain, hangs up, and is told that there will be no room.
func TestLineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := &line{most: 8}, newRoom(0)
		first := make(chan error, 1)
		go func() { first <- l.pass(t.Context(), time.Minute, r.wait, r.take) }()
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		second := make(chan error, 1)
		go func() { second <- l.pass(ctx, time.Hour, r.wait, r.take) }()
		synctest.Wait()
		cancel(errGone)
		if err := <-second; !errors.Is(err, errGone) || l.length() != 1 {
			t.Errorf("%v, %d wait", err, l.length())
		}
		begun, refused := time.Now(), &session.RefusedError{}
		if err := <-first; !errors.As(err, &refused) || time.Since(begun) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		r.later = 0
		if err := l.pass(t.Context(), time.Hour, r.wait, r.take); !errors.As(err, &refused) || time.Since(begun) != time.Minute {
			t.Errorf("what will never fit waits: %v", err)
		}
		none := &line{}
		r.later = time.Minute
		if err := none.pass(t.Context(), time.Hour, r.wait, r.take); !errors.As(err, &refused) {
			t.Errorf("without a line: %v", err)
		}
	})
}
