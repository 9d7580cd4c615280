package jobs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// bench is a Queue over stub workers and sessions, in a bubble of synctest.
type bench struct {
	*Queue
	t       *testing.T
	host    *stubHost
	starter *stubStarter
	folder  string // of the root "films"
	other   string // of the root "made"
	stop    func()
}

// newBench runs a Queue until the test ends.
func newBench(t *testing.T, alter ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, folder: t.TempDir(), other: t.TempDir(), host: &stubHost{room: 100, freed: make(chan struct{}), changed: make(chan struct{}, 1)}}
	b.starter = &stubStarter{height: 360}
	log := slog.New(slog.DiscardHandler)
	sources, err := source.New(source.Options{Roots: map[string]string{"films": b.folder, "made": b.other}, Limits: source.DefaultLimits(), Log: log})
	must(t, err)
	catalogue, _, err := models.NewCatalogue("")
	must(t, err)
	luts, err := playback.NewLUTs("")
	must(t, err)
	o := Options{
		Path: filepath.Join(t.TempDir(), "jobs"), Sources: sources, Starter: b.starter, Host: b.host, Concurrency: 1, Max: 100, Keep: 10, Yield: true,
		Desk: &playback.Desk{Options: playback.Options{
			Models: catalogue, LUTs: luts, Signer: auth.NewSigner(time.Hour), Defaults: playback.Defaults{Model: models.Default, Provider: "auto"},
		}},
	}
	for _, f := range alter {
		f(&o)
	}
	b.run(o)
	return b
}

// run begins a Queue.
func (b *bench) run(o Options) {
	b.t.Helper()
	var err error
	if b.Queue, err = New(o); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { must(b.t, b.Run(ctx)) })
	b.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	b.t.Cleanup(b.stop)
}

// add orders a film.
func (b *bench) add(name string, alter ...func(*Order)) string {
	b.t.Helper()
	must(b.t, os.WriteFile(filepath.Join(b.folder, name), []byte("film"), 0o600))
	o := Order{Source: "films/" + name}
	for _, f := range alter {
		f(&o)
	}
	added, err := b.Add(b.t.Context(), o)
	if err != nil || added.Count != 1 {
		b.t.Fatalf("%+v, %v", added, err)
	}
	return added.Jobs[0].ID
}

// restart ends the Queue, alters what it has stored, and runs another one on that.
func (b *bench) restart(alter func(*Record)) {
	b.t.Helper()
	b.stop()
	s, err := openStore(b.o.Path)
	must(b.t, err)
	all, err := s.load()
	must(b.t, err)
	for _, r := range all.jobs {
		alter(r)
	}
	must(b.t, errors.Join(s.write(change{jobs: all.jobs}), s.close()))
	b.run(b.o)
}

// breaks has every write of the store fail, or none.
func (b *bench) breaks(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store.broken = err
}

func priority(n int) func(*Order) { return func(o *Order) { o.Priority = &n } }

// are checks the states of jobs once nothing moves any more.
func (b *bench) are(want map[string]State) {
	b.t.Helper()
	synctest.Wait()
	for id, state := range want {
		if job, err := b.Get(id); err != nil || job.State != state {
			b.t.Errorf("%s is %s (%s), want %s; %v", job.Source, job.State, job.Waiting, state, err)
		}
	}
}

// stubHost gives places.
type stubHost struct {
	mu       sync.Mutex
	room     int
	freed    chan struct{}
	changed  chan struct{}
	others   Others
	draining bool
	booked   []wire.Cost
}

func (h *stubHost) Begin(session.About) (Life, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, session.ErrDraining
	}
	if h.room == 0 {
		return nil, &session.RefusedError{Reason: session.ReasonSessions, RetryAfter: time.Second}
	}
	h.room--
	return &stubLife{host: h, ending: make(chan struct{})}, nil
}

func (h *stubHost) Freed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.freed
}

func (h *stubHost) give(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room += n
	close(h.freed)
	h.freed = make(chan struct{})
}

func (h *stubHost) play(n int) { h.tell(Others{Playing: n}) }

func (h *stubHost) tell(o Others) {
	h.mu.Lock()
	h.others = o
	h.mu.Unlock()
	signal(h.changed)
}

func (h *stubHost) Watch(ctx context.Context, tell func(Others)) error {
	for {
		h.mu.Lock()
		o := h.others
		h.mu.Unlock()
		tell(o)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.changed:
		}
	}
}

// stubLife is a session.
type stubLife struct {
	host   *stubHost
	once   sync.Once
	ending chan struct{}
	mu     sync.Mutex
	err    error
}

func (l *stubLife) ID() string { return "session" }

func (l *stubLife) Book(c wire.Cost) error {
	l.host.mu.Lock()
	defer l.host.mu.Unlock()
	l.host.booked = append(l.host.booked, c)
	return nil
}
func (l *stubLife) Describe(wire.Opened)      {}
func (l *stubLife) Playing()                  {}
func (l *stubLife) Paused()                   {}
func (l *stubLife) End(c session.Cause)       { l.finish(&session.EndedError{Cause: c}) }
func (l *stubLife) Ending() <-chan struct{}   { return l.ending }
func (l *stubLife) Conclude()                 { l.host.give(1) }
func (l *stubLife) Stats(wire.Stats)          {}
func (l *stubLife) Warn(wire.Warning)         {}
func (l *stubLife) Progress(session.Progress) {}

func (l *stubLife) Fail(err error, code string) {
	said := &wire.Error{}
	if gone := (*pool.GoneError)(nil); errors.As(err, &gone) {
		code = "worker_lost"
	}
	if !errors.As(err, &said) {
		said = &wire.Error{Code: code, Sentence: playback.Problem(err).Detail}
	}
	l.finish(&session.EndedError{Cause: session.CauseFailed, Failure: said})
}

func (l *stubLife) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *stubLife) finish(err error) {
	l.once.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.ending)
	})
}

// stubStarter gives workers, which do as the test says.
type stubStarter struct {
	mu      sync.Mutex
	height  int
	workers []*stubWorker
	none    bool // no worker can be started
	fails   error
	sources *source.Opener // that must have a film; nil: any is there
}

func (s *stubStarter) Prepare(
	_ context.Context, name, _ string, m wire.Prepare, _ func(func()), h session.Handler,
) (session.Transcoder, wire.Prepared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.none {
		return nil, wire.Prepared{}, pool.ErrNoWorker
	}
	if s.fails != nil {
		return nil, wire.Prepared{}, s.fails
	}
	if s.sources != nil {
		if _, _, err := s.sources.Stat(name); err != nil {
			return nil, wire.Prepared{}, err
		}
	}
	w := &stubWorker{name: name, prepare: m, handler: h}
	s.workers = append(s.workers, w)
	return w, wire.Prepared{
		Duration: 100 * time.Second, Video: wire.VideoInfo{SourceSize: [2]int{640, s.height}, Rate: [2]int{25, 1}}, Cost: wire.Cost{CoreMS: 9000},
	}, nil
}

// opens has workers given for films alone that are there.
func (s *stubStarter) opens(sources *source.Opener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = sources
}

// last returns the worker that was taken last.
func (s *stubStarter) last() *stubWorker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workers[len(s.workers)-1]
}

// of returns the worker that has a film.
func (s *stubStarter) of(film string) *stubWorker {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		if w.name == film {
			return w
		}
	}
	return nil
}

// stubWorker is a worker.
type stubWorker struct {
	name    string
	prepare wire.Prepare
	handler session.Handler
	mu      sync.Mutex
	out     *os.File
	limit   int
	closed  bool
	closing chan struct{} // that Close waits for; nil: for nothing
}

func (w *stubWorker) Transcode(_ context.Context, _ uint32, out *os.File) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out, w.limit = out, 1
	return nil
}

func (w *stubWorker) Limit(_ uint32, segment int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = segment
	return nil
}

func (w *stubWorker) Halt(uint32) error { return nil }

func (w *stubWorker) Close(context.Context) error {
	w.mu.Lock()
	closing := w.closing
	w.mu.Unlock()
	if closing != nil {
		<-closing
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}

// paused reports whether the worker was told to wait.
func (w *stubWorker) paused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limit == 0
}

// reach tells how far the worker is.
func (w *stubWorker) reach(at time.Duration) {
	frames := int64(at / (40 * time.Millisecond))
	w.handler.Written(wire.Written{Run: run, Position: at, Decoded: frames, Upscaled: frames, Encoded: frames})
}

// lingers has Close wait until the returned function is called.
func (w *stubWorker) lingers() (enough func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = make(chan struct{})
	return sync.OnceFunc(func() { close(w.closing) })
}

// finish ends the worker's run.
func (w *stubWorker) finish(failure *wire.Error) {
	w.mu.Lock()
	_, _ = w.out.WriteString("film of " + w.name)
	w.mu.Unlock()
	w.handler.Ended(wire.Ended{Run: run, Error: failure})
}
