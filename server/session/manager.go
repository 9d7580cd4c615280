package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

	work     chan lifetime // that Run is to start
	draining chan struct{} // closed when Run's context has ended
	refusing atomic.Bool   // set by Drain

	mu       sync.Mutex
	sessions map[string]Entry // guarded by mu
	over     bool             // guarded by mu: Run has ended all
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
		work: make(chan lifetime), draining: make(chan struct{}), sessions: map[string]Entry{},
	}, nil
}

// Run plays sessions until ctx ends, then takes no more, ends all and returns when
// the last has ended. It may be called once.
func (m *Manager) Run(ctx context.Context) error {
	defer m.endAll()
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

// endAll ends what others run, and waits for it.
func (m *Manager) endAll() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	for _, e := range m.List() {
		e.End(CauseShutdown)
	}
	for _, e := range m.List() {
		<-e.Ended()
	}
}

// lifetime is what a session does from its begin to its end, with what starts
// goroutines that Run waits for.
type lifetime func(ctx context.Context, start func(func()))

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
	if !m.add(s) {
		s.End(CauseShutdown)
	}
	s.ticket.list()
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
	ticket, err := m.ledger.reserve(time.Now(), false)
	if err != nil {
		return nil, m.Refuse(err)
	}
	defer func() {
		if err != nil {
			ticket.release()
		}
	}()
	s := m.session(request, ticket)
	settings := request.Settings
	job := Job{Session: s.id, Go: start, Open: wire.Open{
		Upscale: settings.upscale(), Video: settings.video(), Segment: m.options.Segment, Burn: settings.Burn, Sound: request.Sound,
	}}
	worker, film, err := m.options.Starter.Start(ctx, request.Source, job, handler{s})
	if err != nil {
		return nil, err
	}
	if err = ticket.book(film.Cost, time.Now()); err != nil {
		err = m.Refuse(err)
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
	s := &Session{
		Life:    m.life(About{Kind: KindPlayback, Owner: request.Owner, Source: request.Source, Settings: request.Settings}, ticket),
		request: request, cache: m.options.Cache,
		patience: m.options.Wait, idle: m.options.Idle, scale: m.options.Scale, cost: m.options.Cost,
		setting: make(chan struct{}, 1), sought: make(chan struct{}), touched: time.Now(), position: position{at: request.Start}, runs: map[uint32]*run{},
	}
	s.view = s.watched
	return s
}

// life returns a life that nobody knows of yet.
func (m *Manager) life(about About, ticket *ticket) Life {
	id := strings.ToLower(rand.Text())
	return Life{
		id: id, about: about, created: time.Now(), hub: &m.hub, hooks: m.options.Hooks, log: m.options.Log.With("session", id),
		memory: m.options.Memory, ticket: ticket, ending: make(chan struct{}), ended: make(chan struct{}),
		state: StateStarting, settings: about.Settings, warned: map[string]time.Time{},
	}
}

// Begin takes a place in the ledger for a session that is no playback, and makes it
// known. Whoever began it runs it: ends what it does when Ending is closed, and calls
// Conclude when its worker is gone. Errors are a RefusedError, which may be waited
// for, so that Refuse is told only of one that a client gets, and ErrDraining.
func (m *Manager) Begin(about About) (*Life, error) {
	if m.refusing.Load() {
		return nil, ErrDraining
	}
	ticket, err := m.ledger.reserve(time.Now(), about.Kind == KindJob)
	if err != nil {
		return nil, err
	}
	l := m.life(about, ticket)
	l.film = &wire.Opened{}
	if !m.add(&l) {
		ticket.release()
		return nil, ErrDraining
	}
	ticket.list()
	l.log.Info("session started", "kind", about.Kind, "model", about.Settings.Model)
	return &l, nil
}

// Represent has the Manager list a session in place of the Life that it is built on.
func (m *Manager) Represent(e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[e.ID()] != nil {
		m.sessions[e.ID()] = e
	}
}

// Freed returns a channel that is closed when the next session gives back its place,
// or some of what it had booked.
func (m *Manager) Freed() <-chan struct{} { return m.ledger.freed() }

// Crowded reports whether jobs have places, or time of the machine, that were given
// to sessions of other kinds since: those are admitted as if there were no jobs.
func (m *Manager) Crowded() bool { return m.ledger.crowded() }

// Opening counts the sessions of other kinds than jobs that have a place and are not
// in List yet: their films are being opened.
func (m *Manager) Opening() int { return m.ledger.opening() }

// Moved returns a channel that is closed when a place is taken or given back next, or
// anything else is booked.
func (m *Manager) Moved() <-chan struct{} { return m.ledger.moves() }

// Refuse counts an error that a client gets, where it is a RefusedError, and returns
// it.
func (m *Manager) Refuse(err error) error {
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		m.options.Hooks.Refused(refused.Reason)
	}
	return err
}

// add makes a session known, and reports whether it may begin at all.
func (m *Manager) add(e Entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return false
	}
	m.options.Hooks.Started()
	m.sessions[e.ID()] = e
	return true
}

// Drain has Create refuse sessions with ErrDraining; those that there are go on.
func (m *Manager) Drain() { m.refusing.Store(true) }

// Draining reports whether Drain was called.
func (m *Manager) Draining() bool { return m.refusing.Load() }

// Find returns a session of any kind, also one that ended a short time ago. The error
// is ErrNotFound.
func (m *Manager) Find(id string) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.sessions[id]; e != nil {
		return e, nil
	}
	return nil, ErrNotFound
}

// Get returns a playback, also one that ended a short time ago. Errors are
// ErrNotFound, and ErrKind for a session of another kind.
func (m *Manager) Get(id string) (*Session, error) {
	e, err := m.Find(id)
	if err != nil {
		return nil, err
	}
	if s, ok := e.(*Session); ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w: it is a %s", ErrKind, e.Kind())
}

// List returns the sessions in the order of their begin, those that ended a short
// time ago among them.
func (m *Manager) List() []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Collect(maps.Values(m.sessions))
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Created().Compare(b.Created()), cmp.Compare(a.ID(), b.ID()))
	})
	return all
}

// Delete ends a session and returns when its worker is gone. One that has ended
// already is left as it is. Errors are ErrNotFound and ctx's.
func (m *Manager) Delete(ctx context.Context, id string) error {
	e, err := m.Find(id)
	if err != nil {
		return err
	}
	e.End(CauseClient)
	select {
	case <-e.Ended():
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
	var over []Entry
	for _, s := range m.sessions {
		if !s.finishedAt().IsZero() {
			over = append(over, s)
		}
	}
	slices.SortFunc(over, func(a, b Entry) int { return b.finishedAt().Compare(a.finishedAt()) })
	for i, s := range over {
		if i >= rememberMax || now.Sub(s.finishedAt()) >= rememberFor {
			delete(m.sessions, s.ID())
		}
	}
}
