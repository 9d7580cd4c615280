package wire

import (
	"testing"
	"time"
)

// TestDuration goes where ticks times nanoseconds are more than 63 bits hold: 28 hours at 90 kHz.
func TestDuration(t *testing.T) {
	const hours = 24 * 365 * 100
	for _, c := range []struct {
		ticks, scale int64
		want         time.Duration
	}{
		{0, 90000, 0},
		{-45000, 90000, -500 * time.Millisecond},
		{1, 3, 333_333_333},
		{90000 * 110_000, 90000, 110_000 * time.Second},
		{48000*3600*hours + 24000, 48000, hours*time.Hour + 500*time.Millisecond},
		{1_000_000_000*3600*hours + 1, 1_000_000_000, hours*time.Hour + 1},
	} {
		if got := Duration(c.ticks, c.scale); got != c.want {
			t.Errorf("%d ticks of 1/%d s are %s, want %s", c.ticks, c.scale, got, c.want)
		}
	}
}
