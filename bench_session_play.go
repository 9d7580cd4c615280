package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
)

const (
	// ready bounds the wait for a spare worker, which is measured with before the
	// first session.
	ready = time.Minute
	// watching is how long a player stays before it goes elsewhere.
	watching = time.Second
	// Where it goes, in segments: none of them is made before.
	farForward = 200
	farBack    = 100
)

// played is a session that was begun, and when what came.
type played struct {
	session playback.Session
	film    daemon.Film
	worker  daemon.Process // the spare that it took, 0 where there was not just one
	post    time.Duration  // until the answer to POST
	first   time.Duration  // until the first segment of the picture was there
	sound   time.Duration  // and that of the sound
}

// starts measures starts from a warm worker, seeks in films with near and far key
// frames, and ends.
func (b *sessionBench) starts(ctx context.Context) error {
	return b.serve(ctx, nil, func(ctx context.Context, d *daemon.Daemon) error {
		for _, seconds := range keyFrames {
			if err := b.playAll(ctx, d, seconds); err != nil {
				return err
			}
		}
		return nil
	})
}

// times are those of some sessions, by what they are of, in milliseconds.
type times map[string][]float64

func (t times) add(name string, d time.Duration) { t[name] = append(t[name], milliseconds(d)) }

// playAll measures sessions of one film.
func (b *sessionBench) playAll(ctx context.Context, d *daemon.Daemon, seconds int) error {
	film, err := b.film(ctx, seconds)
	if err != nil {
		return err
	}
	took := times{}
	for range b.runs {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		if err := b.play(ctx, d, film, took); err != nil {
			return err
		}
	}
	of := fmt.Sprintf(", key frames every %d s", seconds)
	b.most("POST → answer"+of, "ms", 0, took["post"]...)
	b.most("POST → first segment, warm worker"+of, "ms", askedStart, took["first"]...)
	b.most("POST → first segments of picture and sound"+of, "ms", 0, took["sound"]...)
	b.most("seek far forward → segment"+of, "ms", askedSeek, took["forward"]...)
	b.most("seek back → segment"+of, "ms", askedSeek, took["back"]...)
	b.most("DELETE → worker gone"+of, "ms", askedDelete, took["delete"]...)
	return nil
}

// play plays one session as a player does that goes elsewhere twice.
func (b *sessionBench) play(ctx context.Context, d *daemon.Daemon, film string, took times) error {
	p, err := b.begin(ctx, d, playback.Order{Source: film, Model: b.model})
	if err != nil {
		return err
	}
	took.add("post", p.post)
	took.add("first", p.first)
	took.add("sound", p.sound)
	for _, to := range []struct {
		name    string
		segment int
	}{{"forward", farForward}, {"back", farBack}} {
		if err := pause(ctx, watching); err != nil {
			return err
		}
		begun := time.Now()
		picture, _, err := fetchBoth(ctx, d, p.film, to.segment, begun)
		if err != nil {
			return err
		}
		took.add(to.name, picture)
	}
	begun := time.Now()
	if err := d.Delete(ctx, p.session.ID); err != nil {
		return err
	}
	took.add("delete", time.Since(begun))
	if p.worker.Lives() {
		return fmt.Errorf("the worker %d of a deleted session is still there", p.worker)
	}
	return nil
}

// order asks for the film that is usually measured with.
func (b *sessionBench) order(ctx context.Context) (playback.Order, error) {
	film, err := b.film(ctx, keyFrames[0])
	return playback.Order{Source: film, Model: b.model}, err
}

// begin begins a session as a player does: POST, the playlists, the init segment,
// and the first segments of picture and sound at once.
func (b *sessionBench) begin(ctx context.Context, d *daemon.Daemon, o playback.Order) (played, error) {
	var p played
	spares, err := d.Process.Children()
	if err != nil {
		return p, err
	}
	if len(spares) == 1 {
		p.worker = spares[0]
	}
	begun := time.Now()
	if p.session, err = d.Create(ctx, o); err != nil {
		return p, err
	}
	p.post = time.Since(begun)
	if p.film, err = d.Film(ctx, p.session); err != nil {
		return p, err
	}
	if _, err := d.Fetch(ctx, p.film.Video.Segments[0].Init, io.Discard); err != nil {
		return p, err
	}
	p.first, p.sound, err = fetchBoth(ctx, d, p.film, 0, begun)
	return p, err
}

// fetchBoth fetches a segment of picture and sound at once and returns how long
// after begun each was there.
func fetchBoth(ctx context.Context, d *daemon.Daemon, f daemon.Film, segment int, begun time.Time) (picture, sound time.Duration, err error) {
	heard := make(chan error, 1)
	go func() {
		_, err := d.Fetch(ctx, f.Audio.Segments[segment].URI, io.Discard)
		sound = time.Since(begun)
		heard <- err
	}()
	_, err = d.Fetch(ctx, f.Video.Segments[segment].URI, io.Discard)
	picture = time.Since(begun)
	err = errors.Join(err, <-heard)
	return picture, max(picture, sound), err
}

// coldStarts measures starts without a spare worker.
func (b *sessionBench) coldStarts(ctx context.Context) error {
	order, err := b.order(ctx)
	if err != nil {
		return err
	}
	return b.serve(ctx, map[string]string{"workers.spare": "0"}, func(ctx context.Context, d *daemon.Daemon) error {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		var first []float64
		for range b.runs {
			p, err := b.begin(ctx, d, order)
			if err != nil {
				return err
			}
			first = append(first, milliseconds(p.first))
			if err := d.Delete(ctx, p.session.ID); err != nil {
				return err
			}
		}
		b.most("POST → first segment, no worker there", "ms", 0, first...)
		return nil
	})
}

// calm measures at a server that has nothing to do, with an order for the usual film.
func (b *sessionBench) calm(ctx context.Context, measure func(context.Context, *daemon.Daemon, playback.Order) error) error {
	order, err := b.order(ctx)
	if err != nil {
		return err
	}
	return b.serve(ctx, nil, func(ctx context.Context, d *daemon.Daemon) error {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		return measure(ctx, d, order)
	})
}

// settle waits until the machine is measured, no session is left, and the spare
// worker, where there is to be one, is ready.
func (b *sessionBench) settle(ctx context.Context, d *daemon.Daemon) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready, errors.New("the server has no spare worker"))
	defer cancel()
	calm := 0
	for calm < 5 {
		h, err := d.Hardware(ctx)
		if err != nil {
			return err
		}
		children, err := d.Process.Children()
		if err != nil {
			return err
		}
		calm++
		if len(h.Costs) == 0 || h.Workers.Starting > 0 || h.Workers.Running > 0 || len(children) != h.Workers.Spare || h.Workers.Spare < d.Spare {
			calm = 0
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// percentile returns the value that a share of the values does not exceed.
func percentile(values []float64, share float64) float64 {
	v := slices.Sorted(slices.Values(values))
	return v[max(0, int(math.Ceil(share*float64(len(v))))-1)]
}
