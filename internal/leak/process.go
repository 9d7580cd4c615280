package leak

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settle bounds the wait for goroutines to end after what they worked for ended.
const settle = 5 * time.Second

// Goroutines fails t at its end when more goroutines run than now. What is
// meant to end must have been told so by then; it is waited for a bounded time.
func Goroutines(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		if left := settled(before); left > before {
			t.Errorf("%d goroutines ran before the test and %d run after it:\n%s", before, left, stacks())
		}
	})
}

// settled waits until at most want goroutines run, or long enough, and returns
// how many do.
func settled(want int) int {
	deadline := time.After(settle)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		n := goroutines()
		if n <= want {
			return n
		}
		select {
		case <-deadline:
			return n
		case <-again.C:
		}
	}
}

// goroutines returns how many goroutines run, without those that stand for a
// thread of C's that has called Go: GLib keeps its threads for later use.
func goroutines() int {
	n := 0
	for stack := range strings.SplitSeq(stacks(), "\n\n") {
		head, frames, _ := strings.Cut(stack, "\n")
		if !strings.Contains(head, "locked to thread") || !strings.HasPrefix(frames, "runtime.goexit(") {
			n++
		}
	}
	return n
}

// stacks returns the stacks of all goroutines, the first megabyte of them.
func stacks() string {
	buffer := make([]byte, 1<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

// Usage is what a process holds.
type Usage struct {
	Resident   int // bytes of memory
	Goroutines int
	Threads    int // of the operating system
}

// Now collects garbage and returns what this process holds.
func Now(t testing.TB) Usage {
	t.Helper()
	collect()
	collect() // what finalizers of the first let go of
	return Usage{Resident: status(t, "VmRSS") << 10, Goroutines: goroutines(), Threads: status(t, "Threads")}
}

// collect collects garbage, and returns when the finalizers of what it found have run:
// those of the bindings take whole pipelines apart, and one that runs counts as a
// goroutine. They run one after the other, so that of an object that was found later
// runs last.
func collect() {
	runtime.GC()
	type last struct{ _ *byte } // a pointer keeps it from sharing its block
	ran := make(chan struct{})
	runtime.SetFinalizer(&last{}, func(*last) { close(ran) })
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		runtime.GC()
		select {
		case <-ran:
			return
		case <-tick.C:
		}
	}
}

// Flat runs cycle until the allocators have settled, then as often again as
// cycles says, and fails t when memory grew by more than bytes, or when more
// goroutines run, after the second part than after the first.
func Flat(t testing.TB, settling, cycles, bytes int, cycle func()) {
	t.Helper()
	for range settling {
		cycle()
	}
	before := Now(t)
	for range cycles {
		cycle()
	}
	settled(before.Goroutines)
	after := Now(t)
	t.Logf("after %d cycles %+v, after %d more %+v", settling, before, cycles, after)
	if grown := after.Resident - before.Resident; grown > bytes {
		t.Errorf("memory grew by %d kB in %d cycles, %d are let pass", grown>>10, cycles, bytes>>10)
	}
	if after.Goroutines > before.Goroutines {
		t.Errorf("%d goroutines became %d in %d cycles", before.Goroutines, after.Goroutines, cycles)
	}
}

// status reads a figure of /proc/self/status (proc(5)); sizes are in kB.
func status(t testing.TB, key string) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/self/status has no %s", key)
	return 0
}
