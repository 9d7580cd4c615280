package live

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// nobody makes no films.
type nobody struct{}

// Start implements session.Starter.
func (nobody) Start(context.Context, string, session.Job, session.Handler) (session.Worker, wire.Opened, error) {
	return nil, wire.Opened{}, errors.New("there are no films")
}

// idleStudio returns a Studio that does not run, and its sessions.
func idleStudio(t *testing.T, relay Relay) (*Studio, *session.Manager) {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 1 << 20})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	scale := func(string) (int, error) { return 2, nil }
	manager, err := session.New(session.Options{
		Starter: nobody{}, Cache: store, Scale: scale, Capacity: session.Capacity{Sessions: 4, CoreMS: 1e6, GPUMS: 1e6},
		Segment: time.Second, ReadAhead: 3 * time.Second, Idle: time.Minute, Wait: time.Minute,
	})
	must(t, err)
	studio, err := New(Options{
		Sessions: manager, Relay: relay, Scale: scale, Open: time.Minute, Window: time.Minute, Part: 200 * ms, Idle: time.Minute,
	})
	must(t, err)
	return studio, manager
}

// newStudio returns a Studio that runs until the test ends.
func newStudio(t *testing.T, relay Relay) *Studio {
	t.Helper()
	studio, manager := idleStudio(t, relay)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = manager.Run(ctx) })
	running.Go(func() { must(t, studio.Run(ctx)) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return studio
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var page = session.About{Kind: session.KindLive, Source: "player", Settings: session.Settings{Model: "a-x2", Strength: 1, Filters: filters.Neutral(), Quality: -1, Burn: -1}}

// patient is a worker that finds no stream until it is given up.
func patient(ctx context.Context, _ string, _ session.Settings, _ wire.Relay, _ *os.File, _ session.Handler) (Worker, wire.Opened, error) {
	<-ctx.Done()
	return nil, wire.Opened{}, context.Cause(ctx)
}

// TestFeedThatPanicsEndsItsSessionAlone: it reads what anybody may have sent.
func TestFeedThatPanicsEndsItsSessionAlone(t *testing.T) {
	studio := newStudio(t, patient)
	var begun *Session
	_, err := studio.Start(t.Context(), page, Stream{
		Feed:  func(context.Context, io.Writer) error { panic("a parser came to nothing") },
		Begun: func(s *Session) { begun = s },
	})
	var ended *session.EndedError
	if !errors.As(err, &ended) || ended.Failure == nil || ended.Failure.Code != string(problem.Internal) {
		t.Fatal(err)
	}
	<-begun.Ended()
	if !errors.As(begun.Err(), &ended) || ended.Failure.Code != string(problem.Internal) {
		t.Error(begun.Err())
	}
}

// TestWorkerIsWaitedForFromTheFirstOfAFeed: until there is something of the stream, nobody can find it.
func TestWorkerIsWaitedForFromTheFirstOfAFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const first = 10 * time.Minute
		studio, begun := newStudio(t, patient), time.Now()
		_, err := studio.Start(t.Context(), page, Stream{Feed: func(ctx context.Context, w io.Writer) error {
			select {
			case <-time.After(first):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			_, err := w.Write([]byte("a page's picture"))
			<-ctx.Done()
			return err
		}})
		if waited := time.Since(begun); !errors.Is(err, pool.ErrNoReply) || waited != first+studio.o.Open {
			t.Errorf("%v after %s", err, waited)
		}
	})
}
