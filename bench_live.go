package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/playback"
)

// askedLive is the time from a picture to its upscaled self on the screen, in ms.
const askedLive = 3000

// live measures how late pictures of a live source are that go through the server by
// LL-HLS: from when the source sends one until a player shows it that stays as far
// behind the newest part as the playlist says. And how far what the relay makes lies
// behind what came.
func (b *sessionBench) live(ctx context.Context) error {
	return b.besideCamera(ctx, func(ctx context.Context, d *daemon.Daemon, cam *sender, live playback.Order) error {
		var middle, most, parts, behind, share []float64
		for range b.runs {
			if err := b.settle(ctx, d); err != nil {
				return err
			}
			seen, err := b.watchLive(ctx, d, live, cam)
			if err != nil {
				return err
			}
			middle, most = append(middle, percentile(seen.delays, 0.5)), append(most, percentile(seen.delays, 0.95))
			parts, behind = append(parts, percentile(seen.parts, 0.5)), append(behind, percentile(seen.behind, 0.5))
			share = append(share, 100*seen.share)
		}
		const name = "LL-HLS: picture of a live source sent → "
		b.most(name+"shown, median", "ms", askedLive, middle...)
		b.most(name+"shown, 95 %", "ms", askedLive, most...)
		b.most(name+"its part is there, median", "ms", 0, parts...)
		b.most("live: what is made lies behind what came, median", "ms", 0, behind...)
		b.most("live: pictures made in time", "%", 0, share...)
		return nil
	})
}

// liveSeen is what was seen of a live stream; times are in milliseconds.
type liveSeen struct {
	delays []float64 // until each picture was shown
	parts  []float64 // until its part was there
	behind []float64 // of what is made behind what came, now and then
	share  float64   // of the pictures that were sent meanwhile
}

// watchLive plays a live session.
func (b *sessionBench) watchLive(ctx context.Context, d *daemon.Daemon, o playback.Order, cam *sender) (seen liveSeen, err error) {
	s, err := d.Create(ctx, o)
	if err != nil {
		return seen, err
	}
	defer func() { err = errors.Join(err, d.Delete(context.WithoutCancel(ctx), s.ID)) }()
	looking, stop := context.WithCancel(ctx)
	var looks sync.WaitGroup
	var failed error
	looks.Go(func() { seen.behind, failed = b.lookBehind(looking, d, s.ID) })
	got, err := daemon.Follow(ctx, d.Get, path.Join(path.Dir(s.URLs.Master), "video1_stream.m3u8"), watched)
	stop()
	looks.Wait()
	if err = errors.Join(err, failed); err != nil {
		return seen, err
	}
	return seen, b.arrivals(ctx, &seen, got, cam)
}

// lookBehind asks now and then how far what is made lies behind what came.
func (b *sessionBench) lookBehind(ctx context.Context, d *daemon.Daemon, id string) (all []float64, err error) {
	for {
		err := pause(ctx, 250*time.Millisecond)
		var s playback.Session
		if err == nil {
			s, err = d.Session(ctx, id)
		}
		switch {
		case ctx.Err() != nil:
			return all, nil //nolint:nilerr // it is over, which is no error
		case err != nil:
			return nil, err
		case s.Progress != nil:
			all = append(all, s.Progress.Behind*1000)
		}
	}
}

// arrivals reads the pictures that came, and notes when each was there and shown.
func (b *sessionBench) arrivals(ctx context.Context, seen *liveSeen, got daemon.LiveStream, cam *sender) error {
	file := filepath.Join(b.dir, "live.mp4")
	if err := os.WriteFile(file, got.MP4(), 0o644); err != nil {
		return err
	}
	cam.mu.Lock()
	sent := cam.sent
	defer cam.mu.Unlock()
	var first, last time.Duration
	count := 0
	err := pipeline.Frames(ctx, file, func(p pipeline.Picture) error {
		number, err := testmedia.ReadNumber(p.Frame, float64(p.Frame.Height)/filmHeight)
		if err != nil {
			return fmt.Errorf("picture %d: %w", count, err)
		}
		if count++; count == 1 {
			first = p.PTS
		}
		last = p.PTS
		there := got.There(p.PTS - first)
		if there.IsZero() {
			return nil // the rounding of the last one's time
		}
		if there.Before(sent[number]) {
			return fmt.Errorf("picture %d came before it was sent", number)
		}
		seen.parts = append(seen.parts, milliseconds(there.Sub(sent[number])))
		if shown := got.Shown(p.PTS - first); !shown.IsZero() {
			seen.delays = append(seen.delays, milliseconds(shown.Sub(sent[number])))
		}
		return nil
	})
	if err == nil && (len(seen.delays) < filmRate || len(seen.behind) == 0) {
		err = fmt.Errorf("%d pictures were shown in %s, and %d times it was said how late they are", len(seen.delays), watched, len(seen.behind))
	}
	if err != nil {
		return err
	}
	seen.share = float64(count-1) / ((last - first).Seconds() * filmRate)
	return nil
}
