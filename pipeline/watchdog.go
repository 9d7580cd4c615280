package pipeline

import "time"

// prepareLimit bounds the time in which the upscaler may be made: TensorRT
// compiles a large network for minutes before the first picture.
const prepareLimit = 30 * time.Minute

// watchdog gives a run up when no counter has moved for a while.
type watchdog struct {
	b     *built
	limit time.Duration
	sum   int64
	since time.Time

	preparing bool         // at the last look
	handed    func() int64 // counts what a run has handed over; nil for a job
}

func newWatchdog(b *built, limit time.Duration) *watchdog {
	return &watchdog{b: b, limit: limit, since: time.Now()}
}

// look returns an *Error with CodeStalled, naming the stage, once nothing has
// moved for the limit. An upscaler that is being made has a limit of its own, and
// the usual one begins anew when it is done.
func (w *watchdog) look(preparing bool) error {
	sum := int64(0)
	for _, c := range w.b.counters {
		sum += c.count()
	}
	if w.b.sunk != nil {
		sum += w.b.sunk.count()
	}
	if w.handed != nil {
		sum += w.handed()
	}
	if sum != w.sum || preparing != w.preparing {
		w.sum, w.preparing, w.since = sum, preparing, time.Now()
		return nil
	}
	limit := w.limit
	if preparing {
		limit = max(limit, prepareLimit)
	}
	if time.Since(w.since) < limit {
		return nil
	}
	return fail(CodeStalled, nil, "nothing has moved for %s (stage: %s)", limit, w.stage())
}

// rest begins the limit anew: the run waits on purpose.
func (w *watchdog) rest() { w.since = time.Now() }

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
