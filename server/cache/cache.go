package cache

import (
	"container/list"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// rest is how long the disk is left alone after an error of writing.
const rest = 5 * time.Second

// Key names a segment.
type Key struct {
	Session    string
	Rendition  string
	Generation int
	Segment    int
}

// Options say where a cache lies and how large it may become.
type Options struct {
	Folder string       // made where it is missing
	Disk   int64        // most bytes of files, 0: none are written
	Memory int64        // most bytes in memory; the segment put last stays even where it is larger
	Log    *slog.Logger // nil: none
}

// Stats are a cache's figures; all but the first three only grow.
type Stats struct {
	Memory, Disk int64 // bytes held
	Segments     int
	Hits, Misses int64
	Evicted      int64 // segments that were removed for room on the disk
	Lost         int64 // segments that left memory before they could be written
	WriteErrors  int64
	ReadErrors   int64
}

// disk is where segments go that are not hot. Its methods may run at once for
// different files. *folder is the real one.
type disk interface {
	write(n uint64, data []byte) error
	read(n uint64, size int) ([]byte, error)
	remove(n uint64) error
	close() error
}

// Cache keeps segments in memory and on disk. Make it with New, Run it, Close it.
type Cache struct {
	options Options
	disk    disk
	look    chan struct{} // has one when Run is to look; a full one need not be fuller

	mu       sync.Mutex
	closed   bool                       // guarded by mu
	entries  map[Key]*entry             // guarded by mu
	sessions map[string]map[*entry]bool // guarded by mu
	memory   *list.List                 // of *entry with data, hottest first; guarded by mu
	files    *list.List                 // of *entry without, hottest first; guarded by mu
	next     uint64                     // number of the next file; guarded by mu
	waste    []uint64                   // files that Run is to remove; guarded by mu
	stats    Stats                      // guarded by mu
	failing  bool                       // the last write failed; guarded by mu
}

// entry is a segment, which lies either in memory or in a file.
type entry struct {
	key  Key
	size int
	data []byte // nil: in file
	file uint64
	at   *list.Element // in Cache.memory or Cache.files
}

// New opens a cache and empties its folder. Errors wrap ErrLocked, ErrForeign or
// are the system's.
func New(options Options) (*Cache, error) {
	if options.Memory < 0 || options.Disk < 0 {
		return nil, fmt.Errorf("cache of %d bytes on disk and %d in memory", options.Disk, options.Memory)
	}
	folder, err := openFolder(options.Folder)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return newOn(folder, options), nil
}

func newOn(disk disk, options Options) *Cache {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Cache{
		options: options, disk: disk, look: make(chan struct{}, 1),
		entries: map[Key]*entry{}, sessions: map[string]map[*entry]bool{},
		memory: list.New(), files: list.New(),
	}
}

// Put keeps data, which the cache owns from then on, in place of what the key had.
func (c *Cache) Put(key Key, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if old := c.entries[key]; old != nil {
		c.forget(old)
	}
	e := &entry{key: key, size: len(data), data: data}
	e.at = c.memory.PushFront(e)
	c.entries[key] = e
	if c.sessions[key.Session] == nil {
		c.sessions[key.Session] = map[*entry]bool{}
	}
	c.sessions[key.Session][e] = true
	c.stats.Memory += int64(e.size)
	for c.stats.Memory > c.options.Memory && c.memory.Len() > 1 {
		c.stats.Lost++
		c.forget(c.memory.Back().Value.(*entry))
	}
	if c.stats.Memory > c.options.Memory/2 {
		c.wake()
	}
}

// Get returns a segment, which must not be written to.
func (c *Cache) Get(key Key) ([]byte, bool) {
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		c.stats.Misses++
		c.mu.Unlock()
		return nil, false
	}
	if e.data != nil {
		c.memory.MoveToFront(e.at)
		c.stats.Hits++
		data := e.data
		c.mu.Unlock()
		return data, true
	}
	c.files.MoveToFront(e.at)
	c.mu.Unlock()
	return c.fetch(e)
}

// fetch reads a segment's file. The file of an entry never changes, but it may be
// removed while it is looked for.
func (c *Cache) fetch(e *entry) ([]byte, bool) {
	data, err := c.disk.read(e.file, e.size)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.stats.Hits++
	case c.entries[e.key] == e:
		c.stats.ReadErrors++
		c.forget(e)
		c.options.Log.Warn("cached segment is unreadable", "error", err)
		fallthrough
	default:
		c.stats.Misses++
	}
	return data, err == nil
}

// Has reports whether a segment is kept, without counting it as used.
func (c *Cache) Has(key Key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key] != nil
}

// Drop lets a segment go, if it is there.
func (c *Cache) Drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		c.forget(e)
	}
}

// DropSession lets all segments of a session go; it must put no more.
func (c *Cache) DropSession(session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range c.sessions[session] {
		c.forget(e)
	}
}

// Stats returns the figures of now.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Segments = len(c.entries)
	return s
}

// Failing reports whether the disk could not be written to when it was tried last.
func (c *Cache) Failing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing
}

// Close empties the cache and lets its folder go. Run must have returned. A second
// call does nothing.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	clear(c.entries)
	clear(c.sessions)
	c.memory.Init()
	c.files.Init()
	c.stats.Memory, c.stats.Disk, c.waste = 0, 0, nil
	if err := c.disk.close(); err != nil {
		return fmt.Errorf("close cache: %w", err)
	}
	return nil
}

// forget takes an entry out of all tables, and has its file removed if it has one.
// The caller holds mu.
func (c *Cache) forget(e *entry) {
	delete(c.entries, e.key)
	delete(c.sessions[e.key.Session], e)
	if len(c.sessions[e.key.Session]) == 0 {
		delete(c.sessions, e.key.Session)
	}
	if e.data != nil {
		c.memory.Remove(e.at)
		c.stats.Memory -= int64(e.size)
		return
	}
	c.files.Remove(e.at)
	c.stats.Disk -= int64(e.size)
	c.waste = append(c.waste, e.file)
	c.wake()
}

// wake has Run look what there is to do.
func (c *Cache) wake() {
	select {
	case c.look <- struct{}{}:
	default:
	}
}
