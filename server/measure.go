package server

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// measure has a worker measure the machine with what a session gets that names
// nothing, and ends. Where that fails, a session tries again.
func (s *Server) measure(ctx context.Context) error {
	err := s.films.Measure(ctx, wire.Measure{Model: s.config.Models.Default, Provider: s.config.Models.Provider})
	if err != nil && ctx.Err() == nil && !errors.Is(err, pool.ErrEnded) {
		s.log.Warn("machine not measured", "error", err)
	}
	return nil
}
