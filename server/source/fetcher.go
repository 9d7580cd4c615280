package source

import (
	"context"
	"time"
)

// idleConnection is for how long a connection that nobody reads from is kept: a
// film that is paused holds none.
const idleConnection = 30 * time.Second

// fetcher gets blocks one after the other, from one answer while that lasts.
type fetcher struct {
	remote *remote
	part   *part         // of its goroutine alone; nil for none
	wake   chan struct{} // holds one value when there may be work

	// Guarded by remote.mu. Blocks before wanted are waited for, those from there
	// to until are read ahead of readers.
	next   int64 // block that is got, or will be; -1 when it stands nowhere
	wanted int64
	until  int64
	last   int64 // block that was wanted last by those whom it reads ahead for
	ahead  int64 // blocks that it reads ahead
	busy   bool  // with next
	turn   int64 // when it was last given work
}

// begin has the fetcher start at a block, on its own. remote.mu is held.
func (f *fetcher) begin(b *block) {
	f.next, f.wanted, f.until, f.last, f.ahead = b.index, b.index, b.index, b.index, 0
	f.remote.unqueue(b)
	f.extend(b)
}

// extend has the fetcher read on to a block. remote.mu is held.
func (f *fetcher) extend(b *block) {
	b.owner = f
	f.wanted = max(f.wanted, b.index+1)
	f.until = max(f.until, f.wanted)
	f.remote.turns++
	f.turn = f.remote.turns
	f.rouse()
}

// follow has the fetcher read further ahead when a reader goes on: when a block
// is wanted that it got, or gets, and that lies behind the last such. remote.mu is
// held.
func (f *fetcher) follow(wanted int64) {
	if f.next < 0 || wanted <= f.last || wanted >= f.until {
		return
	}
	f.last = wanted
	f.ahead = min(max(1, 2*f.ahead), maxAhead)
	blocks := (f.remote.size + blockBytes - 1) / blockBytes
	if until := min(wanted+1+f.ahead, blocks); until > f.until {
		f.until = until
		f.rouse()
	}
}

// rouse wakes the fetcher's goroutine if it waits.
func (f *fetcher) rouse() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run gets what is wanted until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	defer f.hangUp()
	idle := time.NewTimer(idleConnection)
	defer idle.Stop()
	for {
		if b := f.remote.take(f); b != nil {
			data, err := f.get(ctx, b.index)
			f.remote.finish(f, b, data, err)
			idle.Reset(idleConnection)
			continue
		}
		select {
		case <-f.wake:
		case <-idle.C:
			f.hangUp()
		case <-ctx.Done():
			return
		}
	}
}

// get returns the bytes of a block. What a try has got is kept by the next.
func (f *fetcher) get(ctx context.Context, index int64) ([]byte, error) {
	from := index * blockBytes
	data := make([]byte, min(blockBytes, f.remote.size-from))
	n := 0
	err := f.remote.client.limits.try(ctx, func(ctx context.Context) error {
		m, err := f.fill(ctx, data[n:], from+int64(n))
		n += m
		if err != nil {
			f.hangUp()
			if ctx.Err() == nil {
				f.remote.log.Warn("source failed to give a block", "source", f.remote.client.name, "offset", from+int64(n), "error", err)
			}
		}
		return err
	})
	return data, err
}

// fill reads from an offset on, with the answer that it has if that is at it, or
// near enough before it.
func (f *fetcher) fill(ctx context.Context, b []byte, from int64) (int, error) {
	c := f.remote.client
	if p := f.part; p != nil && (p.at > from || from-p.at > nearby*blockBytes || p.end <= from) {
		f.hangUp()
	}
	if f.part == nil {
		p, err := c.get(ctx, from, -1)
		if err != nil {
			return 0, err
		}
		f.part = p
	}
	if err := f.part.skip(ctx, from, c.limits.Idle); err != nil {
		return 0, err
	}
	n, err := f.part.read(ctx, b, c.limits.Idle)
	if err == nil && n < len(b) {
		short := fail(CodeUnreachable, nil, "the server of %q sends less than it was asked for", c.name)
		short.again = true
		return n, short
	}
	return n, err
}

// hangUp closes the answer.
func (f *fetcher) hangUp() {
	if f.part != nil {
		f.part.close()
		f.part = nil
	}
}
