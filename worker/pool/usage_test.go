package pool

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// TestUsage reads that of this process, and of one that is not there.
func TestUsage(t *testing.T) {
	cpu, rss, err := usage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	if most := time.Duration(used.Utime.Nano()+used.Stime.Nano()) + 2*tick; cpu > most {
		t.Errorf("%s of processor time, later %s", cpu, most)
	}
	if most := used.Maxrss << 10; rss < 1<<20 || rss > most {
		t.Errorf("%d bytes of memory, at most %d", rss, most)
	}
	if _, _, err := usage(1 << 30); err == nil {
		t.Error("a process that is not there takes something")
	}
}

// TestUsageIsTheKernels has a worker that tells nothing of what it takes.
func TestUsageIsTheKernels(t *testing.T) {
	r := run(t, options(""))
	s := newSession()
	w := r.take(s)
	play(t, w, workertest.Film{Duration: workertest.Length(time.Hour)})
	last := func() (last wire.Stats) {
		s.note(func() { last = s.told })
		return last
	}
	if !eventually(func() bool { return last().CPU > 0 && last().RSS > 1<<20 }) {
		t.Errorf("the figures are %+v", last())
	}
	closeWorker(t, w)
}
