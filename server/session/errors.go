package session

import (
	"errors"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

var (
	// ErrNotFound is returned for a session that there is not, or no longer.
	ErrNotFound = errors.New("no such session")
	// ErrKind is wrapped where a session is asked for what its kind has not.
	ErrKind = errors.New("not of a session of this kind")
	// ErrDraining is returned when the server takes no more sessions since it ends.
	ErrDraining = errors.New("server is shutting down")
	// ErrRequest is wrapped where what a client asks for makes no sense.
	ErrRequest = errors.New("bad request for a session")
	// ErrNoStream is returned for a rendition that a film has not.
	ErrNoStream = errors.New("film has no such stream")
	// ErrNoSegment is returned for a segment or a generation that a rendition has not.
	ErrNoSegment = errors.New("stream has no such segment")
	// ErrLate is returned when a segment was not made within the wait of Options.
	ErrLate = errors.New("segment was not made in time")
	// ErrSlow ends a subscription that has not taken its events.
	ErrSlow = errors.New("subscriber is too slow for the events of its sessions")
	// ErrClosed is returned by a subscription that was closed.
	ErrClosed = errors.New("subscription is closed")
)

// The codes of failures that are found here. All others are a worker's.
const (
	// CodeWorkerLost: the worker's process ended by itself.
	CodeWorkerLost = "worker_lost"
	// CodeWorkerHung: the worker's process says nothing any more.
	CodeWorkerHung = "worker_hung"
	// CodeWorkerMemory: the worker's process has more memory than it may have.
	CodeWorkerMemory = "worker_memory"
	// CodeWorkerFailed: the worker's process crashed, or does not keep to what it
	// announced.
	CodeWorkerFailed = "worker_failed"
)

// EndedError is returned by calls on a session that has ended, or ends while they
// wait.
type EndedError struct {
	Cause   Cause
	Failure *wire.Error // of CauseFailed
}

func (e *EndedError) Error() string {
	if e.Failure != nil {
		return fmt.Sprintf("session failed: %s", e.Failure.Sentence)
	}
	return fmt.Sprintf("session has ended: %s", e.Cause)
}

// Unwrap returns the failure, nil where there is none.
func (e *EndedError) Unwrap() error {
	if e.Failure == nil {
		return nil
	}
	return e.Failure
}

// Reason says what a session was refused for.
type Reason string

// The reasons.
const (
	ReasonSessions Reason = "sessions" // as many as may be
	ReasonCPU      Reason = "cpu"
	ReasonGPU      Reason = "gpu"
)

// Reasons lists the reasons.
func Reasons() []Reason { return []Reason{ReasonSessions, ReasonCPU, ReasonGPU} }

// RefusedError says why a session does not fit, with the figures: sessions, or
// milliseconds of the processor's cores or of the GPU in each second.
type RefusedError struct {
	Reason     Reason
	Needed     float64       // by this session
	Used       float64       // by those that run
	Limit      float64       // of all
	RetryAfter time.Duration // estimated, 0: it will never fit
}

func (e *RefusedError) Error() string {
	unit := " ms/s"
	if e.Reason == ReasonSessions {
		unit = ""
	}
	return fmt.Sprintf("session does not fit: %s needs %.0f%s, uses %.0f of %.0f", e.Reason, e.Needed, unit, e.Used, e.Limit)
}
