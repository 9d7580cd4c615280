package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/server/control"
	"github.com/upscaled-media/upscaled/server/session"
)

// answering bounds how long the last requests may take after the sessions have
// ended.
const answering = 5 * time.Second

// part is a part of the server that runs.
type part struct {
	name string
	end  context.CancelFunc
	done chan error // takes the outcome without a reader
}

// parts are those that run, in the order in which they started.
type parts struct {
	running []part
	broken  chan error // is told when one ends by itself; takes one
}

// start runs a part until end is called, or by itself.
func (p *parts) start(ctx context.Context, name string, run func(context.Context) error) {
	ctx, end := context.WithCancel(context.WithoutCancel(ctx)) // it ends in its turn, and not with the others
	now := part{name, end, make(chan error, 1)}
	p.running = append(p.running, now)
	go func() {
		err := run(ctx)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		now.done <- err
		if ctx.Err() == nil && err != nil {
			select {
			case p.broken <- err:
			default: // the first tells enough
			}
		}
	}()
}

// end ends the parts, each before those that it works with, and returns what went
// wrong with them.
func (p *parts) end() error {
	var errs []error
	for _, now := range slices.Backward(p.running) {
		now.end()
		errs = append(errs, <-now.done)
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, and then drains; hurry ends that. The error is the
// part's that could not start or go on. It may be called once.
func (s *Server) Run(ctx context.Context, hurry <-chan struct{}) (err error) {
	defer func() { err = errors.Join(err, s.cache.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen.String())
	if err != nil {
		return errors.Join(fmt.Errorf("listen: %w", err), s.jobs.Close())
	}
	listener = limit(listener, s.config.Limits.Connections)
	all := &parts{broken: make(chan error, 1)}
	defer func() { err = errors.Join(err, all.end()) }()
	all.start(ctx, "cache", s.cache.Run)
	all.start(ctx, "workers", s.workers.Run)
	all.start(ctx, "control", s.control.Run) // ends after the sessions, so that its clients are told how they ended
	all.start(ctx, "live", s.studio.Run)
	all.start(ctx, "sessions", s.sessions.Run) // ends those that live has, too
	all.start(ctx, "webrtc", s.peers.Run)
	all.start(ctx, "jobs", s.jobs.Run)
	all.start(ctx, "metrics", func(ctx context.Context) error { return s.metrics.Run(ctx, s.sessions) })
	all.start(ctx, "measure", s.measure)
	serving := make(chan error, 1)
	go func() { serving <- s.serve(listener) }()
	defer func() { err = errors.Join(err, s.hangUp(ctx, serving)) }()
	if s.told != nil {
		s.told(listener.Addr())
	}
	select {
	case <-ctx.Done():
	case err = <-all.broken:
		return err
	case err = <-serving:
		serving <- http.ErrServerClosed // for hangUp
		return fmt.Errorf("listen: %w", err)
	}
	s.drain(context.WithoutCancel(ctx), hurry)
	return nil
}

// drain takes no session any more, and returns when all have ended, or may no
// longer go on.
func (s *Server) drain(ctx context.Context, hurry <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Shutdown.Drain)
	defer cancel()
	events := s.sessions.Subscribe(func(e session.Event) bool { return e.State != nil && e.State.State == session.StateEnded })
	defer events.Close()
	s.sessions.Drain()
	s.jobs.Drain() // they go on after the next start, and keep nobody waiting
	s.control.Announce(control.Notice{
		Code: control.NoticeShutdown, Message: "The server is ending.", Seconds: s.config.Shutdown.Drain.Seconds(),
	})
	left := s.live()
	s.log.Info("draining", "sessions", left, "at_most", s.config.Shutdown.Drain)
	stop := context.AfterFunc(ctx, events.Close)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s.live() > 0 {
			if _, err := events.Next(ctx); err != nil {
				return
			}
		}
	}()
	select {
	case <-done:
	case <-hurry:
		cancel()
		<-done
	}
}

// live counts the sessions that have not ended.
func (s *Server) live() int {
	n := 0
	for state, count := range s.sessions.States() {
		if state != session.StateEnded {
			n += count
		}
	}
	return n
}

// hangUp ends HTTP. Requests that wait for a segment are answered first, since the
// sessions end meanwhile; connections that take longer are closed.
func (s *Server) hangUp(ctx context.Context, serving <-chan error) error {
	s.endSessions()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answering)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // it is the end either way
	}
	if err := <-serving; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// endSessions tells every session to end, and so everybody who waits for one.
func (s *Server) endSessions() {
	for _, one := range s.sessions.List() {
		one.End(session.CauseShutdown)
	}
}
