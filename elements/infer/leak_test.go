package infer

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// status reads a figure of /proc/self/status, such as VmRSS (in kB) or Threads.
func status(t *testing.T, key string) int {
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
	t.Fatalf("no %s", key)
	return 0
}

// TestMemoryIsFlat opens, uses and closes Upscalers, with models loaded anew,
// a hundred times after as many as it takes for the allocators to settle.
func TestMemoryIsFlat(t *testing.T) {
	data := testonnx.Spec{Scale: 2}.Nearest()
	cycle := func() {
		u, err := New(runtimeForTest, load(t, data), Config{
			In: frame.Layout{Format: frame.I420, Width: 320, Height: 180}, Provider: ProviderCPU, Threads: 2, Mix: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		in, out := frame.New(u.In(), 1), frame.New(u.Out(), 1)
		for i := range 3 {
			if err := u.Run(in, out, float32(i)/2); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		cycle()
	}
	runtime.GC()
	before, threads := status(t, "VmRSS"), status(t, "Threads")
	for range 100 {
		cycle()
	}
	runtime.GC()
	// One session of this size holds some 8 MB: a leak of one in ten cycles
	// would show.
	if grown := status(t, "VmRSS") - before; grown > 40<<10 {
		t.Errorf("memory grew by %d kB in 100 cycles", grown)
	}
	// Go keeps threads of its own; a session that is not closed has one more.
	if now := status(t, "Threads"); now > threads+20 {
		t.Errorf("there were %d threads and are %d", threads, now)
	}
}

// TestRunLeavesNoGarbage bounds what a frame costs Go's allocator: the values
// around three planes each way, not the frame.
func TestRunLeavesNoGarbage(t *testing.T) {
	u := open(t, load(t, testonnx.Spec{Scale: 2}.Nearest()), Config{In: frame.Layout{Format: frame.I420, Width: 64, Height: 36}, Mix: true})
	in, out := frame.New(u.In(), 16), frame.New(u.Out(), 16)
	var before, after runtime.MemStats
	run := func() {
		if err := u.Run(in, out, 0.5); err != nil {
			t.Fatal(err)
		}
	}
	run()
	runtime.ReadMemStats(&before)
	const frames = 200
	for range frames {
		run()
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / frames; per > 2500 {
		t.Errorf("a frame leaves %d bytes of garbage", per)
	}
}
