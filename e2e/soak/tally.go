package soak

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// maxFaults bounds how many faults are kept: one often brings others.
const maxFaults = 20

// tally counts what happened. Any goroutine may use it.
type tally struct {
	mu      sync.Mutex
	counts  map[string]int  // guarded by mu, as all below
	waits   []time.Duration // of segments
	kills   int             // workers that got SIGKILL
	failed  map[string]bool // sessions that ended as failed
	faults  []error
	dropped int // faults beyond maxFaults
}

// count counts a thing that happened.
func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// waited notes how long a segment took to come.
func (t *tally) waited(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waits = append(t.waits, d)
}

// killed counts a kill before it is done: it explains one failed session.
func (t *tally) killed() {
	t.count("kills")
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kills++
}

// fail notes a session that ended as failed; without a kill for it that is a fault.
func (t *tally) fail(id, code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed[id] {
		return
	}
	t.failed[id] = true
	t.counts["failed sessions"]++
	if n := len(t.failed); n > t.kills {
		t.add(fmt.Errorf("session %s failed (%s): %d sessions failed after %d kills", id, code, n, t.kills))
	}
}

// unavailable notes that no worker was to be had. Spares that are killed one after
// the other look like ones that cannot start, which ends all waiting for a moment.
func (t *tally) unavailable(told *problem.Problem) {
	t.count("times without a worker")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kills < 2 || told.RetryAfter == 0 {
		t.add(fmt.Errorf("no worker is to be had after %d kills: %w", t.kills, told))
	}
}

// fault notes what must not be.
func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(fmt.Errorf(format, args...))
}

// add adds a fault. The caller holds mu.
func (t *tally) add(err error) {
	if len(t.faults) == maxFaults {
		t.dropped++
		return
	}
	t.faults = append(t.faults, err)
}

// line tells the counts.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for what, n := range t.counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, what))
	}
	slices.SortFunc(parts, func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, ' '):], b[strings.IndexByte(b, ' '):])
	})
	if n := len(t.waits); n > 0 {
		w := slices.Sorted(slices.Values(t.waits))
		parts = append(parts, fmt.Sprintf("segments after %d ms (median), %d (95 %%), %d (longest)",
			w[n/2].Milliseconds(), w[n*95/100].Milliseconds(), w[n-1].Milliseconds()))
	}
	if len(t.faults) > 0 {
		parts = append(parts, fmt.Sprintf("%d FAULTS", len(t.faults)+t.dropped))
	}
	return strings.Join(parts, ", ")
}

// verdict returns all that was wrong, nil when nothing was, and a fault, too, where
// too little happened for that to say anything. A run that is not thorough need not
// have met everything.
func (t *tally) verdict(thorough bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	needed := []string{"sessions", "segments", "kills"}
	if thorough {
		needed = append(needed, "seeks", "changes", "hang-ups", "pauses", "refusals", "deletes", "players gone silently")
	}
	for _, what := range needed {
		if t.counts[what] == 0 {
			t.add(fmt.Errorf("nothing was proved of %s: there were none", what))
		}
	}
	if t.dropped > 0 {
		t.faults = append(t.faults, fmt.Errorf("and %d faults more", t.dropped))
	}
	return errors.Join(t.faults...)
}
