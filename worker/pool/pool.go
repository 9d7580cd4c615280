package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Pool keeps workers.
type Pool struct {
	o       Options
	starter *starter
	wake    chan struct{}  // holds one: keep is to look again
	all     sync.WaitGroup // goroutines of workers

	mu       sync.Mutex
	ended    bool                 // guarded by mu, as all below
	spares   []*Worker            // the oldest first
	waiting  []chan<- taken       // Takes, the oldest first; each takes one
	workers  map[*Worker]struct{} // that were greeted and are not gone
	starting int
	failures int       // of starts in a row
	failure  error     // of the last of them
	nextTry  time.Time // of a start after a failure
	nextWarm time.Time // of the start of a spare after a Take
	lost     map[Reason]int64
	started  int64
	hello    wire.Hello // of the worker that was greeted last
}

// taken answers a Take.
type taken struct {
	worker *Worker
	err    error
}

// New checks the options; it starts nothing.
func New(o Options) (*Pool, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	return &Pool{
		o: o, starter: newStarter(), wake: make(chan struct{}, 1),
		workers: map[*Worker]struct{}{}, lost: map[Reason]int64{},
	}, nil
}

// Run keeps the spares until ctx ends, and then ends every worker. It may be
// called once. The error is ErrSurvivor, or says what the system refuses.
func (p *Pool) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	started := make(chan error, 1)
	go func() {
		err := p.starter.run()
		if err != nil {
			cancel(err)
		}
		started <- err
	}()
	p.keep(ctx)
	p.finish()
	gone := make(chan struct{})
	go func() {
		p.all.Wait()
		close(gone)
	}()
	// Each worker's end is bounded; a handler's Gone may take as long again.
	if !await(gone, 2*(p.o.Stop+reaping+lastWords)) {
		return ErrSurvivor
	}
	close(p.starter.end)
	return <-started
}

// Take returns a spare, or else a worker that is started for it. Session names
// the session in the log. Handler is told what the worker sends; Gone will be
// called, and Close must be. Errors are ErrNoWorker with the reason, ErrEnded, and
// ctx's cause.
func (p *Pool) Take(ctx context.Context, session string, h Handler) (*Worker, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.Take, fmt.Errorf("%w in time", ErrNoWorker))
	defer cancel()
	for {
		w, err := p.next(ctx)
		if err != nil {
			return nil, err
		}
		if w.take(session, h) {
			p.handedOut()
			return w, nil
		}
	}
}

// next returns a worker that nobody else has. It may have died since.
func (p *Pool) next(ctx context.Context) (*Worker, error) {
	answer, err := p.queue()
	if err != nil {
		return nil, err
	}
	select {
	case t := <-answer:
		return t.worker, t.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, waits := range p.waiting {
		if waits == answer {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			return nil, context.Cause(ctx)
		}
	}
	t := <-answer // it came at the same time
	return t.worker, t.err
}

// queue returns where the next worker comes, at once if there is a spare.
func (p *Pool) queue() (chan taken, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := make(chan taken, 1)
	switch {
	case p.ended:
		return nil, ErrEnded
	case len(p.spares) > 0:
		answer <- taken{worker: p.spares[0]}
		p.spares = p.spares[1:]
	case p.failures >= hopeless && time.Now().Before(p.nextTry):
		return nil, p.noWorker()
	default:
		p.waiting = append(p.waiting, answer)
		p.look()
	}
	return answer, nil
}

// handedOut notes that a worker went to a session.
func (p *Pool) handedOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures = 0
	p.nextWarm = time.Now().Add(p.o.Rest)
	p.look()
}

// noWorker is the error of a Take. The caller holds mu.
func (p *Pool) noWorker() error { return fmt.Errorf("%w: %w", ErrNoWorker, p.failure) }

// look has keep look again.
func (p *Pool) look() {
	select {
	case p.wake <- struct{}{}:
	default: // it will
	}
}

// finish ends every worker and everybody who waits for one.
func (p *Pool) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, waits := range p.waiting {
		waits <- taken{err: ErrEnded}
	}
	p.waiting, p.spares = nil, nil
	for w := range p.workers {
		w.end(ErrEnded)
	}
}

// Counts are figures of a pool.
type Counts struct {
	Spare    int
	Running  int // with a session
	Starting int
	Started  int64            // processes that said Hello, since the beginning
	Lost     map[Reason]int64 // workers that were not closed, since the beginning
}

// Counts returns the figures.
func (p *Pool) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Counts{
		Spare: len(p.spares), Running: len(p.workers) - len(p.spares), Starting: p.starting,
		Started: p.started, Lost: maps.Clone(p.lost),
	}
}

// Hello returns what the worker that started last runs on, and whether there was
// one.
func (p *Pool) Hello() (wire.Hello, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hello, p.started > 0
}

// Ready returns nil when Take can be expected to give a worker: there is a spare,
// or the last start went well. Errors are ErrEnded, ErrStarting, and ErrNoWorker with
// the reason.
func (p *Pool) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
		return ErrEnded
	case len(p.spares) > 0:
		return nil
	case p.failures > 0:
		return p.noWorker()
	case p.started == 0 && p.o.Spare > 0:
		return ErrStarting
	}
	return nil
}

// report logs the end of a worker.
func report(log *slog.Logger, err error) {
	gone, ok := errors.AsType[*GoneError](err)
	switch {
	case !ok:
		log.Debug("worker closed")
	case gone.Reason == ReasonStopped:
		log.Debug("worker stopped")
	default:
		log.Warn("worker lost", "reason", gone.Reason, "error", gone, "stderr", gone.Stderr)
	}
}
