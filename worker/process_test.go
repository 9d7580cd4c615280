package worker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// house is a pool of real worker processes.
type house struct {
	*pool.Pool
	t   *testing.T
	dir string // for the processes' temporary files
}

// employ runs a pool until the test ends, which then must have left nothing.
func employ(t *testing.T, kind string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		checkDescriptors(t)
		if left := children(t); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
		if left, err := os.ReadDir(h.dir); err != nil || len(left) > 0 {
			t.Errorf("files %v are left: %v", left, err)
		}
	})
	var err error
	if h.Pool, err = pool.New(pool.Options{
		Command: []string{os.Args[0]}, Spare: 1, Rest: time.Millisecond, Log: slog.New(slog.DiscardHandler), Start: patience, Take: patience,
		Env: []string{processVariable + "=" + kind, "TMPDIR=" + h.dir, "GORACE=atexit_sleep_ms=0"},
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return h
}

// children returns the processes that this one has started.
func children(t *testing.T) (all []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // the thread may have ended
		all = append(all, strings.Fields(string(list))...)
	}
	return all
}

// until waits for figures of the pool.
func (h *house) until(what string, holds func(pool.Counts) bool) {
	h.t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !holds(h.Counts()); <-again.C {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s does not come: %+v", what, h.Counts())
		}
	}
}

// viewer watches a film that a process plays. It implements pool.Handler.
type viewer struct {
	worker *pool.Worker
	gone   chan error
	begun  chan struct{} // closed with the first picture

	mu    sync.Mutex
	seen  int         // guarded by mu; pictures
	ended *wire.Error // guarded by mu; of a run
	stats wire.Stats  // guarded by mu; the newest
	done  bool        // guarded by mu; a run has ended
}

func (v *viewer) Init(wire.Init) {}
func (v *viewer) Packet(wire.Packet) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen++; v.seen == 1 {
		close(v.begun)
	}
}
func (v *viewer) Cue(wire.Cue)           {}
func (v *viewer) Progress(wire.Progress) {}
func (v *viewer) Written(wire.Written)   {}
func (v *viewer) Ended(m wire.Ended) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done = true
	if m.Error != nil {
		v.ended = m.Error
	}
}

func (v *viewer) Stats(m wire.Stats) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stats = m
}
func (v *viewer) Warning(wire.Warning) {}
func (v *viewer) Gone(err error)       { v.gone <- err }

func (v *viewer) pictures() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen
}

// over reports whether a run has ended, and figures came after it.
func (v *viewer) over() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.done && len(v.stats.Runs) == 0
}

func (v *viewer) failure() *wire.Error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ended
}

// watch has a process play a film to a limit, and returns with its first picture.
func (h *house) watch(path string, limit int) *viewer {
	h.t.Helper()
	v := &viewer{gone: make(chan error, 1), begun: make(chan struct{})}
	var err error
	if v.worker, err = h.Take(h.t.Context(), "watched", v); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = v.worker.Close(context.Background()) }) // which is bounded by itself
	f := file(h.t, path)
	if _, err = v.worker.Open(h.t.Context(), order(f), pool.Source{Kind: wire.SourceFile, File: f}); err == nil {
		err = v.worker.Play(h.t.Context(), wire.Play{Run: 1, Stream: picture, Limit: limit})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-v.begun:
	case <-time.After(patience):
		h.t.Fatal("no picture comes")
	}
	return v
}

// lost waits for a process's end and says how it came about. The limits of those who
// notice are short beside patience, and a busy machine is no fault of theirs.
func (v *viewer) lost(t *testing.T) *pool.GoneError {
	t.Helper()
	select {
	case err := <-v.gone:
		var gone *pool.GoneError
		if !errors.As(err, &gone) {
			t.Fatalf("gone with %v", err)
		}
		return gone
	case <-time.After(patience):
		t.Fatal("nobody says that the process is gone")
		return nil
	}
}

// TestProcessFaults befalls one process after the other, beside one that plays on.
func TestProcessFaults(t *testing.T) {
	h := employ(t, "plain")
	path := testFilm(t)
	other := h.watch(path, 1)
	kill := func(s syscall.Signal) func(*viewer) {
		return func(v *viewer) {
			if err := syscall.Kill(v.worker.PID(), s); err != nil {
				h.t.Error(err)
			}
		}
	}
	lost := int64(0)
	for name, c := range map[string]struct {
		befall func(*viewer)
		reason pool.Reason
	}{
		"SIGKILL": {kill(syscall.SIGKILL), pool.ReasonCrashed},
		"SIGABRT": {kill(syscall.SIGABRT), pool.ReasonCrashed},
		"SIGSEGV": {kill(syscall.SIGSEGV), pool.ReasonCrashed},
		"SIGSTOP": {kill(syscall.SIGSTOP), pool.ReasonHung},
		"a panic": {func(v *viewer) { _ = v.worker.Set(t.Context(), wire.Set{Model: ptr(panics)}) }, pool.ReasonCrashed},
	} {
		t.Run(name, func(t *testing.T) {
			v := h.watch(path, unlimited)
			c.befall(v)
			if gone := v.lost(t); gone.Reason != c.reason {
				t.Errorf("gone with %v, want %s", gone, c.reason)
			}
			lost++
			h.until("another spare", func(n pool.Counts) bool { return n.Spare == 1 && n.Running == 1 && n.Starting == 0 })
		})
	}
	sum := int64(0)
	for _, n := range h.Counts().Lost {
		sum += n
	}
	if sum != lost {
		t.Errorf("%d processes were lost, %d came to grief", sum, lost)
	}
	before := other.pictures()
	if err := other.worker.Limit(1, unlimited); err != nil {
		t.Fatal(err)
	}
	h.plays(other, before+filmFrames-filmRate)
	if failure := other.failure(); failure != nil || len(other.gone) > 0 {
		t.Errorf("the other one failed: %v", failure)
	}
}

// plays waits until a viewer has seen pictures.
func (h *house) plays(v *viewer, pictures int) {
	h.t.Helper()
	h.until(strconv.Itoa(pictures)+" pictures", func(pool.Counts) bool { return v.pictures() >= pictures })
}

// TestProcessWithADecoderThatAborts loses one process after the other.
func TestProcessWithADecoderThatAborts(t *testing.T) {
	h := employ(t, aborts)
	for range 2 {
		v := h.watch(testFilm(t), 1)
		if err := v.worker.Limit(1, unlimited); err != nil {
			t.Fatal(err)
		}
		if gone := v.lost(t); gone.Reason != pool.ReasonCrashed || gone.Signal != syscall.SIGABRT {
			t.Errorf("gone with %v", gone)
		}
		h.until("another spare", func(n pool.Counts) bool { return n.Spare == 1 && n.Running == 0 })
	}
}

// TestProcessWithADecoderThatHangs: the run is told to have failed with a code, and
// the process, of which a thread never ends, ends itself.
func TestProcessWithADecoderThatHangs(t *testing.T) {
	h := employ(t, hangs)
	v := h.watch(testFilm(t), 1)
	if err := v.worker.Limit(1, unlimited); err != nil {
		t.Fatal(err)
	}
	h.until("the failure", func(pool.Counts) bool { return v.failure() != nil })
	if failure := v.failure(); failure.Code != "stalled" || !strings.Contains(failure.Sentence, "decode") {
		t.Errorf("failed with %s (%s)", failure.Code, failure.Sentence)
	}
	if gone := v.lost(t); gone.Reason != pool.ReasonExited || gone.Status != 1 || !strings.Contains(gone.Stderr, "stuck") {
		t.Errorf("gone with %v: %s", gone, gone.Stderr)
	}
	h.until("another spare", func(n pool.Counts) bool { return n.Spare == 1 && n.Running == 0 })
}

// TestProcessesAreLetGo closes processes at work, many times, which leaves nothing
// and takes no longer than a player may wait.
func TestProcessesAreLetGo(t *testing.T) {
	h := employ(t, "plain")
	for range 3 {
		v := h.watch(testFilm(t), unlimited)
		began := time.Now()
		if err := v.worker.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-v.gone; err != nil {
			t.Errorf("gone with %v", err)
		}
		t.Logf("closed in %s", time.Since(began).Round(time.Millisecond))
	}
	if n := h.Counts(); n.Running != 0 || len(n.Lost) != 0 {
		t.Errorf("%+v", n)
	}
}
