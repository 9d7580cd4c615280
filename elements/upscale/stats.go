package upscale

import (
	"slices"
	"time"
)

// Stats are the figures of one element since it was opened.
type Stats struct {
	Upscaled uint64        // frames that the model made
	Failed   uint64        // frames on which it failed
	Busy     time.Duration // wall time spent in Frame
	Median   time.Duration // of the wall time of one of the last frames
	P95      time.Duration
	Model    string
	Provider string   // the provider that runs, once it runs
	Notes    []string // providers that were tried before, and why they were refused
}

// window is how many of the last frames the quantiles are taken from.
const window = 256

// counter counts frames. It is guarded by Element.mu.
type counter struct {
	upscaled, failed uint64
	busy             time.Duration
	last             [window]time.Duration
}

func (c *counter) add(d time.Duration, err error) {
	if err != nil {
		c.failed++
		return
	}
	c.last[c.upscaled%window] = d
	c.upscaled++
	c.busy += d
}

// quantiles returns the median and the 95th percentile of the last frames.
func (c *counter) quantiles() (median, p95 time.Duration) {
	n := int(min(c.upscaled, window))
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(c.last[:n]))
	return sorted[n/2], sorted[n*95/100]
}
