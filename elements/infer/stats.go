package infer

import (
	"slices"
	"sync"
	"time"
)

// Stats tells what an Upscaler has done.
type Stats struct {
	Frames int64         // upscaled
	Failed int64         // that gave an error
	Busy   time.Duration // spent in Run on the frames upscaled
	Last   time.Duration // of the last frame upscaled
	P50    time.Duration // median of the last frames, at most statsWindow
	P95    time.Duration // 95th percentile of the same
}

// statsWindow is how many frames the percentiles look back: some ten seconds
// of video.
const statsWindow = 256

// meter collects Stats. The zero value is ready.
type meter struct {
	mu     sync.Mutex
	stats  Stats // guarded by mu; without the percentiles
	recent [statsWindow]time.Duration
}

// done counts a frame that took d.
func (m *meter) done(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent[m.stats.Frames%statsWindow] = d
	m.stats.Frames++
	m.stats.Busy += d
	m.stats.Last = d
}

// failed counts a frame that gave an error.
func (m *meter) failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Failed++
}

// read returns the figures so far.
func (m *meter) read() Stats {
	m.mu.Lock()
	s := m.stats
	recent := m.recent
	m.mu.Unlock()
	if n := min(s.Frames, statsWindow); n > 0 {
		sorted := recent[:n]
		slices.Sort(sorted)
		s.P50, s.P95 = sorted[n/2], sorted[n*95/100]
	}
	return s
}
