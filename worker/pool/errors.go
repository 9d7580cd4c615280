package pool

import (
	"errors"
	"fmt"
	"syscall"
)

// The errors of this package; what lies behind them is wrapped as well.
var (
	ErrEnded    = errors.New("worker pool has ended")
	ErrNoWorker = errors.New("no worker can be started")
	ErrStarting = errors.New("the first worker is starting")
	ErrClosed   = errors.New("worker is closed")
	ErrGone     = errors.New("worker is gone") // Handler.Gone tells how
	ErrOpened   = errors.New("worker has a film")
	ErrNoReply  = errors.New("worker does not reply in time")
	// ErrSurvivor is returned by Run when the kernel does not let go of a process
	// that was killed, as when a driver hangs.
	ErrSurvivor = errors.New("worker cannot be ended")

	errHung = errors.New("worker hangs")
)

// Reason is why a worker was lost.
type Reason string

// The reasons.
const (
	ReasonCrashed  Reason = "crashed"  // a signal, or Go's runtime gave up
	ReasonExited   Reason = "exited"   // by itself, unasked
	ReasonHung     Reason = "hung"     // no Stats in time, or it takes no messages
	ReasonProtocol Reason = "protocol" // it broke the protocol, or has another version
	ReasonStart    Reason = "start"    // there was no process, or no Hello in time
	ReasonStopped  Reason = "stopped"  // the pool ended
)

// Reasons lists the reasons.
func Reasons() []Reason {
	return []Reason{ReasonCrashed, ReasonExited, ReasonHung, ReasonProtocol, ReasonStart, ReasonStopped}
}

// GoneError says how a worker was lost. Its text holds nothing that a worker
// wrote; Stderr does.
type GoneError struct {
	Reason Reason
	Signal syscall.Signal // that ended the process, by itself; 0 for none
	Status int            // that the process gave by itself; -1 for none
	Cause  error          // what was seen first; may be nil
	Stderr string         // the last that it wrote, for the log alone
}

// Error implements error.
func (e *GoneError) Error() string {
	text := "worker " + string(e.Reason)
	switch {
	case e.Signal != 0:
		text += fmt.Sprintf(" (%s)", signalName(e.Signal))
	case e.Status >= 0:
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *GoneError) Unwrap() error { return e.Cause }
