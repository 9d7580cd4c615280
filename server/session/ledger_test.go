package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func refusal(t *testing.T, err error, reason Reason) *RefusedError {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != reason {
		t.Fatalf("error %v, want a refusal for %s", err, reason)
	}
	return r
}

func TestLedgerHoldsItsBounds(t *testing.T) {
	now := time.Unix(1000, 0)
	l := &ledger{capacity: Capacity{Sessions: 3, CoreMS: 1000, GPUMS: 100}}
	take := func(cost wire.Cost) (*ticket, error) {
		ticket, err := l.reserve(now, false)
		if err != nil {
			return nil, err
		}
		if err := ticket.book(cost, now); err != nil {
			ticket.release()
			return nil, err
		}
		return ticket, nil
	}
	a, err := take(wire.Cost{CoreMS: 600, GPUMS: 90})
	if err != nil {
		t.Fatal(err)
	}
	a.expect(now.Add(40 * time.Second))

	_, err = take(wire.Cost{CoreMS: 500})
	if r := refusal(t, err, ReasonCPU); r.Needed != 500 || r.Used != 600 || r.Limit != 1000 || r.RetryAfter != 40*time.Second {
		t.Errorf("%+v", r)
	}
	_, err = take(wire.Cost{CoreMS: 100, GPUMS: 11})
	if r := refusal(t, err, ReasonGPU); r.Used != 90 {
		t.Errorf("%+v", r)
	}
	_, err = take(wire.Cost{CoreMS: 1001})
	if r := refusal(t, err, ReasonCPU); r.RetryAfter != 0 {
		t.Errorf("what never fits is to be tried again after %s", r.RetryAfter)
	}

	b, err := take(wire.Cost{CoreMS: 400})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.book(wire.Cost{CoreMS: 401}, now); err == nil {
		t.Error("booked more than there is")
	} else if core, _ := l.load(); core != 1000 {
		t.Errorf("after a refusal %v is taken", core)
	}
	if err := b.book(wire.Cost{CoreMS: 200}, now); err != nil {
		t.Error(err)
	}
	for range 40 {
		a.measured(300)
	}
	if core, _ := l.load(); core < 500 || core > 501 {
		t.Errorf("%v is taken, 500 is measured", core)
	}
	if _, err := take(wire.Cost{CoreMS: 450}); err != nil {
		t.Errorf("what was measured to fit: %v", err)
	}
	_, err = take(wire.Cost{})
	if r := refusal(t, err, ReasonSessions); r.Used != 3 || r.Limit != 3 || r.RetryAfter != 40*time.Second {
		t.Errorf("%+v", r)
	}
	a.release()
	a.release()
	if _, err := take(wire.Cost{CoreMS: 1}); err != nil {
		t.Error(err)
	}
}

// As many sessions as fit get in, and not one more, when all come at once.
func TestAdmissionWithoutARace(t *testing.T) {
	for name, capacity := range map[string]Capacity{
		"sessions": {Sessions: 7, CoreMS: 1e6},
		"cpu":      {Sessions: 100, CoreMS: 7*500 + 499},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var refusals atomic.Int64
				s := setUp(t, func(o *Options) {
					o.Capacity = capacity
					o.Hooks.Refused = func(r Reason) {
						if string(r) != name {
							t.Errorf("refused for %s", r)
						}
						refusals.Add(1)
					}
				})
				s.starter.opening = time.Second
				var clients sync.WaitGroup
				var in atomic.Int64
				for range 50 {
					clients.Go(func() {
						_, err := s.Create(t.Context(), request())
						if err == nil {
							in.Add(1)
							return
						}
						_ = refusal(t, err, Reason(name))
					})
				}
				clients.Wait()
				if in.Load() != 7 || refusals.Load() != 43 {
					t.Errorf("%d sessions, %d refusals", in.Load(), refusals.Load())
				}
				open := 0
				for _, w := range s.starter.workers {
					if w.closed == 0 {
						open++
					}
				}
				if open != 7 {
					t.Errorf("%d workers are left", open)
				}
			})
		})
	}
}

// What a session really takes is booked in place of what was predicted, also while
// it is paused.
func TestMeasuredCostIsBooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		for k := range 100 {
			s.segment(session, 0, k, plain)
		}
		if core, _ := s.Load(); core < 299 || core > 310 { // predicted were 500
			t.Errorf("%v booked", core)
		}
		if err := session.Pause(); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		if core, _ := s.Load(); core < 299 || core > 310 {
			t.Errorf("%v booked while paused", core)
		}
		stats := session.Snapshot().Stats
		if stats == nil || stats.Buffered == 0 || stats.RSS == 0 {
			t.Errorf("stats %+v", stats)
		}
	})
}

// A change to what costs more must fit as well, and one that the worker refuses
// costs nothing.
func TestChangeThatDoesNotFitIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) {
			o.Capacity.CoreMS = 2000
			o.Cost = func(_ *wire.Opened, settings Settings) (wire.Cost, bool) {
				cost, known := map[string]float64{"b-x2": 900, "c-x4": 1600}[settings.Model]
				return wire.Cost{CoreMS: cost}, known
			}
		})
		session, _ := s.play(), s.play()
		unchanged := func() {
			t.Helper()
			if core, _ := s.Load(); core != 1000 || session.Snapshot().Settings.Model != "a-x2" {
				t.Errorf("%v booked, settings %+v", core, session.Snapshot().Settings)
			}
		}
		err := session.Set(t.Context(), Change{Model: ptr("c-x4")})
		if r := refusal(t, err, ReasonCPU); r.Needed != 1600 || r.Used != 500 {
			t.Errorf("%+v", r)
		}
		unchanged()
		synctest.Wait() // the runs have begun
		w := s.starter.workers[0]
		w.mu.Lock()
		w.refuse = &wire.Error{Code: "model_failed", Sentence: "No."}
		w.mu.Unlock()
		if err := session.Set(t.Context(), Change{Model: ptr("b-x2")}); err == nil {
			t.Error("no error")
		}
		unchanged()
		if err := session.Set(t.Context(), Change{Model: ptr("b-x2")}); err != nil {
			t.Error(err)
		}
		if core, _ := s.Load(); core != 1400 {
			t.Errorf("%v booked", core)
		}
	})
}

// TestMeasurementsAreBelievedWithinBounds measures more and less than there is: what a worker made up
// must not keep others out for long, nor make room that there is not.
func TestMeasurementsAreBelievedWithinBounds(t *testing.T) {
	l := ledger{capacity: Capacity{Sessions: 1, CoreMS: 1000}}
	ticket, err := l.reserve(time.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	for measured, atMost := range map[float64]float64{1e300: 1000, -1e300: 1000} {
		ticket.restore(wire.Cost{CoreMS: 500})
		for range 100 {
			ticket.measured(measured)
		}
		if core, _ := l.load(); core < 0 || core > atMost {
			t.Errorf("%g are booked of %g that were measured", core, measured)
		}
	}
}
