package cache

import (
	"context"
	"time"
)

// Run moves the coldest segments to disk until ctx ends. It may be called once.
func (c *Cache) Run(ctx context.Context) error {
	if c.options.Disk == 0 {
		<-ctx.Done()
		return nil
	}
	for {
		wake, again := c.spill, (<-chan time.Time)(nil)
		if err := c.relieve(ctx); err != nil {
			c.options.Log.Warn("cache cannot write and leaves the disk alone", "error", err, "for", rest)
			wake, again = nil, time.After(rest)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-again:
		}
	}
}

// relieve writes until memory is at most half full.
func (c *Cache) relieve(ctx context.Context) error {
	for ctx.Err() == nil {
		e, data, n := c.coldest()
		if e == nil {
			return nil
		}
		err := c.disk.write(n, data)
		c.settle(e, n, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// coldest returns the segment that is to be written next and a file's number for
// it, nil where memory is not crowded.
func (c *Cache) coldest() (*entry, []byte, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.stats.Memory <= c.options.Memory/2 || c.memory.Len() == 0 {
		return nil, nil, 0
	}
	e := c.memory.Back().Value.(*entry)
	c.next++
	return e, e.data, c.next
}

// settle makes file n the place of e, or says why not, and removes what is too
// much on the disk then.
func (c *Cache) settle(e *entry, n uint64, err error) {
	c.mu.Lock()
	var gone []uint64
	c.failing = err != nil
	switch {
	case err != nil:
		c.stats.WriteErrors++
	case c.entries[e.key] != e: // let go meanwhile
		gone = append(gone, n)
	default:
		c.memory.Remove(e.at)
		c.stats.Memory -= int64(e.size)
		e.data, e.file = nil, n
		e.at = c.files.PushFront(e)
		c.stats.Disk += int64(e.size)
		for c.stats.Disk > c.options.Disk {
			c.stats.Evicted++
			gone = c.forget(c.files.Back().Value.(*entry), gone)
		}
	}
	c.mu.Unlock()
	c.unlink(gone)
}
