package pipeline

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestPolite proves that decoding and encoding give way to the upscaler, with
// the threads that the encoder starts, and that nothing else does.
func TestPolite(t *testing.T) {
	in := counted(t, testmedia.Spec{Width: 320, Height: 180, Frames: 120}, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "in.mkv")
	m, err := Probe(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	s := spec()
	s.Output, s.Model, s.Threads = in+".out.mkv", "swift-s-x2", ShareCores(2)
	p, err := NewPlan(m, s, Has)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[string]int{} // niceness by the beginning of a thread's name and by its path
	_, err = Runner{Log: slog.New(slog.DiscardHandler), Observe: func(Progress) { noteNiceness(t, seen) }}.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := niceness(raw)
	for stage, want := range map[string]int{"decode": min(own+10, 19), "encode": min(own+10, 19), "upscale": own, "write": own} {
		for thread, n := range seen[stage] {
			if n != want {
				t.Errorf("%s of %s is at %d, not %d", thread, stage, n, want)
			}
		}
	}
	if len(seen["decode"]) < 1 || len(seen["encode"]) < 2 || len(seen["upscale"]) < 1 {
		t.Errorf("the queues' threads and the encoder's own should be seen: %v", seen)
	}
}

// noteNiceness counts the threads of this process.
func noteNiceness(t *testing.T, seen map[string]map[string]int) {
	t.Helper()
	eachThread(func(path, name string, _ time.Duration) {
		stage, _, ok := strings.Cut(name, ":")
		if !ok {
			return
		}
		n, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		if seen[stage] == nil {
			seen[stage] = map[string]int{}
		}
		if raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, n); err == nil { // else it has ended
			seen[stage][path] = niceness(raw)
		}
	})
}

// niceness is -20 to 19; the system call itself counts from 40 down to 1.
func niceness(raw int) int { return 20 - raw }
