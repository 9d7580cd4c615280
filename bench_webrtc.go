package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
)

const (
	// askedWebRTC is the time from a picture to its upscaled self, in ms.
	askedWebRTC = 500
	// watched is how long each client watches.
	watched = 8 * time.Second
)

// webrtc measures how late pictures are that go through the server by WebRTC: those of
// a live source that a client watches, and a client's own that it has back. They carry
// numbers, which are read from what came; the time of each is that of its last packet.
func (b *sessionBench) webrtc(ctx context.Context) error {
	return b.besideCamera(ctx, func(ctx context.Context, d *daemon.Daemon, cam *sender, live playback.Order) error {
		watch := func(ctx context.Context, c *caller) (*sender, error) { return cam, c.watch(ctx, d, live) }
		loop := func(ctx context.Context, c *caller) (*sender, error) {
			return c.loop(ctx, d, "/v1/whip?"+url.Values{"return": {"sendrecv"}, "model": {b.model}}.Encode(), cam.clip)
		}
		return errors.Join(
			b.calls(ctx, d, "WHEP: picture of a live source sent → upscaled picture there", watch),
			b.calls(ctx, d, "loopback: picture sent → upscaled picture back", loop),
		)
	})
}

// calls measures some connections.
func (b *sessionBench) calls(ctx context.Context, d *daemon.Daemon, name string, begin func(context.Context, *caller) (*sender, error)) error {
	var middle, most, share []float64
	for range b.runs {
		if err := b.settle(ctx, d); err != nil {
			return err
		}
		delays, part, err := b.call(ctx, begin)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		middle, most = append(middle, percentile(delays, 0.5)), append(most, percentile(delays, 0.95))
		share = append(share, 100*part)
	}
	b.most(name+", median", "ms", askedWebRTC, middle...)
	b.most(name+", 95 %", "ms", askedWebRTC, most...)
	b.most(name+", pictures made in time", "%", 0, share...)
	return nil
}

// call watches over one connection, and returns how late each picture was in
// milliseconds, and the share of those sent that came.
func (b *sessionBench) call(ctx context.Context, begin func(context.Context, *caller) (*sender, error)) (delays []float64, share float64, err error) {
	ctx, hangUp := context.WithCancel(ctx)
	c, err := newCaller()
	if err != nil {
		hangUp()
		return nil, 0, err
	}
	var from *sender
	defer func() {
		hangUp()
		err = errors.Join(err, c.close())
	}()
	if from, err = begin(ctx, c); err != nil {
		return nil, 0, err
	}
	if err := c.receive(ctx, watched); err != nil {
		return nil, 0, err
	}
	came, err := c.numbers(ctx, filepath.Join(b.dir, "webrtc.ts"))
	if err != nil {
		return nil, 0, err
	}
	return from.delays(came)
}
