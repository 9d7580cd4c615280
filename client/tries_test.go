package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// TestWaitIsBounded waits for a server that never comes back, for one that has no room, and
// for one that is and has neither by turns.
func TestWaitIsBounded(t *testing.T) {
	away := &Error{Code: CodeUnreachable, passes: true}
	busy := &Error{Code: problem.Busy, passes: true, after: 15 * time.Second}
	for name, c := range map[string]struct {
		errs  []error
		code  problem.Code
		bound time.Duration
		told  int
	}{
		"away":         {[]error{away}, CodeLost, gaveUp, 1},
		"without room": {[]error{busy}, problem.Busy, occupied, 1},
		"by turns":     {[]error{away, busy}, problem.Busy, occupied, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, told, began := newMaking(&Film{Result: &paper{}}), 0, time.Now()
				tries := tries{rest: rest}
				if _, _, err := tries.next(m, c.errs[0]); !errors.Is(err, c.errs[0]) {
					t.Errorf("the first attempt: %v", err)
				}
				if _, _, err := tries.next(m, &LostError{}); err != nil {
					t.Fatal(err)
				}
				for n := 0; ; n++ {
					tell, pause, err := tries.next(m, c.errs[n%len(c.errs)])
					if tell != nil {
						told++
					}
					if err == nil {
						<-time.After(pause)
						continue
					}
					e, took := (*Error)(nil), time.Since(began)
					if !errors.As(err, &e) || len(c.errs) == 1 && e.Code != c.code || took < c.bound || took > c.bound+2*lastPause || c.told > 0 && told != c.told {
						t.Errorf("%v after %s, told %d times", err, took, told)
					}
					return
				}
			})
		})
	}
}

// TestFailuresAreNotWaitedFor ends with what another attempt would find, too.
func TestFailuresAreNotWaitedFor(t *testing.T) {
	m := newMaking(&Film{Result: &paper{}})
	m.again = true
	for _, err := range []error{&Error{Code: problem.Unauthorized}, &Error{Code: problem.Damaged}, errors.New("of the film")} {
		if _, _, got := (&tries{}).next(m, err); !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
