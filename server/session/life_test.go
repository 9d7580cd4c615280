package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestIdleSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session, pinged := s.play(), s.play()
		s.segment(session, 0, 0, plain)
		for range 59 {
			pass(time.Second)
			if err := pinged.Ping(5 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if state := session.State(); state != StatePlaying {
			t.Fatalf("state %s", state)
		}
		if shot := ended(t, session); shot.Cause != CauseIdle {
			t.Errorf("cause %s", shot.Cause)
		}
		if shot := pinged.Snapshot(); shot.State != StatePlaying || shot.Position != 5*time.Second {
			t.Errorf("%s at %s", shot.State, shot.Position)
		}
	})
}

// TestPlayerThatWaitsIsNotIdle has a player wait for a segment for longer than a
// session may be idle.
func TestPlayerThatWaitsIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) { o.Idle = 5 * time.Second })
		s.starter.startup = 8 * time.Second
		session := s.play()
		s.segment(session, 0, 0, plain)
		if shot := ended(t, session); shot.Cause != CauseIdle {
			t.Errorf("cause %s", shot.Cause)
		}
	})
}

func TestFilmThatWasPlayedToItsEndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		s.starter.film = fakeFilm(10)
		silent, telling := s.play(), s.play()
		for k := range 10 {
			s.segment(silent, 0, k, plain)
			s.segment(telling, 0, k, plain)
		}
		for i := range 40 {
			pass(time.Second)
			_ = telling.Ping(time.Duration(min(10, i)) * time.Second)
		}
		if shot := telling.Snapshot(); shot.State != StateEnded || shot.Cause != CauseEOS {
			t.Errorf("%s, %s", shot.State, shot.Cause)
		}
		if state := silent.State(); state != StatePlaying { // it may be behind
			t.Errorf("state %s", state)
		}
		pass(20 * time.Second)
		if shot := ended(t, silent); shot.Cause != CauseEOS {
			t.Errorf("cause %s", shot.Cause)
		}
	})
}

func TestLostWorkerEndsItsSessionAlone(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"crash":            {errors.New("signal: aborted"), CodeWorkerLost},
		"told by its code": {&wire.Error{Code: "worker_hung", Sentence: "It hangs."}, "worker_hung"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setUp(t)
				dies := s.play()
				w := s.starter.last()
				lives := s.play()
				s.segment(dies, 0, 0, plain)
				waits := make(chan error)
				for _, stream := range []wire.Stream{videoStream, audioStream} {
					go func() {
						_, err := dies.Segment(t.Context(), stream, 0, 290)
						waits <- err
					}()
				}
				synctest.Wait()
				began := time.Now()
				w.die(c.err)
				for range 2 {
					wantEnded(t, <-waits, CauseFailed, c.code)
				}
				shot := ended(t, dies)
				if time.Since(began) > time.Second || shot.Failure.Code != c.code || shot.Failure.Sentence == "" {
					t.Errorf("after %s: %+v", time.Since(began), shot.Failure)
				}
				s.segment(lives, 0, 0, plain)
				if _, err := dies.Playlist(videoStream, ""); err == nil {
					t.Error("a playlist of a session that failed")
				}
			})
		})
	}
}

// Between a worker's end and Gone, which says how it came about, the worker can be
// asked still. Whoever asks then is told what everybody is told: how the session ended.
func TestWhoAsksAWorkerThatIsGoneIsToldHowItEnded(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *Session) error{
		"live": func(ctx context.Context, s *Session) error {
			return s.Set(ctx, Change{Strength: ptr(0.5)})
		},
		"anew": func(ctx context.Context, s *Session) error {
			return s.Set(ctx, Change{Height: ptr(96)})
		},
		"seek": func(ctx context.Context, s *Session) error {
			_, err := s.Segment(ctx, videoStream, 0, 290)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setUp(t)
				session := s.play()
				s.segment(session, 0, 0, plain)
				w := s.starter.last()
				w.crash()
				answer := make(chan error)
				go func() { answer <- ask(t.Context(), session) }()
				synctest.Wait()
				select {
				case err := <-answer:
					t.Fatalf("answered before it is known how the worker ended: %v", err)
				default:
				}
				w.handler.Gone(&pool.GoneError{Reason: pool.ReasonHung})
				wantEnded(t, <-answer, CauseFailed, CodeWorkerHung)
				ended(t, session)
			})
		})
	}
}

// A worker that does not do what it said ends its session with a code; it does
// not have it wait for ever.
func TestWorkerThatFallsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		s.starter.film = fakeFilm(20)
		session := s.play()
		s.starter.last().mu.Lock()
		s.starter.last().short = 3
		s.starter.last().mu.Unlock()
		events := s.Subscribe(func(e Event) bool { return e.Warning != nil })
		defer events.Close()
		for k := range 17 {
			s.segment(session, 0, k, plain)
		}
		_, err := session.Segment(t.Context(), videoStream, 0, 18)
		wantEnded(t, err, CauseFailed, CodeWorkerFailed)
		ended(t, session)
		if e, err := events.Next(t.Context()); err != nil || e.Warning.Code != CodeWorkerFailed {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		sessions := []*Session{s.play(), s.play(), s.play()}
		s.starter.opening = time.Hour
		opening := make(chan error)
		waits := make(chan error)
		go func() {
			_, err := s.Create(t.Context(), request())
			opening <- err
		}()
		go func() {
			_, err := sessions[0].Segment(t.Context(), videoStream, 0, 250)
			waits <- err
		}()
		synctest.Wait()
		events := s.Subscribe(func(e Event) bool { return e.State != nil && e.Session == sessions[0].ID() })
		defer events.Close()
		began := time.Now()
		go s.stop()
		if err := <-opening; !errors.Is(err, ErrDraining) {
			t.Errorf("a session that was opened: %v", err)
		}
		wantEnded(t, <-waits, CauseShutdown, "")
		for _, want := range []State{StateEnding, StateEnded} {
			e, err := events.Next(t.Context())
			if err != nil || e.State.State != want || e.State.Cause != CauseShutdown {
				t.Errorf("%+v, %v", e.State, err)
			}
		}
		synctest.Wait()
		if d := time.Since(began); d > time.Second {
			t.Errorf("took %s", d)
		}
		if _, err := s.Create(t.Context(), request()); !errors.Is(err, ErrDraining) {
			t.Errorf("a late session: %v", err)
		}
		for _, session := range sessions {
			if shot := session.Snapshot(); shot.State != StateEnded || shot.Cause != CauseShutdown {
				t.Errorf("%s, %s", shot.State, shot.Cause)
			}
		}
	})
}

func TestClientThatLeavesWhileItsFilmIsOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		s.starter.opening = 5 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Create(ctx, request()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		if core, _ := s.Load(); core != 0 || len(s.ledger.tickets) != 0 {
			t.Error("its place is still taken")
		}
	})
}

func TestCreateRefusesAndLeavesNothing(t *testing.T) {
	failed := &wire.Error{Code: "not_media", Sentence: "This is no film."}
	for name, c := range map[string]struct {
		starter func(*fakeStarter)
		request func(*Request)
		want    error
	}{
		"no source":        {request: func(r *Request) { r.Source = "" }, want: ErrRequest},
		"negative start":   {request: func(r *Request) { r.Start = -1 }, want: ErrRequest},
		"no such sound":    {request: func(r *Request) { r.Audio = 2 }, want: ErrNoStream},
		"bitmaps as text":  {request: func(r *Request) { r.Text = 1 }, want: ErrNoStream},
		"text as bitmaps":  {request: func(r *Request) { r.Settings.Burn = 0 }, want: ErrNoStream},
		"film is none":     {starter: func(f *fakeStarter) { f.err = failed }, want: failed},
		"impossible facts": {starter: func(f *fakeStarter) { f.film.Duration = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setUp(t)
				r := request()
				if c.starter != nil {
					c.starter(s.starter)
				}
				if c.request != nil {
					c.request(&r)
				}
				_, err := s.Create(t.Context(), r)
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("error %v", err)
				}
				synctest.Wait()
				if len(s.List()) != 0 || len(s.ledger.tickets) != 0 {
					t.Error("something is left")
				}
			})
		})
	}
}

func TestHundredSessionsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				for range 5 {
					session := s.play()
					s.segment(session, 0, 0, plain)
					s.segment(session, 0, 100, plain)
					if err := s.Delete(t.Context(), session.ID()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		clients.Wait()
		s.clean()
		if n := len(s.List()); n != 100 {
			t.Errorf("%d sessions are remembered", n)
		}
		pass(rememberFor + time.Minute)
		if n := len(s.List()); n != 0 {
			t.Errorf("%d sessions are never forgotten", n)
		}
		if _, err := s.Get("nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
}

// TestWarningsAreBounded has a worker warn of something else each time, and at length.
func TestWarningsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		l := s.begin()
		defer l.Conclude()
		l.Describe(wire.Opened{})
		warn := func(n int) bool {
			before := l.Snapshot().Seq
			l.Warn(wire.Warning{Code: fmt.Sprint(n, strings.Repeat("ä", 200)), Sentence: strings.Repeat("ä", 1<<20)})
			return l.Snapshot().Seq > before
		}
		told := 0
		for n := range 1000 {
			if warn(n) {
				told++
			}
		}
		if told != maxWarned {
			t.Errorf("%d warnings are told", told)
		}
		if warn(1) {
			t.Error("one is told twice")
		}
		pass(quiet)
		if !warn(1) || warn(1) {
			t.Error("one is not told anew after a while, or twice")
		}
		for code := range l.warned {
			if len(code) > maxCode || !utf8.ValidString(code) {
				t.Fatalf("%q is kept", code)
			}
		}
	})
}

// TestLongFailuresAreCut has a worker fail at length, with a code that is to be a label of metrics.
func TestLongFailuresAreCut(t *testing.T) {
	long := strings.Repeat("ä", 1<<20)
	f := failure(&wire.Error{Code: "a" + long, Sentence: "a" + long, Detail: "why"}, CodeWorkerFailed)
	if len(f.Code) > maxCode || len(f.Sentence) > maxSentence || !utf8.ValidString(f.Code+f.Sentence) || f.Detail != "why" {
		t.Errorf("a code of %d bytes, a sentence of %d, %q", len(f.Code), len(f.Sentence), f.Detail)
	}
}
