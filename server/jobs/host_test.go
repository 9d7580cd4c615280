package jobs

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// slowFilms opens films for as long as a client waits.
type slowFilms struct{}

func (slowFilms) Start(ctx context.Context, _ string, _ session.Job, _ session.Handler) (session.Worker, wire.Opened, error) {
	<-ctx.Done()
	return nil, wire.Opened{}, context.Cause(ctx)
}

// host is the sessions of a machine with a core, in a bubble of synctest, and what jobs
// were told of them last.
type host struct {
	Sessions
	t    *testing.T
	mu   sync.Mutex
	last Others
}

func newHost(t *testing.T) (*host, func()) {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Disk: 1 << 20, Memory: 1 << 20})
	must(t, err)
	m, err := session.New(session.Options{
		Starter: slowFilms{}, Cache: store, Scale: func(string) (int, error) { return 2, nil }, Capacity: session.Capacity{Sessions: 8, CoreMS: 1000},
		Segment: time.Second, ReadAhead: time.Minute, Idle: time.Minute, Wait: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{Sessions: Sessions{m}, t: t}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { must(t, m.Run(ctx)) })
	running.Go(func() {
		_ = h.Watch(ctx, func(o Others) { // ends with ctx
			h.mu.Lock()
			defer h.mu.Unlock()
			h.last = o
		})
	})
	return h, func() {
		cancel()
		running.Wait()
		must(t, store.Close())
	}
}

// tells checks what jobs know once nothing moves any more.
func (h *host) tells(what string, want Others) {
	h.t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != want {
		h.t.Errorf("%s: %+v, want %+v", what, h.last, want)
	}
}

// begin begins a session and books.
func (h *host) begin(kind session.Kind, core float64) *session.Life {
	h.t.Helper()
	l, err := h.Manager.Begin(session.About{Kind: kind})
	if err != nil {
		h.t.Fatal(err)
	}
	must(h.t, l.Book(wire.Cost{CoreMS: core}))
	return l
}

// TestJobsLearnWhoComes tells of sessions from the moment at which they have their
// place: the film of a viewer is not open yet then.
func TestJobsLearnWhoComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, stop := newHost(t)
		defer stop()
		h.tells("nobody", Others{})
		client, leave := context.WithCancel(t.Context())
		defer leave()
		var creating sync.WaitGroup
		creating.Go(func() {
			if _, err := h.Create(client, session.Request{Source: "films/a.mkv", Settings: session.Settings{Burn: -1}}); err == nil {
				t.Error("the film is open")
			}
		})
		h.tells("while a film is opened", Others{Playing: 1})
		leave()
		creating.Wait()
		h.tells("when its client has gone", Others{})
		l := h.begin(session.KindTranscode, 0)
		h.tells("while a transcode begins", Others{Playing: 1})
		l.Playing()
		h.tells("while it goes on", Others{Playing: 1})
		l.Paused()
		h.tells("while it waits", Others{})
		l.Playing()
		h.tells("when it goes on", Others{Playing: 1})
		l.Conclude()
		h.tells("when it is over", Others{})
	})
}

// TestJobsLearnWhatIsTaken follows what is booked, as it is measured.
func TestJobsLearnWhatIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, stop := newHost(t)
		defer stop()
		job := h.begin(session.KindJob, 600)
		h.tells("a job alone", Others{})
		l := h.begin(session.KindTranscode, 500)
		h.tells("too much", Others{Playing: 1, Crowded: true})
		film, cpu := time.Duration(0), time.Duration(0)
		works := func(busy time.Duration) { // for a minute
			for range 60 {
				<-time.After(time.Second)
				film, cpu = film+time.Second, cpu+busy
				l.Progress(session.Progress{Position: film})
				l.Stats(wire.Stats{CPU: cpu})
			}
		}
		works(100 * time.Millisecond)
		h.tells("it takes less than was thought", Others{Playing: 1})
		works(700 * time.Millisecond)
		h.tells("and more", Others{Playing: 1, Crowded: true})
		l.Conclude()
		job.Conclude()
		h.tells("all are over", Others{})
	})
}
