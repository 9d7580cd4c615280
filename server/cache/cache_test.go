package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func key(session string, segment int) Key {
	return Key{Session: session, Rendition: "video", Segment: segment}
}

// content is what tests keep under a key, so that a mix-up is seen.
func content(k Key, size int) []byte {
	return bytes.Repeat([]byte{byte(len(k.Session) + k.Segment + k.Generation)}, size)
}

// open returns a running cache on a folder of the test's own.
func open(t *testing.T, disk, memory int64) (*Cache, string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "cache")
	c, err := New(Options{Folder: folder, Disk: disk, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	return c, folder
}

// run runs a cache until the test ends and then closes it.
func run(t *testing.T, c *Cache) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func expect(t *testing.T, c *Cache, k Key, size int) {
	t.Helper()
	data, ok := c.Get(k)
	if !ok || !bytes.Equal(data, content(k, size)) {
		t.Fatalf("segment %v: there %v, %d bytes, want %d", k, ok, len(data), size)
	}
}

func TestColdSegmentsGoToDiskAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, folder := open(t, 1<<20, 1000)
		for i := range 50 {
			c.Put(key("a", i), content(key("a", i), 100))
			synctest.Wait()
		}
		s := c.Stats()
		if s.Segments != 50 || s.Memory != 500 || s.Disk != 4500 || s.Lost != 0 {
			t.Fatalf("stats %+v", s)
		}
		for i := range 50 {
			expect(t, c, key("a", i), 100)
		}
		if files := listing(t, folder); len(files) != 46 { // and the marker
			t.Fatalf("files %v", files)
		}
	})
}

func TestDiskCapRemovesTheColdest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, folder := open(t, 1000, 200)
		for i := range 20 {
			c.Put(key("a", i), content(key("a", i), 100))
			synctest.Wait()
			if i > 0 {
				expect(t, c, key("a", 0), 100) // stays since it is asked for
			}
		}
		s := c.Stats()
		if s.Disk != 1000 || s.Evicted != 9 || s.Segments != 11 {
			t.Fatalf("stats %+v", s)
		}
		if _, ok := c.Get(key("a", 1)); ok {
			t.Error("the coldest segment is still there")
		}
		if files := listing(t, folder); len(files) != 11 {
			t.Fatalf("files %v", files)
		}
	})
}

func TestPutReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, folder := open(t, 1000, 10)
		c.Put(key("a", 1), []byte("in a file"))
		synctest.Wait()
		c.Put(key("a", 1), []byte("new"))
		synctest.Wait()
		if data, ok := c.Get(key("a", 1)); !ok || string(data) != "new" {
			t.Fatalf("%q %v", data, ok)
		}
		if s := c.Stats(); s.Segments != 1 || s.Memory != 3 || s.Disk != 0 || len(listing(t, folder)) != 1 {
			t.Fatalf("stats %+v, files %v", s, listing(t, folder))
		}
	})
}

func TestDropSessionFreesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, folder := open(t, 1<<20, 300)
		for i := range 10 {
			c.Put(key("a", i), content(key("a", i), 100))
			c.Put(key("bb", i), content(key("bb", i), 100))
			synctest.Wait()
		}
		c.DropSession("a")
		synctest.Wait()
		s := c.Stats()
		if s.Segments != 10 || s.Memory+s.Disk != 1000 {
			t.Fatalf("stats %+v", s)
		}
		for i := range 10 {
			expect(t, c, key("bb", i), 100)
			if c.Has(key("a", i)) {
				t.Errorf("segment %d of the dropped session is there", i)
			}
		}
		if files := listing(t, folder); int64(len(files)-1)*100 != s.Disk {
			t.Fatalf("%d files, stats %+v", len(files)-1, s)
		}
	})
}

func TestFilesThatWereHarmedAreMisses(t *testing.T) {
	harm := map[string]func(path string) error{
		"removed":    os.Remove,
		"cut":        func(path string) error { return os.Truncate(path, 3) },
		"lengthened": func(path string) error { return os.Truncate(path, 300) },
	}
	for name, harm := range harm {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, folder := open(t, 1<<20, 10)
				c.Put(key("a", 0), content(key("a", 0), 100))
				synctest.Wait()
				if err := harm(filepath.Join(folder, "1.seg")); err != nil {
					t.Fatal(err)
				}
				if _, ok := c.Get(key("a", 0)); ok {
					t.Fatal("a harmed file was served")
				}
				s := c.Stats()
				if s.ReadErrors != 1 || s.Misses != 1 || s.Segments != 0 || s.Disk != 0 {
					t.Fatalf("stats %+v", s)
				}
			})
		})
	}
}

// full is a disk that has no room.
type full struct {
	disk
	broken atomic.Bool
	tries  atomic.Int64
}

func (f *full) write(n uint64, data []byte) error {
	f.tries.Add(1)
	if f.broken.Load() {
		return syscall.ENOSPC
	}
	return f.disk.write(n, data)
}

func TestFullDiskLeavesMemoryServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder, err := openFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		d := &full{disk: folder}
		d.broken.Store(true)
		c := newOn(d, Options{Disk: 1 << 20, Memory: 1000})
		run(t, c)
		for i := range 30 {
			c.Put(key("a", i), content(key("a", i), 100))
			synctest.Wait()
		}
		s := c.Stats()
		if s.Memory != 1000 || s.Lost != 20 || s.WriteErrors != 1 || d.tries.Load() != 1 {
			t.Fatalf("stats %+v, %d tries", s, d.tries.Load())
		}
		for i := 20; i < 30; i++ {
			expect(t, c, key("a", i), 100)
		}
		d.broken.Store(false)
		<-time.After(rest) // of synctest's clock
		synctest.Wait()
		if s := c.Stats(); s.Memory != 500 || s.Disk != 500 {
			t.Fatalf("the disk was not tried again: %+v", s)
		}
	})
}

// slow is a disk on which a write takes until it is let go on.
type slow struct {
	disk
	writing, release chan struct{}
}

func (d *slow) write(n uint64, data []byte) error {
	d.writing <- struct{}{}
	<-d.release
	return d.disk.write(n, data)
}

func TestSegmentDroppedWhileItIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		folder, err := openFolder(path)
		if err != nil {
			t.Fatal(err)
		}
		d := &slow{folder, make(chan struct{}), make(chan struct{})}
		c := newOn(d, Options{Disk: 1 << 20, Memory: 1})
		run(t, c)
		c.Put(key("a", 0), content(key("a", 0), 100))
		<-d.writing
		expect(t, c, key("a", 0), 100) // it can be had meanwhile
		c.DropSession("a")
		d.release <- struct{}{}
		synctest.Wait()
		if s := c.Stats(); s.Segments != 0 || s.Disk != 0 || s.Memory != 0 {
			t.Fatalf("stats %+v", s)
		}
		if files := listing(t, path); len(files) != 1 {
			t.Fatalf("files %v", files)
		}
	})
}

// stuck is a disk that removes nothing until it is let.
type stuck struct {
	disk
	release chan struct{}
}

func (d *stuck) remove(n uint64) error {
	<-d.release
	return d.disk.remove(n)
}

// TestNobodyWaitsForTheDiskToRemove lets segments go in every way there is: callers hold
// locks of their own meanwhile.
func TestNobodyWaitsForTheDiskToRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		folder, err := openFolder(path)
		if err != nil {
			t.Fatal(err)
		}
		d := &stuck{folder, make(chan struct{})}
		c := newOn(d, Options{Disk: 1 << 20, Memory: 1})
		run(t, c)
		for i := range 5 {
			c.Put(key("a", i), content(key("a", i), 100))
			synctest.Wait()
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Drop(key("a", 0))
			c.Put(key("a", 1), nil)
			c.DropSession("a")
		}()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("a caller waits for the disk")
		}
		close(d.release)
		synctest.Wait()
		if files := listing(t, path); len(files) != 1 { // the marker
			t.Errorf("files %v", files)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	c, _ := open(t, 20000, 2000)
	var all sync.WaitGroup
	for s := range 8 {
		all.Go(func() {
			session := fmt.Sprint("session", s)
			for i := range 400 {
				k := key(session, i%37)
				k.Generation = i % 3
				c.Put(k, content(k, 100))
				if data, ok := c.Get(k); ok && !bytes.Equal(data, content(k, 100)) {
					t.Errorf("%v has another's content", k)
				}
				if i%50 == 49 {
					c.Drop(k)
				}
			}
			c.DropSession(session)
		})
	}
	all.Wait()
	if s := c.Stats(); s.Segments != 0 || s.Memory != 0 || s.Disk != 0 || len(c.sessions) != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if c.memory.Len()+c.files.Len() != 0 {
		t.Error("lists are not empty")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	c, err := New(Options{Folder: folder, Disk: 1 << 20, Memory: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		c.Put(key("a", i), content(key("a", i), 4))
	}
	if err := c.relieve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(listing(t, folder)) < 2 {
		t.Fatal("nothing was written")
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if files := listing(t, folder); len(files) != 0 {
		t.Errorf("left: %v", files)
	}
	c.Put(key("a", 9), []byte("late"))
	if c.Has(key("a", 9)) {
		t.Error("a closed cache took a segment")
	}
}

func listing(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
