package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

const (
	playedSegments = 20               // of the session whose memory is measured
	pausedWindow   = 10 * time.Second // over which a paused session's processor time is
	calming        = 2 * time.Second  // from the pause until what was under way is done
	fullWindow     = 20 * time.Second // over which all sessions play
	mebi           = 1 << 20
)

// rest measures what a session takes: memory while it plays, and the processor
// while it is paused.
func (b *sessionBench) rest(ctx context.Context) error {
	return b.calm(ctx, func(ctx context.Context, d *daemon.Daemon, order playback.Order) error {
		idle, err := d.Process.RSS()
		if err != nil {
			return err
		}
		b.most("RSS of the server without a session", "MiB", askedServer, float64(idle)/mebi)
		p, err := b.begin(ctx, d, order)
		if err != nil {
			return err
		}
		rss, err := b.memory(ctx, d, p)
		if err != nil {
			return err
		}
		b.most("RSS of a worker while it plays, most", "MiB", askedWorker, rss)
		return b.paused(ctx, d, p)
	})
}

// memory plays some segments and returns the most memory that the worker had.
func (b *sessionBench) memory(ctx context.Context, d *daemon.Daemon, p played) (most float64, err error) {
	for k := range playedSegments {
		if _, _, err := fetchBoth(ctx, d, p.film, k, time.Now()); err != nil {
			return 0, err
		}
		rss, err := p.worker.RSS()
		if err != nil {
			return 0, err
		}
		most = max(most, float64(rss)/mebi)
	}
	return most, nil
}

// paused measures the processor time of a paused session and of the server.
func (b *sessionBench) paused(ctx context.Context, d *daemon.Daemon, p played) error {
	if err := d.Pause(ctx, p.session.ID); err != nil {
		return err
	}
	if err := pause(ctx, calming); err != nil {
		return err
	}
	var share []float64
	for range b.runs {
		used, begun, err := both(d.Process, p.worker)
		if err != nil {
			return err
		}
		if err := pause(ctx, pausedWindow); err != nil {
			return err
		}
		now, ended, err := both(d.Process, p.worker)
		if err != nil {
			return err
		}
		share = append(share, 100*(now-used).Seconds()/ended.Sub(begun).Seconds())
	}
	b.most("processor of a paused session, its worker and the server", "% of a core", askedPaused, share...)
	return nil
}

// both returns the processor time of two processes, and when it was.
func both(one, other daemon.Process) (time.Duration, time.Time, error) {
	a, err := one.CPU()
	c, err2 := other.CPU()
	return a + c, time.Now(), errors.Join(err, err2)
}

// full begins as many sessions as are let in, and has all of them play as fast as
// they can: whether they keep up, and take what was predicted.
func (b *sessionBench) full(ctx context.Context) error {
	return b.calm(ctx, func(ctx context.Context, d *daemon.Daemon, order playback.Order) error {
		var all []played
		for {
			p, err := b.begin(ctx, d, order)
			var refused *problem.Problem
			if errors.As(err, &refused) && refused.Status == 503 && len(all) > 0 {
				break
			}
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		b.most("sessions that are let in", "", 0, float64(len(all)))
		return b.playTogether(ctx, d, all)
	})
}

// playTogether has sessions play at once.
func (b *sessionBench) playTogether(ctx context.Context, d *daemon.Daemon, all []played) error {
	workers, err := d.Process.Children()
	if err != nil {
		return err
	}
	before, err := used(workers)
	if err != nil {
		return err
	}
	made := make([]time.Duration, len(all))
	failed := make([]error, len(all))
	began := time.Now()
	var players sync.WaitGroup
	for i, p := range all {
		players.Go(func() { made[i], failed[i] = playOn(ctx, d, p, began.Add(fullWindow)) })
	}
	players.Wait()
	elapsed := time.Since(began).Seconds()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	after, err := used(workers)
	if err != nil {
		return err
	}
	server, err := d.Process.RSS()
	if err != nil {
		return err
	}
	var factors []float64
	var film time.Duration
	for _, m := range made {
		factors, film = append(factors, m.Seconds()/elapsed), film+m
	}
	b.add("real-time factor of each, all at once", "×", factors, 1, true)
	b.most("predicted cost", "core-ms a second of film", 0, all[0].session.Plan.Cost.CoreMS)
	b.most("cost of all workers", "core-ms a second of film", 0, milliseconds(after-before)/film.Seconds())
	b.most("RSS of the server with them", "MiB", 0, float64(server)/mebi)
	return nil
}

// playOn fetches a session's segments, one after the other, until a time, and
// returns how much film that was.
func playOn(ctx context.Context, d *daemon.Daemon, p played, until time.Time) (made time.Duration, err error) {
	for k := 1; time.Now().Before(until) && k < len(p.film.Video.Segments); k++ {
		s := p.film.Video.Segments[k]
		if _, err := d.Fetch(ctx, s.URI, io.Discard); err != nil {
			return made, err
		}
		made += s.Duration
	}
	return made, nil
}

// used returns the processor time of some processes.
func used(all []daemon.Process) (sum time.Duration, err error) {
	for _, p := range all {
		cpu, err := p.CPU()
		if err != nil {
			return 0, err
		}
		sum += cpu
	}
	return sum, nil
}
