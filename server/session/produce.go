package session

import (
	"context"
	"errors"
	"time"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// playWait bounds a worker's answer to Play: it takes note of it, no more.
const playWait = 10 * time.Second

// produce has a rendition made until ctx ends: it sees to it that the worker does
// what decide orders, one command after the other.
func (s *Session) produce(ctx context.Context, r *rendition) {
	for {
		do, again := s.step(r)
		if do != nil {
			do(ctx)
			continue
		}
		var timer <-chan time.Time
		if again > 0 {
			timer = time.After(again)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-timer:
		}
	}
}

// step returns the next command for the worker, or nil and, unless it is 0, the
// time after which to look again.
func (s *Session) step(r *rendition) (do func(context.Context), again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.over() {
		return nil, 0
	}
	now := time.Now()
	o := s.outlook(r, now)
	d := o.decide()
	if d.play {
		if again = r.restrain(d.preempts, now); again == 0 {
			return s.begin(r, d, now), 0
		}
		d.limit = o.keep()
	}
	if run := r.run; run != nil && run.stale { // nothing takes its place yet
		s.drop(run)
		return func(context.Context) { _ = s.worker.Halt(run.id) }, again // an error comes to Gone, too
	}
	if run := r.run; run != nil && run.limit != d.limit {
		if run.limit <= run.next && d.limit > run.next {
			run.since = now // it waited until now
		}
		run.limit = d.limit
		return func(context.Context) { _ = s.worker.Limit(run.id, d.limit) }, 0 // an error comes to Gone, too
	}
	return nil, again
}

// restrain returns how long a new run has to wait, 0 when it may begin.
func (r *rendition) restrain(preempts bool, now time.Time) time.Duration {
	wait := r.restarts.wait(now)
	if preempts {
		wait = max(wait, r.preempts.wait(now))
	}
	if wait > 0 {
		return wait
	}
	r.restarts.take(now)
	if preempts {
		r.preempts.take(now)
	}
	return 0
}

// begin begins a run in place of the one there is.
func (s *Session) begin(r *rendition, d order, now time.Time) func(context.Context) {
	if r.run != nil {
		s.drop(r.run)
	}
	s.lastRun++
	run := &run{
		id: s.lastRun, rendition: r, generation: r.newest(), first: d.segment, limit: d.limit, began: now,
		making: making{next: d.segment, reach: d.segment},
	}
	s.runs[run.id], r.run = run, run
	for _, w := range r.waiters {
		w.seek = w.seek || w.segment == d.segment
	}
	play := wire.Play{Run: run.id, Stream: r.stream, Segment: d.segment, Limit: d.limit}
	if r == s.video && s.changed {
		upscale, video, burn := s.settings.upscale(), s.settings.video(), s.settings.Burn
		play.Upscale, play.Video, play.Burn = &upscale, &video, &burn
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, playWait)
		defer cancel()
		s.played(run, s.worker.Play(ctx, play))
	}
}

// drop forgets a run; what still comes of it is let go.
func (s *Session) drop(run *run) {
	delete(s.runs, run.id)
	if run.rendition.run == run {
		run.rendition.run = nil
	}
}

// played takes the worker's answer to Play. Settings that it refuses are Set's to
// take back; any other refusal ends the session.
func (s *Session) played(run *run, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := run.rendition.generations[run.generation]
	select {
	case g.answer <- err:
	default: // only the first answer counts
	}
	if err == nil || s.state.over() || errors.Is(err, pool.ErrGone) { // Gone tells how, in a moment
		return
	}
	s.drop(run)
	if errors.As(err, new(*wire.Error)) && g.undo != nil && g.init == nil {
		g.undo()
		return
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	s.fail(failure(err, CodeWorkerLost))
}
