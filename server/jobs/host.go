package jobs

import (
	"context"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Starter opens films for jobs; session.Films is one.
type Starter interface {
	// Prepare opens a source and has a worker of its own prepare it. What the worker
	// says goes to handler until Close returns. Nothing is left behind after an error,
	// also of ctx.
	Prepare(
		ctx context.Context, source, session string, m wire.Prepare, start func(func()), handler session.Handler,
	) (session.Transcoder, wire.Prepared, error)
}

// Host is what jobs need of the sessions, as one of which each of them is made.
type Host interface {
	// Begin takes a place and makes a session known. Errors are
	// *session.RefusedError and session.ErrDraining.
	Begin(about session.About) (Life, error)
	// Freed is closed when a place or cost is given back next.
	Freed() <-chan struct{}
	// Watch tells of the sessions that jobs give way to, now and whenever something of
	// them changes, until ctx ends.
	Watch(ctx context.Context, tell func(Others)) error
}

// Others are the sessions that are no jobs.
type Others struct {
	Playing int  // whose viewer waits for pictures
	Crowded bool // they have been given what jobs have
}

// Life is the session that a job is made as; *session.Life is one.
type Life interface {
	ID() string
	Book(cost wire.Cost) error // *session.RefusedError
	Describe(film wire.Opened)
	Playing()
	Paused()
	Fail(err error, code string)
	End(cause session.Cause)
	Ending() <-chan struct{}
	Err() error // *session.EndedError once it ends
	Conclude()
	Stats(s wire.Stats)
	Warn(w wire.Warning)
	Progress(p session.Progress)
}

// Sessions is the Host that a Manager is.
type Sessions struct{ *session.Manager }

// Begin implements Host.
func (s Sessions) Begin(about session.About) (Life, error) {
	life, err := s.Manager.Begin(about)
	if err != nil {
		return nil, err // and no Life that is not nil
	}
	return life, nil
}

// Watch implements Host. It counts anew after what is booked has changed, and after
// each state of a session that is no job, of which it takes none: that one comes is all it
// needs to know.
func (s Sessions) Watch(ctx context.Context, tell func(Others)) error {
	states := make(chan struct{}, 1)
	events := s.Subscribe(func(e session.Event) bool {
		if e.State != nil && e.State.Kind != session.KindJob {
			signal(states)
		}
		return false
	})
	defer events.Close()
	for {
		moved := s.Moved()
		tell(Others{Playing: s.playing(), Crowded: s.Crowded()})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-states:
		case <-moved:
		}
	}
}

// playing counts the sessions whose viewer waits for pictures, also where the film is
// still to be opened. One that is paused waits for none.
func (s Sessions) playing() int {
	n := s.Opening() // before List, which has those that are opened meanwhile
	for _, e := range s.List() {
		if state := e.State(); e.Kind() != session.KindJob && (state == session.StateStarting || state == session.StatePlaying) {
			n++
		}
	}
	return n
}
