package pool

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// TestSession plays a film from its opening to its end.
func TestSession(t *testing.T) {
	r := run(t, options(""))
	s := newSession()
	w := r.take(s)
	if w.Hello().GStreamer != "none" {
		t.Errorf("greeted with %+v", w.Hello())
	}
	film := workertest.Film{Duration: workertest.Length(4 * time.Second), Audio: []workertest.Sound{{}}, Text: []workertest.Titles{{}}}
	opened, err := open(t, w, film)
	if err != nil || opened.Duration != 4*time.Second || len(opened.Audio) != 1 {
		t.Fatalf("%+v, %v", opened, err)
	}
	for i, kind := range []wire.StreamKind{wire.StreamVideo, wire.StreamAudio, wire.StreamText} {
		if err := w.Play(t.Context(), wire.Play{Run: uint32(i), Stream: wire.Stream{Kind: kind}, Limit: 2}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if err := w.Limit(uint32(i), 100); err != nil {
			t.Fatal(err)
		}
	}
	if !eventually(func() bool { return s.count(func(s *session) int { return len(s.ended) }) == 3 }) {
		t.Fatalf("the runs do not end: %+v", s.ended)
	}
	if n := s.count(func(s *session) int { return len(s.packets) }); n != 96+188 || len(s.cues) != 1 || s.until != 4*time.Second {
		t.Errorf("%d packets, cues %+v until %s", n, s.cues, s.until)
	}
	strength := 0.5
	if err := w.Set(t.Context(), wire.Set{Strength: &strength}); err != nil {
		t.Error(err)
	}
	model := "other-x4"
	var refused *wire.Error
	if err := w.Set(t.Context(), wire.Set{Model: &model}); !errors.As(err, &refused) || refused.Code != "bad_request" {
		t.Errorf("a model of another scale: %v", err)
	}
	if err := w.KeyFrame(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if err := w.Halt(0); err != nil {
		t.Error(err)
	}
	if _, err := open(t, w, film); !errors.Is(err, ErrOpened) {
		t.Errorf("a second film: %v", err)
	}
	closeWorker(t, w)
	if err := s.lost(t); err != nil {
		t.Errorf("closed, and gone with %v", err)
	}
	if err := w.Limit(0, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("a limit after the end: %v", err)
	}
	if err := w.Play(t.Context(), wire.Play{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a run after the end: %v", err)
	}
}

func closeWorker(t *testing.T, w *Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if alive(w.PID()) {
		t.Errorf("worker %d outlives Close", w.PID())
	}
}

func TestMeasure(t *testing.T) {
	r := run(t, options(""))
	w := r.take(newSession())
	costs, err := w.Measure(t.Context(), wire.Measure{Model: "swift-s-x2", Provider: "auto"})
	if err != nil || costs.Model != "swift-s-x2" || costs.Provider != "cpu" || costs.Upscale <= 0 {
		t.Errorf("%+v, %v", costs, err)
	}
	var refused *wire.Error
	if _, err := w.Measure(t.Context(), wire.Measure{Model: "swift-s-x2", Provider: "cuda"}); !errors.As(err, &refused) || refused.Code != wire.CodeProvider {
		t.Errorf("a GPU that is not there: %v", err)
	}
}

func TestRefusedFilm(t *testing.T) {
	r := run(t, options(""))
	w := r.take(newSession())
	_, err := open(t, w, workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Refuse, Code: "no_video", Sentence: "It has no video."}})
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != "no_video" || !alive(w.PID()) {
		t.Errorf("%v", err)
	}
}

// TestSparesAreReplaced takes the spare, and kills one.
func TestSparesAreReplaced(t *testing.T) {
	o := options("")
	o.Spare = 2
	r := run(t, o)
	full := func(c Counts) bool { return c.Spare == 2 && c.Starting == 0 }
	r.until("the first spares", full)
	w := r.take(newSession())
	r.until("another spare", func(c Counts) bool { return full(c) && c.Running == 1 && c.Started == 3 })
	closeWorker(t, w)
	r.until("the end of the taken one", func(c Counts) bool { return full(c) && c.Running == 0 })
	spare := slices.DeleteFunc(children(t, os.Getpid()), func(pid int) bool { return pid == w.PID() })[0]
	if err := syscall.Kill(spare, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.until("one in place of the dead", func(c Counts) bool { return full(c) && c.Started == 4 && c.Lost[ReasonCrashed] == 1 })
}

// TestRest holds the next spare back for a while.
func TestRest(t *testing.T) {
	o := options("")
	o.Rest = time.Hour
	r := run(t, o)
	r.until("a spare", func(c Counts) bool { return c.Spare == 1 })
	r.take(newSession())
	// Another session does not wait for that: it gets one of its own.
	r.take(newSession())
	if c := r.Counts(); c.Started != 2 || c.Spare != 0 || c.Running != 2 {
		t.Errorf("%+v", c)
	}
}

// TestTroubles lets a worker come to grief in each way, beside one that goes on.
func TestTroubles(t *testing.T) {
	o := options("")
	o.Heartbeat = 1500 * time.Millisecond
	r := run(t, o)
	steady := newSession()
	other := r.take(steady)
	play(t, other, workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1})
	for kind, want := range map[workertest.Kind]GoneError{
		workertest.Abort:   {Reason: ReasonCrashed, Status: 2},
		workertest.Kill:    {Reason: ReasonCrashed, Status: -1, Signal: syscall.SIGKILL},
		workertest.Exit:    {Reason: ReasonExited, Status: 3},
		workertest.Hang:    {Reason: ReasonHung, Status: -1, Cause: errHung},
		workertest.Mute:    {Reason: ReasonHung, Status: -1, Cause: errHung},
		workertest.Noise:   {Reason: ReasonProtocol, Status: -1, Cause: wire.ErrProtocol},
		workertest.Huge:    {Reason: ReasonProtocol, Status: -1, Cause: wire.ErrProtocol},
		workertest.Surplus: {Reason: ReasonProtocol, Status: -1, Cause: wire.ErrProtocol},
	} {
		t.Run(string(kind), func(t *testing.T) {
			s := newSession()
			w := r.take(s)
			film := workertest.Film{Duration: workertest.Length(time.Minute), Speed: 10}
			film.Trouble = workertest.Trouble{Kind: kind, After: 20}
			play(t, w, film)
			var gone *GoneError
			if err := s.lost(t); !errors.As(err, &gone) {
				t.Fatalf("gone with %v", err)
			}
			if gone.Reason != want.Reason || gone.Status != want.Status || gone.Signal != want.Signal || !errors.Is(gone, want.Cause) && want.Cause != nil {
				t.Errorf("gone with %+v (%v), want %+v", gone, gone, want)
			}
			if n := s.count(func(s *session) int { return len(s.packets) }); n < 20 || kind != workertest.Mute && n != 20 {
				t.Errorf("%d packets came before", n)
			}
			if said := "assertion failed"; kind == workertest.Abort && (!strings.Contains(gone.Stderr, "SIGABRT") || !strings.Contains(gone.Stderr, said) || strings.Contains(gone.Error(), said)) {
				t.Errorf("its last words are %q, its error is %q", gone.Stderr, gone)
			}
			if alive(w.PID()) {
				t.Error("the process lives")
			}
			if err := w.Limit(1, 5); !errors.Is(err, ErrGone) {
				t.Errorf("a limit after the end: %v", err)
			}
			closeWorker(t, w)
			if s.after || len(s.gone) > 0 {
				t.Error("something came after Gone")
			}
		})
	}
	if before := steady.count(func(s *session) int { return len(s.packets) }); !alive(other.PID()) || len(steady.gone) > 0 ||
		!eventually(func() bool { return steady.count(func(s *session) int { return len(s.packets) }) > before }) {
		t.Error("the other session did not go on")
	}
}

// TestOpenOfADeadWorker gives a film to a worker that died in the moment before.
func TestOpenOfADeadWorker(t *testing.T) {
	r := run(t, options(""))
	for range 20 {
		s := newSession()
		w := r.take(s)
		if err := syscall.Kill(w.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if !eventually(func() bool { return !alive(w.PID()) }) {
			t.Fatal("it lives")
		}
		if _, err := open(t, w, workertest.Film{}); !errors.Is(err, ErrGone) {
			t.Errorf("open: %v", err)
		}
		var gone *GoneError
		if err := s.lost(t); !errors.As(err, &gone) || gone.Signal != syscall.SIGKILL {
			t.Errorf("gone with %v", err)
		}
		closeWorker(t, w)
	}
}

// TestDeafWorkerNeverBlocks sends to a worker that reads nothing.
func TestDeafWorkerNeverBlocks(t *testing.T) {
	o := options("")
	o.Heartbeat = 1500 * time.Millisecond
	r := run(t, o)
	s := newSession()
	w := r.take(s)
	play(t, w, workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1, Trouble: workertest.Trouble{Kind: workertest.Deaf}})
	if !eventually(func() bool { return w.Limit(1, 5) != nil }) {
		t.Error("a worker that reads nothing is taken for well")
	}
	var gone *GoneError
	if err := s.lost(t); !errors.As(err, &gone) || gone.Reason != ReasonHung {
		t.Errorf("gone with %v", err)
	}
}

// TestNoReply asks a worker that does not answer, and closes it.
func TestNoReply(t *testing.T) {
	o := options("")
	o.Open = 100 * time.Millisecond
	r := run(t, o)
	w := r.take(newSession())
	if _, err := open(t, w, workertest.Film{Trouble: workertest.Trouble{Kind: workertest.DeadOpen}}); !errors.Is(err, ErrNoReply) {
		t.Errorf("no reply: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("client is gone")
	cancel(cause)
	if err := w.Play(ctx, wire.Play{Run: 1}); !errors.Is(err, cause) {
		t.Errorf("a request of nobody: %v", err)
	}
	closeWorker(t, w)
}

// TestSlowHandlerIsNoHang has a handler take longer than the heartbeat.
func TestSlowHandlerIsNoHang(t *testing.T) {
	o := options("")
	o.Heartbeat = 1100 * time.Millisecond
	r := run(t, o)
	s := newSession()
	s.slow = 1300 * time.Millisecond
	w := r.take(s)
	play(t, w, workertest.Film{Duration: workertest.Length(80 * time.Millisecond)}) // two pictures
	if !eventually(func() bool { return s.count(func(s *session) int { return len(s.ended) }) == 1 }) || len(s.gone) > 0 {
		t.Error("the time of the handler is counted against the worker")
	}
}

// TestHandlerThatPanicsEndsItsWorkerAlone has a handler meet what it was not made for.
func TestHandlerThatPanicsEndsItsWorkerAlone(t *testing.T) {
	p := run(t, options(""))
	s := newSession()
	s.falls = true
	w := p.take(s)
	play(t, w, workertest.Film{})
	var gone *GoneError
	if err := s.lost(t); !errors.As(err, &gone) || gone.Reason != ReasonProtocol {
		t.Errorf("it was lost by %v", err)
	}
	closeWorker(t, w)
	closeWorker(t, p.take(newSession()))
}

// TestCloseOfBusyWorker closes one that sends as fast as it can, and one that hangs.
func TestCloseOfBusyWorker(t *testing.T) {
	o := options("")
	o.Heartbeat = time.Hour
	r := run(t, o)
	for name, trouble := range map[string]workertest.Trouble{"busy": {}, "hung": {Kind: workertest.Hang, After: 5}} {
		s := newSession()
		w := r.take(s)
		play(t, w, workertest.Film{Duration: workertest.Length(time.Hour), Trouble: trouble})
		if !eventually(func() bool { return s.count(func(s *session) int { return len(s.packets) }) >= 5 }) {
			t.Fatalf("%s: no packets", name)
		}
		closeWorker(t, w)
		closeWorker(t, w)
		if err := s.lost(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCycles takes and closes workers a hundred times; run looks for what is left.
func TestCycles(t *testing.T) {
	o := options("")
	o.Spare = 2
	r := run(t, o)
	for i := range 100 {
		s := newSession()
		w := r.take(s)
		if i%10 == 0 {
			play(t, w, workertest.Film{})
		}
		closeWorker(t, w)
		if err := s.lost(t); err != nil {
			t.Fatal(err)
		}
	}
	if c := r.Counts(); c.Running != 0 || len(c.Lost) != 0 {
		t.Errorf("%+v", c)
	}
}

// TestParallelTakes has more sessions at once than there are spares.
func TestParallelTakes(t *testing.T) {
	r := run(t, options(""))
	var all sync.WaitGroup
	pids := make([]int, 6)
	for i := range pids {
		all.Go(func() {
			w, err := r.Take(context.Background(), "s", newSession())
			if err != nil {
				t.Error(err)
				return
			}
			pids[i] = w.PID()
		})
	}
	all.Wait()
	slices.Sort(pids)
	if len(slices.Compact(pids)) != 6 {
		t.Errorf("two sessions share a worker: %v", pids)
	}
}

func TestPoolEndsItsWorkers(t *testing.T) {
	r := run(t, options(""))
	s := newSession()
	w := r.take(s)
	play(t, w, workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1})
	r.stop()
	var gone *GoneError
	if err := s.lost(t); !errors.As(err, &gone) || gone.Reason != ReasonStopped {
		t.Errorf("gone with %v", err)
	}
	if left := children(t, os.Getpid()); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	if _, err := r.Take(t.Context(), "late", newSession()); !errors.Is(err, ErrEnded) {
		t.Errorf("a Take after the end: %v", err)
	}
}

func TestNoneCanStart(t *testing.T) {
	for kind, want := range map[workertest.Kind]Reason{
		workertest.ExitAtStart:   ReasonExited,
		workertest.AbortAtStart:  ReasonCrashed,
		workertest.SilentAtStart: ReasonStart,
		workertest.OldAtStart:    ReasonProtocol,
		workertest.NoiseAtStart:  ReasonProtocol,
	} {
		t.Run(string(kind), func(t *testing.T) {
			o := options(kind)
			o.Start = 300 * time.Millisecond
			r := run(t, o)
			_, err := r.Take(t.Context(), "s", newSession())
			var gone *GoneError
			if !errors.Is(err, ErrNoWorker) || !errors.As(err, &gone) || gone.Reason != want {
				t.Errorf("%v, want reason %s", err, want)
			}
			if c := r.Counts(); c.Lost[want] < hopeless || c.Started != 0 {
				t.Errorf("%+v", c)
			}
			// The next is told at once, without another start.
			lost := r.Counts().Lost[want]
			if _, err := r.Take(t.Context(), "s", newSession()); !errors.Is(err, ErrNoWorker) {
				t.Error(err)
			}
			if again := r.Counts().Lost[want]; again > lost+1 {
				t.Errorf("%d starts failed, and %d with the next session", lost, again)
			}
		})
	}
}

func TestNoSuchCommand(t *testing.T) {
	o := options("")
	o.Command = []string{filepath.Join(t.TempDir(), "missing")}
	r := run(t, o)
	if _, err := r.Take(t.Context(), "s", newSession()); !errors.Is(err, ErrNoWorker) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestRecovery lets starts fail until the executable is put in place.
func TestRecovery(t *testing.T) {
	o := options("")
	o.Command = []string{filepath.Join(t.TempDir(), "worker")}
	r := run(t, o)
	r.until("failures", func(c Counts) bool { return c.Lost[ReasonStart] >= 2 })
	if err := os.Symlink(os.Args[0], o.Command[0]); err != nil {
		t.Fatal(err)
	}
	r.until("a spare", func(c Counts) bool { return c.Spare == 1 })
	r.take(newSession())
}

// TestTakeIsBounded waits for a worker that never says Hello.
func TestTakeIsBounded(t *testing.T) {
	o := options(workertest.SilentAtStart)
	o.Take = 50 * time.Millisecond
	r := run(t, o)
	if _, err := r.Take(t.Context(), "s", newSession()); !errors.Is(err, ErrNoWorker) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Take(ctx, "s", newSession()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPause(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		0: 0, 1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 3: time.Second, 7: 16 * time.Second, 8: longPause, 1 << 30: longPause,
	} {
		if got := pause(failures); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, o := range []Options{{Log: log}, {Command: []string{"x"}}, {Command: []string{"x"}, Log: log, Spare: -1}, {Command: []string{"x"}, Log: log, Stop: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
