package session

import (
	"context"
	"errors"
	"os"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Relayer is a worker that has a live stream. Its methods are as those of Worker.
type Relayer struct{ *filmWorker }

// Close ends the process, as that of a Worker.
func (r Relayer) Close(ctx context.Context) error { return r.Worker.Close(ctx) }

// Relay has a worker of its own make a live stream as settings say; m is without ID, Upscale, Video and Costs. The
// stream is the caller's to close. What the worker says goes to handler, from before Relay returns on, until Close
// returns. Nothing is left behind after an error, also of ctx.
func (f Films) Relay(
	ctx context.Context, session string, s Settings, m wire.Relay, stream *os.File, handler Handler,
) (Relayer, wire.Opened, error) {
	m.Upscale, m.Video = s.upscale(), s.video()
	worker, costs, err := f.equip(ctx, session, m.Upscale, handler)
	if err != nil {
		return Relayer{}, wire.Opened{}, err
	}
	m.Costs = costs
	opened, err := worker.Relay(ctx, m, pool.Source{Kind: wire.SourceStream, File: stream})
	if err != nil {
		return Relayer{}, wire.Opened{}, errors.Join(err, worker.Worker.Close(context.WithoutCancel(ctx)))
	}
	return Relayer{worker}, opened, nil
}
