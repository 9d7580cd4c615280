package upscale

import (
	"slices"
	"time"
)

// Stats are the figures of one element since it was opened (NULL to READY).
type Stats struct {
	Upscaled uint64        // frames that the model made
	Plain    uint64        // frames that were handed on as they are, in passthrough
	Dropped  uint64        // frames that came too late and were left out, which QoS events ask for
	Failed   uint64        // frames on which the model failed
	Busy     time.Duration // wall time spent on the frames upscaled
	Median   time.Duration // of the wall time of one of the last frames upscaled
	P95      time.Duration
	Model    string   // the model that is loaded, by its own name; "" when closed
	Provider string   // the provider that runs it, once it runs
	Notes    []string // providers that were tried before, and why they were refused
}

// window is how many of the last frames the quantiles are taken from.
const window = 256

// counter counts frames. It is guarded by Element.mu.
type counter struct {
	upscaled, plain, dropped, failed uint64
	busy                             time.Duration
	last                             [window]time.Duration
}

// add counts a frame that the model made in d.
func (c *counter) add(d time.Duration) {
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

// counted counts a frame that took d and gave err.
func (e *Element) counted(d time.Duration, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.count.failed++
		return
	}
	e.count.add(d)
}

// dropped counts a frame that QoS left out.
func (e *Element) dropped() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count.dropped++
}

// Stats returns the figures so far.
func (e *Element) Stats() Stats {
	e.mu.Lock()
	count := e.count
	s := Stats{
		Upscaled: count.upscaled, Plain: count.plain, Dropped: count.dropped, Failed: count.failed,
		Busy: count.busy, Provider: e.runs.name, Notes: e.runs.notes,
	}
	if e.model != nil {
		s.Model = e.model.Name()
	}
	e.mu.Unlock()
	s.Median, s.P95 = count.quantiles()
	return s
}
