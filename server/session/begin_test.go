package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func about() About {
	return About{Kind: KindTranscode, Owner: "me", Source: "upload", Settings: Settings{Model: "a-x2", Strength: 1}}
}

// begin begins a transcode that does nothing until it is to end.
func (s *stage) begin() *Life {
	s.t.Helper()
	l, err := s.Begin(about())
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// TestBegin follows a session that others run from its begin to its end.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) { o.Memory = 1 << 30 })
		events := s.Subscribe(func(Event) bool { return true })
		defer events.Close()
		next := func() Event {
			t.Helper()
			e, err := events.Next(t.Context())
			if err != nil || e.Session == "" || e.Owner != "me" {
				t.Fatalf("%+v %v", e, err)
			}
			return e
		}
		l := s.begin()
		if e, err := s.Find(l.ID()); err != nil || e.Kind() != KindTranscode || e.State() != StateStarting {
			t.Errorf("%v %v", e, err)
		}
		if _, err := s.Get(l.ID()); !errors.Is(err, ErrKind) {
			t.Errorf("taken for a playback: %v", err)
		}
		l.Describe(wire.Opened{Container: "Matroska"})
		if e := next(); e.State == nil || e.State.Film.Container != "Matroska" || e.State.Source != "upload" {
			t.Errorf("%+v", e.State)
		}
		l.Playing()
		if e := next(); e.State == nil || e.State.State != StatePlaying {
			t.Errorf("%+v", e.State)
		}
		l.Stats(wire.Stats{Encoded: 10})
		next()
		pass(time.Second)
		l.Progress(Progress{Position: 3 * time.Second, Encoded: 85})
		l.Stats(wire.Stats{Encoded: 85, CPU: 1500 * time.Millisecond})
		if e := next(); e.Stats == nil || e.Stats.FPS != 75 || e.Stats.RealTime != 3 || e.Stats.Busy != 1.5 || e.Stats.Progress.Encoded != 85 {
			t.Errorf("%+v", e.Stats)
		}
		if shot := l.Snapshot(); shot.Progress == nil || shot.Progress.Position != 3*time.Second || shot.Stats == nil {
			t.Errorf("%+v", shot)
		}
		l.Fail(&wire.Error{Code: "damaged", Sentence: "No."}, CodeWorkerLost)
		l.End(CauseClient) // comes too late to count
		<-l.Ending()
		if e := next(); e.State == nil || e.State.State != StateEnding || e.State.Cause != CauseFailed || e.State.Failure.Code != "damaged" {
			t.Errorf("%+v", e.State)
		}
		wantEnded(t, l.Err(), CauseFailed, "damaged")
		l.Conclude()
		l.Conclude()
		<-l.Ended()
		if e := next(); e.State == nil || e.State.State != StateEnded || e.State.Ended.IsZero() {
			t.Errorf("%+v", e.State)
		}
		l.Stats(wire.Stats{}) // tells nobody anything
		if _, more, err := events.poll(); more || err != nil {
			t.Errorf("an event after the end, %v", err)
		}
	})
}

func TestBegunSessionTakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) { o.Capacity = Capacity{Sessions: 2, CoreMS: 1000} })
		first, second := s.begin(), s.begin()
		if _, err := s.Begin(about()); !errors.As(err, new(*RefusedError)) {
			t.Errorf("a third of two: %v", err)
		}
		if err := first.Book(wire.Cost{CoreMS: 700}); err != nil {
			t.Error(err)
		}
		if err := second.Book(wire.Cost{CoreMS: 400}); !errors.As(err, new(*RefusedError)) {
			t.Errorf("1100 of 1000: %v", err)
		}
		freed := s.Freed()
		select {
		case <-freed:
			t.Error("nothing was given back yet")
		default:
		}
		if err := s.Delete(t.Context(), ""); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		go func() {
			<-first.Ending()
			first.Conclude()
		}()
		if err := s.Delete(t.Context(), first.ID()); err != nil {
			t.Error(err)
		}
		<-freed
		if err := second.Book(wire.Cost{CoreMS: 400}); err != nil {
			t.Error(err)
		}
		second.Conclude()
		if shot := second.Snapshot(); shot.Cause != CauseClient || shot.State != StateEnded {
			t.Errorf("%+v", shot)
		}
	})
}

func TestEstimate(t *testing.T) {
	for _, c := range []struct{ position, duration, worked, want time.Duration }{
		{20 * time.Second, time.Minute, 10 * time.Second, 20 * time.Second},
		{0, time.Minute, 10 * time.Second, 0},
		{20 * time.Second, 0, 10 * time.Second, 0},
		{61 * time.Second, time.Minute, 10 * time.Second, 0}, // it lasts longer than it says
	} {
		if got := (&Progress{Position: c.position, Duration: c.duration}).Estimate(c.worked); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestJobsHinderNobody admits others as if there were no jobs, and tells when those
// have too much.
func TestJobsHinderNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusals := 0
		s := setUp(t, func(o *Options) {
			o.Capacity = Capacity{Sessions: 2, CoreMS: 1000}
			o.Hooks.Refused = func(Reason) { refusals++ }
		})
		job := about()
		job.Kind = KindJob
		begin := func(about About, core float64) *Life {
			t.Helper()
			l, err := s.Begin(about)
			if err == nil {
				err = l.Book(wire.Cost{CoreMS: core})
			}
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		first, second := begin(job, 400), begin(job, 500)
		if s.Crowded() {
			t.Error("jobs that fit are too much")
		}
		if r := refusal(t, second.Book(wire.Cost{CoreMS: 700}), ReasonCPU); r.Used != 400 {
			t.Errorf("a job beside another: %+v", r)
		}
		film := begin(about(), 900)
		if !s.Crowded() {
			t.Error("1800 of 1000 are booked, and nobody is told")
		}
		watched := begin(about(), 100)
		_, err := s.Begin(about())
		if r := refusal(t, err, ReasonSessions); r.Used != 2 || r.RetryAfter == 0 {
			t.Errorf("a third of two: %+v", r)
		}
		if refusals > 0 {
			t.Error("what may wait is counted as refused")
		}
		if !errors.Is(s.Refuse(err), err) || refusals != 1 {
			t.Errorf("%d refusals", refusals)
		}
		_, err = s.Begin(job)
		if r := refusal(t, err, ReasonSessions); r.Used != 4 {
			t.Errorf("a job where there is no room: %+v", r)
		}
		film.Conclude()
		watched.Conclude()
		if s.Crowded() {
			t.Error("jobs stand back from nobody")
		}
		first.Conclude()
		second.Conclude()
	})
}

func TestBegunSessionThatTakesTooMuchMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) { o.Memory = 1 << 30 })
		l := s.begin()
		defer l.Conclude()
		l.Stats(wire.Stats{RSS: 1<<30 + 1})
		wantEnded(t, l.Err(), CauseFailed, CodeWorkerMemory)
	})
}

// The end of the server ends what others run, waits for it, and lets nothing begin.
func TestShutdownEndsWhatWasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		l := s.begin()
		concluded := false
		go func() {
			<-l.Ending()
			pass(2 * time.Second)
			concluded = true
			l.Conclude()
		}()
		s.stop()
		if !concluded || l.Snapshot().Cause != CauseShutdown {
			t.Errorf("concluded %v, %s", concluded, l.Snapshot().Cause)
		}
		if _, err := s.Begin(about()); !errors.Is(err, ErrDraining) {
			t.Errorf("begun after the end: %v", err)
		}
	})
}
