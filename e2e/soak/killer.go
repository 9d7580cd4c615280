package soak

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/session"
)

// kill kills a worker now and then, until ctx ends.
func (s *soak) kill(ctx context.Context, random *rand.Rand) {
	for every := s.killEvery(); sleep(ctx, every/2+time.Duration(random.Int64N(int64(every)))); {
		children, err := s.d.Process.Children()
		if err != nil || len(children) == 0 {
			s.tally.fault("the server has no worker: %v", err)
			continue
		}
		s.killOne(ctx, children[random.IntN(len(children))])
	}
}

// killOne kills a worker and sees to it that its session, if it had one, is told to
// have failed in time, and that every session that goes on has a worker.
func (s *soak) killOne(ctx context.Context, worker daemon.Process) {
	ctx, cancel := patient(ctx)
	defer cancel()
	s.tally.killed()
	if err := syscall.Kill(int(worker), syscall.SIGKILL); err != nil {
		return // it has ended just now
	}
	for deadline := time.Now().Add(failing); ; sleep(ctx, 100*time.Millisecond) {
		live, err := s.watch(ctx)
		if err != nil {
			s.tally.fault("after a kill: %v", err)
			return
		}
		h, err := s.d.Hardware(ctx)
		if err != nil {
			s.tally.fault("after a kill: %v", err)
			return
		}
		if !worker.Lives() && live <= h.Workers.Running {
			return
		}
		if time.Now().After(deadline) {
			s.tally.fault("%s after worker %d was killed, %d sessions go on with %d workers", failing, worker, live, h.Workers.Running)
			return
		}
	}
}

// watch counts the sessions that go on, and notes those that failed.
func (s *soak) watch(ctx context.Context) (live int, err error) {
	all, err := s.d.Sessions(ctx)
	for _, one := range all {
		switch {
		case one.State == session.StateEnding:
		case one.State != session.StateEnded:
			live++
		case one.Cause == session.CauseFailed:
			s.tally.fail(one.ID, string(one.Failure.Code))
		}
	}
	return live, err
}
