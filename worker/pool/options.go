package pool

import (
	"errors"
	"log/slog"
	"time"
)

// Options say what a pool starts and how patient it is. A time of 0 stands for
// what is said beside it.
type Options struct {
	Command []string // the executable, and its arguments
	Env     []string // settings that workers get beside those of environment
	Spare   int      // workers kept warm, 0 for none

	Start     time.Duration // of a process until its Hello: 10s
	Take      time.Duration // of Take: 10s
	Reply     time.Duration // of each request but Open and Measure: 10s
	Open      time.Duration // of Open, which reads the film's ends, and Measure: 30s
	Heartbeat time.Duration // without Stats, or without taking a message: 3s
	Stop      time.Duration // of a worker that is told to stop: 500ms
	// Rest passes between a Take and the start of the next spare, so that the
	// session that begins has the processor for itself: 2s.
	Rest time.Duration

	Log *slog.Logger
}

// Bounds of the pause after starts that failed: it doubles with each.
const (
	firstPause = 250 * time.Millisecond
	longPause  = 30 * time.Second
	// steady is how long a spare must have lived to be no failure when it ends.
	steady = 10 * time.Second
)

// fill gives what is zero its default, and checks the rest.
func (o *Options) fill() error {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Start, 10 * time.Second},
		{&o.Take, 10 * time.Second},
		{&o.Reply, 10 * time.Second},
		{&o.Open, 30 * time.Second},
		{&o.Heartbeat, 3 * time.Second},
		{&o.Stop, 500 * time.Millisecond},
		{&o.Rest, 2 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
		if *d.field < 0 {
			return errors.New("worker pool: times must be positive")
		}
	}
	switch {
	case len(o.Command) == 0:
		return errors.New("worker pool: no command")
	case o.Spare < 0:
		return errors.New("worker pool: spare must be at least 0")
	case o.Log == nil:
		return errors.New("worker pool: no log")
	}
	return nil
}

// pause returns how long to wait after a number of failed starts in a row.
func pause(failures int) time.Duration {
	if failures < 1 {
		return 0
	}
	return min(longPause, firstPause<<min(failures-1, 16))
}
