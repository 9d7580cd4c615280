package server

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// measure has a worker measure the machine with the default model, so that the
// first session need not, and ends. Where that fails, a session tries again.
func (s *Server) measure(ctx context.Context) error {
	w, err := s.workers.Take(ctx, "", deaf{})
	switch {
	case err == nil:
		s.tariff.Learn(ctx, s.config.Models.Default, w)
		return w.Close(context.WithoutCancel(ctx)) // which is bounded by itself
	case ctx.Err() == nil && !errors.Is(err, pool.ErrEnded):
		s.log.Warn("machine not measured", "error", err)
	}
	return nil
}

// deaf is the handler of a worker that plays nothing.
type deaf struct{}

func (deaf) Init(wire.Init)         {}
func (deaf) Packet(wire.Packet)     {}
func (deaf) Cue(wire.Cue)           {}
func (deaf) Progress(wire.Progress) {}
func (deaf) Ended(wire.Ended)       {}
func (deaf) Stats(wire.Stats)       {}
func (deaf) Warning(wire.Warning)   {}
func (deaf) Gone(error)             {}
