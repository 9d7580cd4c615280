package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait of a test.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	if os.Getenv(serverVariable) != "" {
		os.Exit(serveUntilKilled())
	}
	// What Go opens once for all waiting is no leak of the first test.
	if near, far, err := wire.Pair(); err != nil || errors.Join(near.Close(), far.Close()) != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// options start this test binary as a worker.
func options(start workertest.Kind) Options {
	return Options{
		Command: []string{os.Args[0]}, Spare: 1, Rest: time.Millisecond,
		// The race detector lets a process sleep before it exits, unless it is told.
		Env: []string{workertest.Env(start), "GORACE=atexit_sleep_ms=0"},
		Log: slog.New(slog.DiscardHandler),
	}
}

// running is a pool that runs, and what the test found before it.
type running struct {
	*Pool
	t      *testing.T
	cancel context.CancelFunc
	end    chan error
}

// run runs a pool until the end of the test, which then must have left nothing.
func run(t *testing.T, o Options) *running {
	t.Helper()
	before := held(t)
	t.Cleanup(func() {
		if !eventually(func() bool { return held(t).within(before) }) {
			t.Errorf("the test found %+v and leaves %+v\n%s", before, held(t), stacks())
		}
	})
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Pool: p, t: t, cancel: cancel, end: make(chan error, 1)}
	go func() { r.end <- p.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

// stop ends the pool.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.end:
		if err != nil {
			r.t.Error(err)
		}
		r.end <- nil // for another stop
	case <-time.After(patience):
		r.t.Fatalf("the pool does not end\n%s", stacks())
	}
}

// until waits for figures of the pool.
func (r *running) until(what string, holds func(Counts) bool) {
	r.t.Helper()
	if !eventually(func() bool { return holds(r.Counts()) }) {
		r.t.Fatalf("%s does not come: %+v", what, r.Counts())
	}
}

// holdings are what a process holds of the system.
type holdings struct{ descriptors, goroutines, children int }

// within reports whether nothing is more than before; goroutines of earlier tests
// may end.
func (h holdings) within(before holdings) bool {
	return h.descriptors <= before.descriptors && h.goroutines <= before.goroutines && h.children <= before.children
}

func held(t *testing.T) holdings {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return holdings{len(entries), runtime.NumGoroutine(), len(children(t, os.Getpid()))}
}

// children returns the processes of a parent, zombies too.
func children(t *testing.T, parent int) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for _, task := range tasks {
		list, _ := os.ReadFile(task) // the thread may have ended
		for field := range strings.FieldsSeq(string(list)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pid)
		}
	}
	return all
}

// alive reports whether a process is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return state[0] != 'Z'
}

// eventually waits for what no event tells of.
func eventually(holds func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return true
		}
	}
	return false
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

// session is a handler that notes what it is told.
type session struct {
	gone chan error // takes one without a reader

	mu      sync.Mutex
	init    wire.Init
	packets []wire.Packet
	cues    []wire.Cue
	until   time.Duration
	ended   []wire.Ended
	stats   int
	told    wire.Stats // the newest
	after   bool       // told something after Gone
	slow    time.Duration
	falls   bool // it panics at a packet
}

func newSession() *session { return &session{gone: make(chan error, 2)} }

func (s *session) note(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = s.after || len(s.gone) > 0
	f()
}

func (s *session) Init(m wire.Init) { s.note(func() { s.init = m }) }
func (s *session) Packet(m wire.Packet) {
	if s.slow > 0 {
		<-time.After(s.slow)
	}
	s.note(func() {
		if s.falls {
			panic("a packet")
		}
		s.packets = append(s.packets, m)
	})
}
func (s *session) Cue(m wire.Cue)           { s.note(func() { s.cues = append(s.cues, m) }) }
func (s *session) Progress(m wire.Progress) { s.note(func() { s.until = m.Until }) }
func (s *session) Written(wire.Written)     {}
func (s *session) Ended(m wire.Ended)       { s.note(func() { s.ended = append(s.ended, m) }) }
func (s *session) Stats(m wire.Stats)       { s.note(func() { s.stats++; s.told = m }) }
func (s *session) Warning(wire.Warning)     { s.note(func() {}) }
func (s *session) Gone(err error)           { s.gone <- err }

func (s *session) count(what func(*session) int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return what(s)
}

// lost waits for Gone and returns its error.
func (s *session) lost(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.gone:
		return err
	case <-time.After(patience):
		t.Fatalf("nobody says that the worker is gone\n%s", stacks())
		return nil
	}
}

// take takes a worker and closes it at the end.
func (r *running) take(s *session) *Worker {
	r.t.Helper()
	w, err := r.Take(context.Background(), "s1", s)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// open gives a worker a film.
func open(t *testing.T, w *Worker, film workertest.Film) (wire.Opened, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.json")
	if err := os.WriteFile(path, film.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return w.Open(t.Context(), wire.Open{
		Name: "film", Size: int64(len(film.Bytes())), Segment: time.Second, Burn: -1,
		Upscale: wire.Upscale{Model: "swift-s-x2", Strength: 1, Filters: filters.Neutral()},
	}, Source{wire.SourceFile, f})
}

// play opens a film and starts its video.
func play(t *testing.T, w *Worker, film workertest.Film) {
	t.Helper()
	if _, err := open(t, w, film); err != nil {
		t.Fatal(err)
	}
	if err := w.Play(t.Context(), wire.Play{Run: 1, Stream: wire.Stream{Kind: wire.StreamVideo}, Limit: 1000}); err != nil && !errors.Is(err, ErrGone) {
		t.Fatal(err)
	}
}
