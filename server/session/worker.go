package session

import (
	"context"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Starter opens films.
type Starter interface {
	// Start opens the source that a client named and has a worker of its own open
	// it. What the worker says goes to handler until Worker.Close returns. Errors of
	// the film are, or wrap, *wire.Error. Nothing is left behind after an error,
	// also of ctx.
	Start(ctx context.Context, source string, job Job, handler Handler) (Worker, wire.Opened, error)
}

// Job is what a film is opened for.
type Job struct {
	Session string    // for the log
	Open    wire.Open // without ID, Name and Size
	// Go runs what has to run beside the worker and ends with Worker.Close, or, after
	// an error, with Start. The Manager waits for it.
	Go func(func())
}

// Worker is the process that makes a session's segments; *pool.Worker is one. Any
// goroutine may call its methods. Errors of Play and Set are *wire.Error where the
// worker refuses. Those that wrap pool.ErrGone say that it is gone, which
// Handler.Gone will tell, too, with how that came about. All others mean that it
// gives no answer, or that ctx ended.
type Worker interface {
	Play(ctx context.Context, play wire.Play) error
	Set(ctx context.Context, change wire.Set) error
	// Limit and Halt do not wait. That a worker is gone is told by Handler.Gone, too.
	Limit(run uint32, segment int) error
	Halt(run uint32) error
	// Close ends the process, by force where it does not end by itself, and waits
	// less than a second for that unless ctx ends.
	Close(ctx context.Context) error
}

// Handler takes what a worker says. It is called by one goroutine at a time, which
// it does not keep waiting.
type Handler interface {
	Init(wire.Init)
	Packet(wire.Packet)
	Cue(wire.Cue)
	Progress(wire.Progress)
	Written(wire.Written)
	Ended(wire.Ended)
	Stats(wire.Stats)
	Warning(wire.Warning)
	// Gone comes last, with nil after Close. An error that is, or wraps, a
	// *wire.Error tells the client why.
	Gone(err error)
}
