package server

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/worker/pool"
)

// measure has a worker measure the machine with the default model, and ends. Where
// that fails, a session tries again.
func (s *Server) measure(ctx context.Context) error {
	err := s.films.Measure(ctx, s.config.Models.Default)
	if err != nil && ctx.Err() == nil && !errors.Is(err, pool.ErrEnded) {
		s.log.Warn("machine not measured", "error", err)
	}
	return nil
}
