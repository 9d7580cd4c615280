package jobs

import (
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// meter measures an attempt. Its times are monotonic: a clock that is set moves
// neither the speed nor the ETA.
type meter struct {
	written wire.Written
	worked  time.Duration // in all spans before this one
	since   time.Time     // begin of this span, zero while it is paused
}

// run begins a span.
func (m *meter) run(now time.Time) {
	if m.since.IsZero() {
		m.since = now
	}
}

// rest ends a span.
func (m *meter) rest(now time.Time) {
	m.worked = m.elapsed(now)
	m.since = time.Time{}
}

// elapsed returns for how long was worked.
func (m *meter) elapsed(now time.Time) time.Duration {
	if m.since.IsZero() {
		return m.worked
	}
	return m.worked + now.Sub(m.since)
}
