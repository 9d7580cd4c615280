package source

import (
	"context"
	"errors"
	"time"
)

// Limits bound what one URL may cost.
type Limits struct {
	Size      int64         // bytes of the film
	Redirects int           // followed for one request
	Header    time.Duration // from asking, or connecting, until the head of an answer has come, for each redirect
	Idle      time.Duration // between two bytes of an answer
	Block     time.Duration // for a block of 256 KiB, with all tries and waits
	Tries     int           // for a block
}

// DefaultLimits are for films of any kind on a usual server.
func DefaultLimits() Limits {
	return Limits{
		Size: 256 << 30, Redirects: 5, Header: 10 * time.Second, Idle: 10 * time.Second,
		Block: 30 * time.Second, Tries: 5,
	}
}

func (l Limits) check() error {
	switch {
	case l.Size < 1:
		return errors.New("size: must be at least 1 byte")
	case l.Redirects < 0:
		return errors.New("redirects: must not be negative")
	case l.Header <= 0 || l.Idle <= 0 || l.Block <= 0:
		return errors.New("header, idle and block: must be above 0 s")
	case l.Tries < 1:
		return errors.New("tries: must be at least 1")
	}
	return nil
}

// The wait after a failed try doubles from firstWait to lastWait. A server that
// names a longer one is heeded up to longestWait.
const (
	firstWait   = 200 * time.Millisecond
	lastWait    = 3 * time.Second
	longestWait = 10 * time.Second
)

// errTime is the cause of a context whose Block is over.
var errTime = errors.New("out of time")

// try calls once until it goes well, fails for good, or Tries or Block are used
// up. It returns once's last error.
func (l Limits) try(ctx context.Context, once func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, l.Block, errTime)
	defer cancel()
	wait := firstWait
	for n := 1; ; n++ {
		err := once(ctx)
		var failed *Error
		if !errors.As(err, &failed) || !failed.again || n == l.Tries {
			return err
		}
		pause := time.NewTimer(max(wait, min(failed.after, longestWait)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
		wait = min(2*wait, lastWait)
	}
}
