package cache

import (
	"context"
	"time"
)

// Run moves the coldest segments to disk, and removes the files of those that were let
// go, until ctx ends. It may be called once.
func (c *Cache) Run(ctx context.Context) error {
	if c.options.Disk == 0 {
		<-ctx.Done()
		return nil
	}
	for {
		wake, again := c.look, (<-chan time.Time)(nil)
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

// relieve writes until memory is at most half full. What is not wanted makes room
// first.
func (c *Cache) relieve(ctx context.Context) error {
	for ctx.Err() == nil {
		c.sweep()
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

// sweep removes the files of segments that were let go, outside the lock since a disk
// may take its time. One that stays is removed by Close or by the next New.
func (c *Cache) sweep() {
	c.mu.Lock()
	files := c.waste
	c.waste = nil
	c.mu.Unlock()
	for _, n := range files {
		if err := c.disk.remove(n); err != nil {
			c.options.Log.Warn("cached segment stays on disk", "error", err)
		}
	}
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

// settle makes file n the place of e, or says why not, and lets go what is too much
// on the disk then.
func (c *Cache) settle(e *entry, n uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing = err != nil
	switch {
	case err != nil:
		c.stats.WriteErrors++
	case c.entries[e.key] != e: // let go meanwhile
		c.waste = append(c.waste, n)
	default:
		c.memory.Remove(e.at)
		c.stats.Memory -= int64(e.size)
		e.data, e.file = nil, n
		e.at = c.files.PushFront(e)
		c.stats.Disk += int64(e.size)
		for c.stats.Disk > c.options.Disk {
			c.stats.Evicted++
			c.forget(c.files.Back().Value.(*entry))
		}
	}
}
