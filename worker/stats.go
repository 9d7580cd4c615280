package worker

import (
	"cmp"
	"context"
	"os"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// beat is how often Stats are sent: the server takes a worker that sends none for
// lost.
const beat = time.Second

// figures are what runs of the picture have done.
type figures struct {
	upscaled, plain, dropped, repeated, encoded int64
	median, p95                                 time.Duration // of the newest
	model, provider                             string
}

// add counts what a run has done. Sound and text upscale nothing.
func (f *figures) add(s pipeline.PlayStats) {
	f.upscaled += s.Upscaled
	f.plain += s.Plain
	f.dropped += s.Dropped + int64(s.Model.Dropped)
	f.repeated += s.Repeated
	f.encoded += s.Encoded
	if s.Model.Upscaled > 0 {
		f.median, f.p95, f.model, f.provider = s.Model.Median, s.Model.P95, s.Model.Model, s.Model.Provider
	}
}

// tell sends Stats until ctx ends.
func (w *worker) tell(ctx context.Context) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		if err := w.conn.Write(w.stats()); err != nil {
			return // read meets it, too
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *worker) stats() wire.Stats {
	s := wire.Stats{Threads: threads()}
	w.mu.Lock()
	sum := w.past
	for _, r := range w.runs {
		if r.play == nil {
			continue
		}
		p := r.play.Stats()
		sum.add(p)
		s.Runs = append(s.Runs, wire.RunStats{Run: r.id, Waiting: p.Waiting, Until: p.Until.Seconds()})
	}
	if r, running := w.job.stats(&sum); running {
		s.Runs = append(s.Runs, r)
	}
	w.mu.Unlock()
	slices.SortFunc(s.Runs, func(a, b wire.RunStats) int { return cmp.Compare(a.Run, b.Run) })
	s.Upscaled, s.Plain, s.Dropped, s.Repeated, s.Encoded = sum.upscaled, sum.plain, sum.dropped, sum.repeated, sum.encoded
	s.Median, s.P95 = milliseconds(sum.median), milliseconds(sum.p95)
	s.Model, s.Provider = sum.model, sum.provider
	return s
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

func threads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(tasks)
}
