package transcode

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// upload is a request's body. One goroutine reads it.
type upload struct {
	body    io.Reader
	control *http.ResponseController
	idle    time.Duration // the longest time that nothing may come
	size    int64         // as announced, -1: not known
	head    []byte        // that was looked at and not yet read

	read  atomic.Int64
	whole atomic.Bool // it was read to its end

	mu      sync.Mutex // held while the deadline is set
	stopped bool       // guarded by mu: nobody wants any more of it
}

// peek reads as much of the body as is needed to tell its layout.
func (u *upload) peek() (layout, error) {
	for {
		kind := layoutOf(u.head)
		if kind != undecided || len(u.head) >= longestHead {
			return kind, nil
		}
		more := make([]byte, 64<<10)
		n, err := u.fetch(more)
		u.head = append(u.head, more[:n]...)
		if errors.Is(err, io.EOF) {
			if len(u.head) == 0 {
				return streamed, problem.New(problem.SourceEmpty, "the body is empty")
			}
			if kind = layoutOf(u.head); kind == undecided {
				kind = streamed // it is for the worker to say what it is
			}
			return kind, nil
		}
		if err != nil {
			return streamed, err
		}
	}
}

// Read implements io.Reader. Errors other than io.EOF are problems.
func (u *upload) Read(p []byte) (int, error) {
	if len(u.head) > 0 {
		n := copy(p, u.head)
		u.head = u.head[n:]
		return n, nil
	}
	return u.fetch(p)
}

// fetch reads what comes from the client.
func (u *upload) fetch(p []byte) (int, error) {
	if u.whole.Load() {
		return 0, io.EOF
	}
	until, wanted := u.await()
	if !wanted {
		return 0, errStopped
	}
	n, err := u.body.Read(p)
	u.read.Add(int64(n))
	wanted = u.came(errors.Is(err, io.EOF))
	switch {
	case err == nil, errors.Is(err, io.EOF):
	// A deadline that has passed has had net/http end the request, which stops the body, too.
	case errors.Is(err, os.ErrDeadlineExceeded) && !wanted && time.Now().Before(until):
		err = errStopped
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = stalledBody(u.idle)
	default:
		err = incomplete(err)
	}
	return n, err
}

// await gives the client its time, and reports whether the body is still wanted.
func (u *upload) await() (until time.Time, wanted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	until = time.Now().Add(u.idle)
	if !u.stopped {
		_ = u.control.SetReadDeadline(until) // a connection that cannot has no slow client
	}
	return until, !u.stopped
}

// came takes the deadline back once something has come, or all, and reports whether the
// body is still wanted. In HTTP/2 a deadline that passes ends the body for good, also
// while nobody reads since the pipeline is slow; in HTTP/1.1 a connection whose body was
// read is listened to for its end.
func (u *upload) came(whole bool) (wanted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if whole {
		u.whole.Store(true)
	}
	if whole || !u.stopped {
		_ = u.control.SetReadDeadline(time.Time{})
	}
	return !u.stopped
}

// errStopped ends the reading of a body of which nobody wants more.
var errStopped = errors.New("body is not read any more")

// stop wakes who reads, also where that begins only now.
func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	if !u.whole.Load() {
		_ = u.control.SetReadDeadline(time.Unix(1, 0))
	}
}
