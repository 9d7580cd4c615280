package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestCancelledRequestsStopTheirWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		began := time.Now()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("player left"))
		defer cancel()
		if _, err := session.Segment(ctx, videoStream, 0, 200); err == nil || err.Error() != "player left" {
			t.Errorf("error %v", err)
		}
		if d := time.Since(began); d != 100*time.Millisecond {
			t.Errorf("waited %s", d)
		}
		// The place that it asked for last is still where the player is, but its
		// request keeps nobody else from theirs.
		began = time.Now()
		s.segment(session, 0, 100, plain)
		if d := time.Since(began); d > s.starter.startup+s.starter.pace {
			t.Errorf("the next request took %s", d)
		}
		session.mu.Lock()
		defer session.mu.Unlock()
		if n := len(session.video.waiters); n != 0 {
			t.Errorf("%d requests are left", n)
		}
	})
}

func TestWaitIsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) { o.Wait = 2 * time.Second })
		s.starter.pace = time.Minute
		session := s.play()
		began := time.Now()
		_, err := session.Segment(t.Context(), videoStream, 0, 0)
		if !errors.Is(err, ErrLate) || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// Somebody drags the player through the film: few of the places are begun, and
// the last is there soon.
func TestDraggingThroughTheFilm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		before := len(s.starter.last().played(wire.StreamVideo))
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			if _, err := session.Segment(ctx, videoStream, 0, 40+2*i); err == nil {
				t.Error("a segment was there in no time")
			}
			cancel()
		}
		began := time.Now()
		s.segment(session, 0, 290, plain)
		if d := time.Since(began); d > s.starter.startup+s.starter.pace+250*time.Millisecond {
			t.Errorf("the last place took %s", d)
		}
		if runs := len(s.starter.last().played(wire.StreamVideo)) - before; runs > 4+5*4+1 {
			t.Errorf("%d runs in five seconds", runs)
		}
	})
}

// Two players of one session, far apart, share the machine: both go on, and runs
// are not replaced before they have made anything.
func TestTwoPlayersFarApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		var both sync.WaitGroup
		got := map[int]*int{0: new(int), 200: new(int)}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		for first, n := range got {
			both.Go(func() {
				for k := first; k < first+90; k++ {
					if _, err := session.Segment(ctx, videoStream, 0, k); err != nil {
						return
					}
					*n++
				}
			})
		}
		both.Wait()
		runs := len(s.starter.last().played(wire.StreamVideo))
		made := *got[0] + *got[200]
		if *got[0] < 30 || *got[200] < 30 || runs > made*4/3 {
			t.Errorf("%d and %d segments in a minute, %d runs", *got[0], *got[200], runs)
		}
	})
}

func TestEvictedSegmentIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(o *Options) {
			store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "small"), Memory: 20 << 10})
			if err != nil {
				t.Fatal(err)
			}
			o.Cache = store
		})
		session := s.play()
		for k := range 60 {
			s.segment(session, 0, k, plain)
		}
		if s.options.Cache.Stats().Lost == 0 {
			t.Fatal("nothing was evicted")
		}
		for _, k := range []int{0, 1, 2, 30, 59} {
			s.segment(session, 0, k, plain)
		}
	})
}

// Whatever players do, each segment that they get is the one that they asked for.
func TestRandomPlayers(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			s := setUp(t, func(o *Options) { o.Wait = time.Hour })
			session := s.play()
			var players sync.WaitGroup
			for p := range 3 {
				players.Go(func() {
					random := rand.New(rand.NewPCG(seed, uint64(p)))
					k := 0
					for range 40 {
						switch random.IntN(6) {
						case 0:
							k = random.IntN(300)
						case 1:
							must(t, session.Seek(time.Duration(random.IntN(300))*time.Second))
						case 2:
							_ = session.Pause()
						case 3:
							_ = session.Resume()
						}
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+random.IntN(30000))*time.Millisecond)
						media, err := session.Segment(ctx, videoStream, 0, k)
						cancel()
						if err == nil {
							holds(t, slices.Concat(media...), k, plain)
						} else if !errors.Is(err, context.DeadlineExceeded) {
							t.Error(err)
						}
						k = min(k+1, 299)
					}
				})
			}
			players.Wait()
			_ = session.Resume()
			s.segment(session, 0, 150, plain) // it still works
		})
	}
}
