package leak

import (
	"strings"
	"testing"
	"time"
)

// recorder is a testing.TB that keeps what it is told and the cleanups.
type recorder struct {
	testing.TB
	said     []string
	cleanups []func()
}

func (r *recorder) Helper()                        {}
func (r *recorder) Logf(string, ...any)            {}
func (r *recorder) Errorf(format string, _ ...any) { r.said = append(r.said, format) }
func (r *recorder) Cleanup(f func())               { r.cleanups = append(r.cleanups, f) }

func TestGoroutinesSeesOneLeft(t *testing.T) {
	steady()
	r, end := &recorder{TB: t}, make(chan struct{})
	defer close(end)
	Goroutines(r)
	go func() { <-end }()
	r.cleanups[0]()
	if len(r.said) != 1 {
		t.Errorf("it said %q", r.said)
	}
}

// steady waits until no goroutine of before ends any more: one that was counted and
// went would make up for the one that is left.
func steady() {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for last, same := goroutines(), 0; same < 20; same++ {
		<-again.C
		if n := goroutines(); n != last {
			last, same = n, 0
		}
	}
}

func TestGoroutinesWaitsForOneThatEnds(t *testing.T) {
	r, end := &recorder{TB: t}, make(chan struct{})
	Goroutines(r)
	go func() { <-end }()
	go close(end)
	r.cleanups[0]()
	if len(r.said) != 0 {
		t.Errorf("it said %q", r.said)
	}
}

func TestFlatSeesGrowth(t *testing.T) {
	var kept [][]byte
	r := &recorder{TB: t}
	Flat(r, 2, 20, 8<<20, func() {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i) // so that the memory is really there
		}
		kept = append(kept, block)
	})
	if len(r.said) != 1 || !strings.Contains(r.said[0], "memory grew") {
		t.Errorf("it said %q about %d blocks", r.said, len(kept))
	}
	r = &recorder{TB: t}
	Flat(r, 2, 20, 8<<20, func() { _ = make([]byte, 1<<20) })
	if len(r.said) != 0 {
		t.Errorf("it said %q about nothing", r.said)
	}
}
