package source

import (
	"container/list"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
)

// What a remote film may hold and have open.
const (
	blockBytes = 256 << 10
	maxBlocks  = 128 // 32 MiB; when more are there, those used longest ago go
	fetchers   = 4   // video, sound, text, and one to look about
	nearby     = 4   // blocks that a fetcher reads through rather than that another asks anew
	maxAhead   = 16  // blocks that are read before they are wanted
)

// remote is a film on an HTTP server, as blocks that all its readers share.
type remote struct {
	client *client
	log    *slog.Logger
	size   int64

	mu       sync.Mutex
	blocks   map[int64]*block // guarded by mu: those that are there and those that are wanted
	recent   list.List        // guarded by mu: those that are there, the one used last in front
	fetchers [fetchers]*fetcher
	queue    []*block // guarded by mu: wanted, and every fetcher has others to get; as long as there are reads
	turns    int64    // guarded by mu: how often a fetcher was given work
	err      error    // guarded by mu: why nothing is fetched any more
}

// block is a part of the film, of blockBytes but at the end.
type block struct {
	index int64
	owner *fetcher // guarded by remote.mu: who fetches it, nil while it is queued
	place *list.Element
	// Once done is closed the others do not change.
	done chan struct{}
	data []byte
	err  error
}

// openRemote asks for the film's first block. What that tells of it holds for all
// that is asked later.
func openRemote(ctx context.Context, c *client, log *slog.Logger) (*remote, error) {
	r := &remote{client: c, log: log, blocks: make(map[int64]*block)}
	for i := range r.fetchers {
		r.fetchers[i] = &fetcher{remote: r, next: -1, wanted: -1, until: -1, wake: make(chan struct{}, 1)}
	}
	var data []byte
	err := c.limits.try(ctx, func(ctx context.Context) error {
		p, err := c.get(ctx, 0, blockBytes-1)
		if err != nil {
			return err
		}
		defer p.close()
		data = make([]byte, min(blockBytes, p.identity.size))
		n, err := p.read(ctx, data, c.limits.Idle)
		if err == nil && n < len(data) {
			return fail(CodeNotSeekable, nil, "the server of %q sends less than it was asked for", c.name)
		}
		c.known, r.size = &p.identity, p.identity.size
		return err
	})
	if err != nil {
		return nil, err
	}
	first := &block{done: make(chan struct{}), data: data}
	close(first.done)
	first.place = r.recent.PushFront(first)
	r.blocks[0] = first
	return r, nil
}

// Size returns the film's length in bytes.
func (r *remote) Size() int64 { return r.size }

// ReadAtContext implements ranges.Film. It waits for run to run.
func (r *remote) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 || off > r.size-int64(len(p)) {
		return 0, io.ErrUnexpectedEOF
	}
	for n := 0; n < len(p); {
		at := off + int64(n)
		b := r.want(at / blockBytes)
		select {
		case <-b.done:
		case <-ctx.Done():
			return n, context.Cause(ctx)
		}
		if b.err != nil {
			return n, b.err
		}
		n += copy(p[n:], b.data[at%blockBytes:])
	}
	return len(p), nil
}

// run fetches until ctx ends. All reads fail then, now and later.
func (r *remote) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, f := range r.fetchers {
		all.Go(func() { f.run(ctx) })
	}
	all.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(ErrClosed)
}

// want returns a block that is there or will be.
func (r *remote) want(index int64) *block {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.blocks[index]
	if r.err != nil {
		b = &block{done: make(chan struct{}), err: r.err}
		close(b.done)
		return b
	}
	switch {
	case b == nil:
		b = &block{index: index, done: make(chan struct{})}
		r.blocks[index] = b
		r.assign(b)
	case b.place != nil:
		r.recent.MoveToFront(b.place)
	}
	for _, f := range r.fetchers {
		f.follow(index)
	}
	return b
}

// assign gives a block to a fetcher: to one that will come to it soon, else to
// the idle one that was so longest, else to the first that has nothing left to
// do. r.mu is held.
func (r *remote) assign(b *block) {
	var idle *fetcher
	for _, f := range r.fetchers {
		if f.next >= 0 && f.next <= b.index && b.index-f.next <= nearby {
			f.extend(b)
			return
		}
		if !f.busy && f.next >= f.until && (idle == nil || f.turn < idle.turn) {
			idle = f
		}
	}
	if idle == nil {
		r.queue = append(r.queue, b)
		return
	}
	idle.begin(b)
}

// finish takes what a fetcher got for a block, or why it got nothing; then what
// else it was to get fails as well, and will be asked for anew by who still wants
// it.
func (r *remote) finish(f *fetcher, b *block, data []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.busy = false
	if r.err != nil {
		return // b has failed with it
	}
	if err == nil {
		f.next++
		b.data = data
		b.place = r.recent.PushFront(b)
		close(b.done)
		for r.recent.Len() > maxBlocks {
			oldest := r.recent.Back()
			delete(r.blocks, r.recent.Remove(oldest).(*block).index)
		}
		return
	}
	f.next, f.wanted, f.until = -1, -1, -1
	for _, given := range r.blocks {
		if given.owner == f && given.place == nil {
			r.fail(given, err)
		}
	}
	if CodeOf(err) == CodeChanged {
		r.end(err)
	}
}

// end fails every read, now and later. r.mu is held.
func (r *remote) end(err error) {
	if r.err != nil {
		return
	}
	r.err = err
	r.queue = nil
	for _, b := range r.blocks {
		if b.place == nil {
			r.fail(b, err)
		}
	}
	clear(r.blocks)
	r.recent.Init()
}

// fail ends the wait for a block. r.mu is held.
func (r *remote) fail(b *block, err error) {
	b.err = err
	close(b.done)
	delete(r.blocks, b.index)
}

// take returns the next block for a fetcher to get, nil when there is nothing to
// do for it.
func (r *remote) take(f *fetcher) *block {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil
	}
	if f.next >= f.wanted && len(r.queue) > 0 {
		f.begin(r.queue[0])
	}
	for ; f.next < f.until; f.next++ {
		b := r.blocks[f.next]
		switch {
		case b == nil: // ahead of its readers
			b = &block{index: f.next, done: make(chan struct{})}
			r.blocks[f.next] = b
		case b.place != nil || b.owner != nil && b.owner != f:
			continue
		}
		b.owner = f
		r.unqueue(b)
		f.busy = true
		return b
	}
	return nil
}

// unqueue takes a block out of the queue if it is there. r.mu is held.
func (r *remote) unqueue(b *block) {
	if at := slices.Index(r.queue, b); at >= 0 {
		r.queue = slices.Delete(r.queue, at, at+1)
	}
}
