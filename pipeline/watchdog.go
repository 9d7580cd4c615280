package pipeline

import (
	"time"

	"github.com/go-gst/go-gst/gst"
)

// watchdog gives a run up when no counter has moved for a while.
type watchdog struct {
	b     *built
	limit time.Duration
	sum   int64
	since time.Time
}

func newWatchdog(b *built, limit time.Duration) *watchdog {
	return &watchdog{b: b, limit: limit, since: time.Now()}
}

// look returns an *Error with CodeStalled, naming the stage, once nothing has
// moved for the limit.
func (w *watchdog) look() error {
	sum := int64(0)
	for _, c := range w.b.counters {
		sum += c.count()
	}
	if ok, written := w.b.named["sink"].QueryPosition(gst.FormatBytes); ok {
		sum += written
	}
	if sum != w.sum {
		w.sum, w.since = sum, time.Now()
		return nil
	}
	if time.Since(w.since) < w.limit {
		return nil
	}
	return fail(CodeStalled, nil, "nothing has moved for %s (stage: %s)", w.limit, w.stage())
}

// stage names the stage that holds everything up: the last one whose queue
// still has work, for all after it have done theirs; with no work anywhere it
// is the source.
func (w *watchdog) stage() Stage {
	queues := []struct {
		name  string
		stage Stage
	}{{"write", StageWrite}, {"encode", StageEncode}, {"upscale", StageUpscale}, {"decode", StageDecode}}
	for _, q := range queues {
		e := w.b.named[q.name]
		if e == nil {
			continue
		}
		if level, err := e.GetProperty("current-level-buffers"); err == nil {
			if n, ok := level.(uint); ok && n > 0 {
				return q.stage
			}
		}
	}
	return StageRead
}
