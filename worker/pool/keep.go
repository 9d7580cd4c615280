package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// hopeless is after how many failed starts in a row nobody is let wait any more.
const hopeless = 2

// keep starts what is missing until ctx ends.
func (p *Pool) keep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		missing, again := p.missing(time.Now())
		for range missing {
			p.all.Go(func() { p.start(ctx) })
		}
		timer.Reset(again)
	}
}

// missing returns how many workers are to be started, counting them as starting,
// and after what time to look again.
func (p *Pool) missing(now time.Time) (count int, again time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.nextTry.Sub(now); p.failures > 0 && wait > 0 {
		return 0, wait
	}
	wanted, again := len(p.waiting), time.Hour
	if wait := p.nextWarm.Sub(now); wait > 0 {
		again = wait
	} else {
		wanted += p.o.Spare
	}
	count = max(0, wanted-p.starting-len(p.spares))
	p.starting += count
	return count, again
}

// start starts a worker and stays with it until it is gone.
func (p *Pool) start(ctx context.Context) {
	w, err := p.launch(ctx)
	if err != nil {
		p.failed(err)
		return
	}
	p.deliver(w)
	err = w.serve()
	p.remove(w, err)
	h, log := w.leave()
	report(log, err)
	if h != nil {
		h.Gone(err)
	}
	close(w.done)
}

// launch starts a process and greets it.
func (p *Pool) launch(ctx context.Context) (*Worker, error) {
	process, err := spawn(ctx, p.starter, &p.o)
	if err != nil {
		return nil, &GoneError{Reason: ReasonStart, Status: -1, Cause: err}
	}
	w := newWorker(&p.o, process)
	p.all.Go(process.wait)
	p.all.Go(func() {
		defer close(w.quiet)
		w.words.copy(process.stderr)
	})
	err = w.greet(ctx)
	if err == nil {
		return w, nil
	}
	if ctx.Err() != nil {
		err = ErrEnded
	}
	w.end(err)
	w.stop()
	return nil, w.bury()
}

// failed counts a start that failed, and tells who waits when there is no hope.
func (p *Pool) failed(err error) {
	report(p.o.Log, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	p.lose(err)
	p.setBack(err)
	p.look()
}

// setBack notes a start that failed. The caller holds mu.
func (p *Pool) setBack(err error) {
	p.failures++
	p.failure = err
	p.nextTry = time.Now().Add(pause(p.failures))
	if p.failures < hopeless || p.starting > 0 {
		return // another may come
	}
	for _, waits := range p.waiting {
		waits <- taken{err: p.noWorker()}
	}
	p.waiting = nil
}

// lose counts a worker that was not closed. The caller holds mu.
func (p *Pool) lose(err error) {
	if gone, ok := errors.AsType[*GoneError](err); ok && gone.Reason != ReasonStopped {
		p.lost[gone.Reason]++
	}
}

// deliver gives a worker that was greeted to who waits, or makes it a spare.
func (p *Pool) deliver(w *Worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	p.started++
	p.hello = w.hello
	p.workers[w] = struct{}{}
	switch {
	case p.ended:
		w.end(ErrEnded)
	case len(p.waiting) > 0:
		p.waiting[0] <- taken{worker: w}
		p.waiting = p.waiting[1:]
	default:
		p.spares = append(p.spares, w)
	}
}

// remove forgets a worker that is gone. One that nobody had taken, and that ended
// soon, is a start that failed.
func (p *Pool) remove(w *Worker, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.workers, w)
	p.spares = slices.DeleteFunc(p.spares, func(spare *Worker) bool { return spare == w })
	p.lose(err)
	if w.owner() == nil && !p.ended {
		if time.Since(w.ready) >= steady {
			p.failures = 0
		}
		p.setBack(fmt.Errorf("spare: %w", err))
	}
	p.look()
}
