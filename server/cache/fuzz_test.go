package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"
)

// broken is a disk in memory of which some writes and reads fail.
type broken struct {
	files         map[uint64][]byte
	write1, read1 bool // the next one fails
}

func (b *broken) write(n uint64, data []byte) error {
	if b.write1 {
		b.write1 = false
		return errors.New("no room")
	}
	b.files[n] = data
	return nil
}

func (b *broken) read(n uint64, size int) ([]byte, error) {
	if b.read1 || len(b.files[n]) != size {
		b.read1 = false
		return nil, fs.ErrNotExist
	}
	return b.files[n], nil
}

func (b *broken) remove(n uint64) error { delete(b.files, n); return nil }
func (b *broken) close() error          { return nil }

// FuzzCache plays calls and faults and holds the cache to its bounds: what it
// serves is what was put last, its sums are true and no file is forgotten.
func FuzzCache(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 1, 1, 2, 0, 3, 0, 4, 1, 5, 1})
	f.Add(bytes.Repeat([]byte{0, 7, 2, 0, 0, 9, 6, 0, 1, 7}, 20))
	f.Fuzz(func(t *testing.T, calls []byte) {
		d := &broken{files: map[uint64][]byte{}}
		c := newOn(d, Options{Disk: 900, Memory: 500})
		last := map[Key][]byte{}
		for i := 0; i+1 < len(calls); i += 2 {
			k := Key{Session: string('a' + rune(calls[i+1]%3)), Segment: int(calls[i+1] / 3)}
			switch calls[i] % 7 {
			case 0:
				data := bytes.Repeat([]byte{byte(i)}, 1+i%200)
				c.Put(k, data)
				last[k] = data
			case 1:
				if data, ok := c.Get(k); ok && !bytes.Equal(data, last[k]) {
					t.Fatalf("%v is another's segment", k)
				}
			case 2:
				_ = c.relieve(t.Context()) // its faults are counted
			case 3:
				d.write1 = true
			case 4:
				d.read1 = true
			case 5:
				c.Drop(k)
			case 6:
				c.DropSession(k.Session)
			}
			holds(t, c, d)
		}
	})
}

// holds checks a cache's sums against what lies in it.
func holds(t *testing.T, c *Cache, d *broken) {
	t.Helper()
	var memory, disk, files int
	for _, e := range c.entries {
		if e.data != nil {
			memory += e.size
			continue
		}
		disk += e.size
		files++
	}
	s := c.Stats()
	switch {
	case int64(memory) != s.Memory || int64(disk) != s.Disk:
		t.Fatalf("%d and %d bytes, told %+v", memory, disk, s)
	case memory > 500 && c.memory.Len() > 1, disk > 900:
		t.Fatalf("out of bounds: %+v", s)
	case len(d.files) != files+len(c.waste) || c.files.Len() != files || c.memory.Len() != len(c.entries)-files:
		t.Fatalf("%d files for %d entries", len(d.files), files)
	}
}
