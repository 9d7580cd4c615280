package jobs

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait for a process, on a machine that may be busy.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// stage is a Queue over real sources, sessions and worker processes.
type stage struct {
	*Queue
	t        *testing.T
	folder   string // of the root "films"
	other    string // of the root "made"
	path     string // of the store
	sessions *session.Manager
	options  Options
	stop     func() // ends the queue and waits for it
}

// setUp runs a Queue until the test ends.
func setUp(t *testing.T, alter ...func(*Options)) *stage {
	t.Helper()
	s := &stage{t: t, folder: t.TempDir(), other: t.TempDir(), path: filepath.Join(t.TempDir(), "jobs")}
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	sources, err := source.New(source.Options{
		Roots: map[string]string{"films": s.folder, "made": s.other}, Limits: source.DefaultLimits(), Log: log,
	})
	must(t, err)
	workers, err := pool.New(pool.Options{
		Command: []string{os.Args[0]}, Spare: 1, Rest: time.Millisecond, Log: log,
		Env: []string{workertest.Env(""), "GORACE=atexit_sleep_ms=0"},
	})
	must(t, err)
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Disk: 64 << 20, Memory: 1 << 20})
	must(t, err)
	catalogue, _, err := models.NewCatalogue("")
	must(t, err)
	starter := session.Films{Sources: sources, Workers: workers}
	s.sessions, err = session.New(session.Options{
		Starter: starter, Cache: store, Scale: func(string) (int, error) { return 2, nil },
		Capacity: session.Capacity{Sessions: 8, CoreMS: 2000}, Segment: time.Second, ReadAhead: 24 * time.Second, Idle: time.Minute,
		Wait: patience, Log: log,
	})
	must(t, err)
	luts, err := playback.NewLUTs("")
	must(t, err)
	s.options = Options{
		Path: s.path, Sources: sources, Starter: starter, Host: Sessions{s.sessions}, Concurrency: 1, Max: 1000, Keep: 100, Yield: true,
		Desk: &playback.Desk{Options: playback.Options{
			Sessions: s.sessions, Models: catalogue, LUTs: luts, Signer: auth.NewSigner(time.Hour),
			Defaults: playback.Defaults{Model: models.Default, Provider: "auto"},
		}},
		Log: log,
	}
	for _, f := range alter {
		f(&s.options)
	}
	under, sink := context.WithCancel(context.Background())
	var base sync.WaitGroup
	base.Go(func() { must(t, workers.Run(under)) })
	base.Go(func() { must(t, store.Run(under)) })
	base.Go(func() { must(t, s.sessions.Run(under)) })
	t.Cleanup(func() {
		sink()
		base.Wait()
		must(t, store.Close())
	})
	s.start()
	return s
}

// start runs the queue, anew after stop.
func (s *stage) start() {
	s.t.Helper()
	var err error
	if s.Queue, err = New(s.options); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { must(s.t, s.Queue.Run(ctx)) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	s.t.Cleanup(s.stop)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// film writes a film and returns its name.
func (s *stage) film(name string, film workertest.Film) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, film.Bytes(), 0o600))
	return "films/" + name
}

// order adds a single job.
func (s *stage) order(o Order) Job {
	s.t.Helper()
	added, err := s.Add(s.t.Context(), o)
	if err != nil || added.Count != 1 {
		s.t.Fatalf("%+v, %v", added, err)
	}
	return added.Jobs[0]
}

// until returns a job once it is as wished.
func (s *stage) until(id string, is func(Job) bool) Job {
	s.t.Helper()
	events := s.Subscribe()
	defer events.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		job, err := s.Get(id)
		if err != nil {
			s.t.Fatal(err)
		}
		if is(job) {
			return job
		}
		if _, err := events.Next(ctx); err != nil {
			s.t.Fatalf("%v; the job is %+v", err, job)
		}
	}
}

// in returns whether a job is in a state.
func in(state State) func(Job) bool { return func(j Job) bool { return j.State == state } }

// working reports whether a job has made something.
func working(j Job) bool {
	return j.State == StateRunning && j.Progress != nil && j.Progress.Position > 0
}

// refused checks that an error is a problem of a code.
func refused(t *testing.T, err error, code problem.Code) {
	t.Helper()
	if p := playback.Problem(err); err == nil || p.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// clean checks that a folder has nothing but these files.
func clean(t *testing.T, folder string, names ...string) {
	t.Helper()
	var got []string
	must(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(folder, path)
			got = append(got, path)
		}
		return err
	}))
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the folder has %q, want %q", got, names)
	}
}

// whole checks that a file is the whole output of a film.
func whole(t *testing.T, path string, r *Record, film workertest.Film) {
	t.Helper()
	got, err := os.ReadFile(path)
	want := workertest.Transcoded(wire.Prepare{Upscale: r.Task.Upscale, Output: r.Task.Output}, film, nil)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, want %d: %v", path, len(got), len(want), err)
	}
}
