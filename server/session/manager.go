package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// Sessions that have ended are remembered, so that their clients learn why.
	rememberFor = 5 * time.Minute
	rememberMax = 256
)

// Options are what a Manager works with; all durations must be positive.
type Options struct {
	Starter  Starter
	Cache    *cache.Cache
	Scale    func(model string) (int, error) // of a model, by its id
	Capacity Capacity
	// Cost predicts what a film costs with other settings than those that it was
	// opened with, where it can. nil: never, and changes are not refused.
	Cost func(film *wire.Opened, settings Settings) (wire.Cost, bool)

	Segment   time.Duration // wished length of a segment
	ReadAhead time.Duration // that is made beyond what a player asked for last
	Idle      time.Duration // after which a session that nobody uses ends
	Wait      time.Duration // longest wait for a segment
	Memory    int64         // bytes that a worker may have resident; one with more is ended. 0: any

	Hooks Hooks
	Log   *slog.Logger // nil: none
}

// Manager has all sessions. Make it with New and Run it.
type Manager struct {
	options Options
	ledger  ledger
	hub     hub

	work     chan life     // that Run is to start
	draining chan struct{} // closed when Run's context has ended
	refusing atomic.Bool   // set by Drain

	mu       sync.Mutex
	sessions map[string]*Session // guarded by mu
}

// New returns a Manager without sessions.
func New(options Options) (*Manager, error) {
	switch {
	case options.Starter == nil || options.Cache == nil || options.Scale == nil:
		return nil, errors.New("session: starter, cache and scale are needed")
	case options.Capacity.Sessions < 1:
		return nil, fmt.Errorf("session: at most %d sessions", options.Capacity.Sessions)
	case min(options.Segment, options.ReadAhead, options.Idle, options.Wait) <= 0:
		return nil, errors.New("session: durations must be positive")
	}
	options.Hooks = options.Hooks.filled()
	if options.Cost == nil {
		options.Cost = func(*wire.Opened, Settings) (wire.Cost, bool) { return wire.Cost{}, false }
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		options: options, ledger: ledger{capacity: options.Capacity},
		work: make(chan life), draining: make(chan struct{}), sessions: map[string]*Session{},
	}, nil
}

// Run plays sessions until ctx ends, then takes no more, ends all and returns when
// the last worker is gone. It may be called once.
func (m *Manager) Run(ctx context.Context) error {
	var lives sync.WaitGroup
	defer lives.Wait()
	defer close(m.draining)
	sweep := time.NewTicker(rememberFor / 10)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case live := <-m.work:
			lives.Go(func() { live(ctx, lives.Go) })
		case now := <-sweep.C:
			m.sweep(now)
		}
	}
}

// life is what a session does from its begin to its end, with what starts
// goroutines that Run waits for.
type life func(ctx context.Context, start func(func()))

// started is the answer to Create.
type started struct {
	session *Session
	err     error
}

// Create begins a session and returns when its film is open; its picture is being
// made from then on. Errors are a RefusedError, ErrDraining, ErrRequest,
// ErrNoStream, the Starter's, or ctx's.
func (m *Manager) Create(ctx context.Context, request Request) (*Session, error) {
	if err := request.check(); err != nil {
		return nil, err
	}
	if m.refusing.Load() {
		return nil, ErrDraining
	}
	result := make(chan started)
	live := func(run context.Context, start func(func())) { m.live(run, ctx, start, request, result) }
	select {
	case m.work <- live:
	case <-m.draining:
		return nil, ErrDraining
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case r := <-result:
		return r.session, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// live is the whole life of a session, from its place in the ledger to its end.
// Until the client has the session, the end of the client's context ends it.
func (m *Manager) live(ctx, client context.Context, start func(func()), request Request, result chan<- started) {
	opening, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	detach := context.AfterFunc(client, func() { cancel(context.Cause(client)) })
	s, err := m.open(opening, start, request)
	detach()
	if err != nil {
		if ctx.Err() != nil {
			err = ErrDraining
		}
		select {
		case result <- started{err: err}:
		case <-client.Done():
		}
		return
	}
	m.add(s)
	select {
	case result <- started{session: s}:
	case <-client.Done():
		s.End(CauseClient)
	}
	s.run(ctx)
}

// open returns a session whose film is open and which has its place in the
// ledger, or leaves nothing.
func (m *Manager) open(ctx context.Context, start func(func()), request Request) (_ *Session, err error) {
	ticket, err := m.ledger.reserve(time.Now())
	if err != nil {
		return nil, m.refuse(err)
	}
	defer func() {
		if err != nil {
			ticket.release()
		}
	}()
	s := m.session(request, ticket)
	settings := request.Settings
	job := Job{Session: s.id, Go: start, Open: wire.Open{
		Upscale: settings.upscale(), Video: settings.video(), Segment: m.options.Segment, Burn: settings.Burn,
	}}
	worker, film, err := m.options.Starter.Start(ctx, request.Source, job, handler{s})
	if err != nil {
		return nil, err
	}
	if err = ticket.book(film.Cost, time.Now()); err != nil {
		err = m.refuse(err)
	} else {
		err = s.attach(worker, &film, m.options.ReadAhead)
	}
	if err != nil {
		_ = worker.Close(context.WithoutCancel(ctx)) // which is bounded by itself
		return nil, err
	}
	s.log.Info("session started", "container", film.Container, "duration", film.Duration,
		"size", film.Video.Size, "model", settings.Model, "core_ms", film.Cost.CoreMS)
	return s, nil
}

// session returns a session that has no film yet.
func (m *Manager) session(request Request, ticket *ticket) *Session {
	id, now := strings.ToLower(rand.Text()), time.Now()
	return &Session{
		id: id, request: request, created: now,
		cache: m.options.Cache, hub: &m.hub, hooks: m.options.Hooks, log: m.options.Log.With("session", id),
		patience: m.options.Wait, idle: m.options.Idle, memory: m.options.Memory, scale: m.options.Scale, cost: m.options.Cost, ticket: ticket,
		ending: make(chan struct{}), ended: make(chan struct{}), setting: make(chan struct{}, 1),
		state: StateStarting, settings: request.Settings, touched: now, position: position{at: request.Start}, runs: map[uint32]*run{},
		warned: map[string]time.Time{},
	}
}

// refuse counts a refusal.
func (m *Manager) refuse(err error) error {
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		m.options.Hooks.Refused(refused.Reason)
	}
	return err
}

// add makes a session known.
func (m *Manager) add(s *Session) {
	m.options.Hooks.Started()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[s.id] = s
}

// Drain has Create refuse sessions with ErrDraining; those that there are go on.
func (m *Manager) Drain() { m.refusing.Store(true) }

// Draining reports whether Drain was called.
func (m *Manager) Draining() bool { return m.refusing.Load() }

// Get returns a session, also one that ended a short time ago. The error is
// ErrNotFound.
func (m *Manager) Get(id string) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[id]; s != nil {
		return s, nil
	}
	return nil, ErrNotFound
}

// List returns the sessions in the order of their begin, those that ended a short
// time ago among them.
func (m *Manager) List() []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Session) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	return all
}

// Delete ends a session and returns when its worker is gone. One that has ended
// already is left as it is. Errors are ErrNotFound and ctx's.
func (m *Manager) Delete(ctx context.Context, id string) error {
	s, err := m.Get(id)
	if err != nil {
		return err
	}
	s.End(CauseClient)
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Subscribe returns the events that wants returns true for, from now on. It must
// be quick and call nothing of this package.
func (m *Manager) Subscribe(wants func(Event) bool) *Subscription { return m.hub.subscribe(wants) }

// States counts the sessions by state.
func (m *Manager) States() map[State]int {
	states := map[State]int{}
	for _, s := range m.List() {
		states[s.State()]++
	}
	return states
}

// Load returns what the sessions take of the machine, in ms of the processor's
// cores and of the GPU in each second.
func (m *Manager) Load() (core, gpu float64) { return m.ledger.load() }

// sweep forgets sessions that ended long ago.
func (m *Manager) sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var over []*Session
	for _, s := range m.sessions {
		if !s.finishedAt().IsZero() {
			over = append(over, s)
		}
	}
	slices.SortFunc(over, func(a, b *Session) int { return b.finishedAt().Compare(a.finishedAt()) })
	for i, s := range over {
		if i >= rememberMax || now.Sub(s.finishedAt()) >= rememberFor {
			delete(m.sessions, s.id)
		}
	}
}
