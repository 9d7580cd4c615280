package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func all(Event) bool { return true }

func TestSubscriberGetsStatesInOrderAndNewestStats(t *testing.T) {
	var h hub
	s := h.subscribe(all)
	for i := range 10 {
		h.publish(Event{Session: "a", Seq: uint64(4 * i), Stats: &Stats{FPS: float64(i)}})
		h.publish(Event{Session: "b", Seq: uint64(4*i + 1), Stats: &Stats{FPS: float64(-i)}})
		h.publish(Event{Session: "a", Seq: uint64(4*i + 2), State: &Snapshot{}})
		h.publish(Event{Session: "a", Seq: uint64(4*i + 3), Warning: &wire.Warning{}})
	}
	for i := range 20 {
		e, err := s.Next(t.Context())
		if want := uint64(4*(i/2) + 2 + i%2); err != nil || e.Seq != want {
			t.Fatalf("event %d, %v, want %d", e.Seq, err, want)
		}
	}
	newest := map[string]float64{}
	for range 2 {
		e, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newest[e.Session] = e.Stats.FPS
	}
	if newest["a"] != 9 || newest["b"] != -9 {
		t.Errorf("stats %v", newest)
	}
}

func TestSlowSubscriberIsClosedAndTheOthersAreNot(t *testing.T) {
	var h hub
	slow, quick := h.subscribe(all), h.subscribe(all)
	for i := range backlog + 1 {
		h.publish(Event{Seq: uint64(i), State: &Snapshot{}})
		if e, err := quick.Next(t.Context()); err != nil || e.Seq != uint64(i) {
			t.Fatal(e, err)
		}
	}
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrSlow) {
		t.Errorf("error %v", err)
	}
	slow.Close()
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrSlow) {
		t.Errorf("error after Close: %v", err)
	}
	if len(h.subscribers) != 1 {
		t.Errorf("%d subscribers", len(h.subscribers))
	}
	quick.Close()
	if _, err := quick.Next(t.Context()); !errors.Is(err, ErrClosed) || len(h.subscribers) != 0 {
		t.Errorf("error %v, %d subscribers", err, len(h.subscribers))
	}
}

// Stats never close a subscriber, however many it leaves lying.
func TestStatsDoNotPileUp(t *testing.T) {
	var h hub
	s := h.subscribe(all)
	for range 10 * backlog {
		h.publish(Event{Session: "a", Stats: &Stats{}})
	}
	if e, err := s.Next(t.Context()); err != nil || e.Stats == nil {
		t.Error(e, err)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		s := h.subscribe(func(e Event) bool { return e.Owner == "me" })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h.publish(Event{Owner: "you", State: &Snapshot{}})
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another's event: %v", err)
		}
		got := make(chan error)
		go func() { _, err := s.Next(t.Context()); got <- err }()
		synctest.Wait()
		s.Close()
		if err := <-got; !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

// A client sees every state that its session goes through.
func TestEventsTellASessionsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		events := s.Subscribe(func(e Event) bool { return e.State != nil })
		defer events.Close()
		session := s.play()
		s.segment(session, 0, 0, plain)
		for _, do := range []func() error{session.Pause, session.Resume} {
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
		must(t, session.Seek(100*time.Second))
		s.segment(session, 0, 100, plain)
		if err := s.Delete(t.Context(), session.ID()); err != nil {
			t.Fatal(err)
		}
		var states []State
		var last uint64
		sought := false
		for len(states) == 0 || states[len(states)-1] != StateEnded {
			e, err := events.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e.Seq <= last || e.Session != session.ID() || e.Owner != "me" {
				t.Errorf("event %+v after %d", e, last)
			}
			last = e.Seq
			sought = sought || e.State.Seeking
			if n := len(states); n == 0 || states[n-1] != e.State.State {
				states = append(states, e.State.State)
			}
		}
		want := []State{StateStarting, StatePlaying, StatePaused, StatePlaying, StateEnding, StateEnded}
		if len(states) != len(want) || !sought {
			t.Fatalf("states %v, seeking seen %v", states, sought)
		}
		for i := range want {
			if states[i] != want[i] {
				t.Fatalf("states %v, want %v", states, want)
			}
		}
	})
}

func FuzzHub(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, calls []byte) {
		var h hub
		s := h.subscribe(all)
		want, got := []uint64{}, []uint64{}
		for i, c := range calls {
			switch c % 3 {
			case 0:
				h.publish(Event{Seq: uint64(i), State: &Snapshot{}})
				want = append(want, uint64(i))
			case 1:
				h.publish(Event{Seq: uint64(i), Session: string(rune('a' + c%5)), Stats: &Stats{}})
			case 2:
				e, ok, err := s.poll()
				if errors.Is(err, ErrSlow) {
					if len(want)-len(got) <= backlog {
						t.Fatalf("closed with %d events", len(want)-len(got))
					}
					return
				}
				if ok && e.State != nil {
					got = append(got, e.Seq)
				}
			}
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("states %v of %v", got, want)
			}
		}
	})
}
