package jobs

import (
	"context"
	"errors"

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

// Watch implements Host.
func (s Sessions) Watch(ctx context.Context, tell func(Others)) error {
	for {
		events := s.Subscribe(func(e session.Event) bool {
			return e.State != nil && (e.State.Kind != session.KindJob || e.State.State == session.StateEnded) // which gave its place back
		})
		err := s.follow(ctx, events, tell)
		events.Close()
		if !errors.Is(err, session.ErrSlow) { // then they are counted anew
			return err
		}
	}
}

// follow tells after each event, until one fails to come.
func (s Sessions) follow(ctx context.Context, events *session.Subscription, tell func(Others)) error {
	for {
		tell(Others{Playing: s.playing(), Crowded: s.Crowded()})
		if _, err := events.Next(ctx); err != nil {
			return err
		}
	}
}

// playing counts the sessions whose viewer waits for pictures. One that is paused
// waits for none.
func (s Sessions) playing() int {
	n := 0
	for _, e := range s.List() {
		if state := e.State(); e.Kind() != session.KindJob && (state == session.StateStarting || state == session.StatePlaying) {
			n++
		}
	}
	return n
}
