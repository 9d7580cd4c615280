package workertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// feed reads a live stream of Matroska (RFC 9559): what of it says when which frame comes. Segment and clusters may
// be of unknown size.
type feed struct {
	r       *bufio.Reader
	tracks  map[uint64]trackKind // by number
	tick    time.Duration
	cluster int64 // ticks
}

// trackKind tells tracks apart.
type trackKind uint64

// The kinds of tracks (§5.1.4.1.3).
const (
	trackVideo trackKind = 1
	trackAudio trackKind = 2
)

// block is a frame of a feed.
type block struct {
	kind trackKind
	at   time.Duration
	key  bool
	data []byte
}

// The elements that are read (§5.1); all others are passed over.
const (
	idHeader      = 0x1a45dfa3
	idSegment     = 0x18538067
	idInfo        = 0x1549a966
	idTick        = 0x2ad7b1
	idTracks      = 0x1654ae6b
	idTrackEntry  = 0xae
	idTrackNumber = 0xd7
	idTrackType   = 0x83
	idCluster     = 0x1f43b675
	idTimestamp   = 0xe7
	idBlockGroup  = 0xa0
	idBlock       = 0xa1
	idSimpleBlock = 0xa3
)

// maxElement bounds an element that is read whole, in bytes.
const maxElement = 16 << 20

var errFeed = errors.New("feed is no Matroska")

// newFeed reads up to the tracks.
func newFeed(r io.Reader) (*feed, error) {
	f := &feed{r: bufio.NewReader(r), tracks: map[uint64]trackKind{}, tick: time.Millisecond}
	id, size, err := f.head()
	if err != nil {
		return nil, err
	}
	if id != idHeader {
		return nil, errFeed
	}
	if _, err := f.r.Discard(int(size)); err != nil {
		return nil, err
	}
	for len(f.tracks) == 0 {
		if _, err := f.step(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// has reports whether there is a track of a kind.
func (f *feed) has(kind trackKind) bool {
	for _, k := range f.tracks {
		if k == kind {
			return true
		}
	}
	return false
}

// next returns the next frame; io.EOF at the end.
func (f *feed) next() (block, error) {
	for {
		b, err := f.step()
		switch {
		case err != nil:
			return block{}, err
		case b != nil:
			return *b, nil
		}
	}
}

// step reads an element, and returns the frame that it holds, if it does.
func (f *feed) step() (*block, error) {
	id, size, err := f.head()
	if err != nil {
		return nil, err
	}
	switch id {
	case idSegment, idCluster, idBlockGroup:
		return nil, nil // what they hold comes next
	}
	if size > maxElement {
		return nil, fmt.Errorf("%w: element %x of %d bytes", errFeed, id, size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f.r, data); err != nil {
		return nil, err
	}
	switch id {
	case idInfo:
		return nil, elements(data, func(id uint64, value []byte) error {
			if id == idTick {
				f.tick = time.Duration(number(value))
			}
			return nil
		})
	case idTracks:
		return nil, f.readTracks(data)
	case idTimestamp:
		f.cluster = int64(number(data))
	case idSimpleBlock, idBlock:
		return f.readBlock(data)
	}
	return nil, nil
}

// readTracks reads the kinds of the tracks.
func (f *feed) readTracks(data []byte) error {
	return elements(data, func(id uint64, entry []byte) error {
		if id != idTrackEntry {
			return nil
		}
		var at uint64
		var kind trackKind
		err := elements(entry, func(id uint64, value []byte) error {
			switch id {
			case idTrackNumber:
				at = number(value)
			case idTrackType:
				kind = trackKind(number(value))
			}
			return nil
		})
		f.tracks[at] = kind
		return err
	})
}

// readBlock reads a block (§10.1) without lacing.
func (f *feed) readBlock(data []byte) (*block, error) {
	track, n, ok := vint(data, true)
	if !ok || len(data) < n+3 {
		return nil, errFeed
	}
	at := f.cluster + int64(int16(binary.BigEndian.Uint16(data[n:])))
	return &block{
		kind: f.tracks[track], at: time.Duration(at) * f.tick, key: data[n+2]&0x80 != 0, data: data[n+3:],
	}, nil
}

// head reads an element's ID and size.
func (f *feed) head() (id, size uint64, err error) {
	if id, err = f.vint(false); err != nil {
		return 0, 0, err
	}
	size, err = f.vint(true)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return id, size, err
}

// vint reads a number of variable length (RFC 8794 §4), without its marker if it is a size.
func (f *feed) vint(masked bool) (uint64, error) {
	first, err := f.r.Peek(1)
	if err != nil {
		return 0, err
	}
	n := bits.LeadingZeros8(first[0]) + 1
	data, err := f.r.Peek(min(n, 8))
	if err != nil {
		return 0, err
	}
	v, _, ok := vint(data, masked)
	if !ok {
		return 0, errFeed
	}
	_, err = f.r.Discard(n)
	return v, err
}

// vint reads a number of variable length, and how long it is. All ones, which say that a size is not known, are a
// large number.
func vint(data []byte, masked bool) (v uint64, n int, ok bool) {
	if len(data) == 0 || data[0] == 0 {
		return 0, 0, false
	}
	n = bits.LeadingZeros8(data[0]) + 1
	if len(data) < n {
		return 0, 0, false
	}
	for _, b := range data[:n] {
		v = v<<8 | uint64(b)
	}
	if masked {
		v &^= 1 << (7 * n)
	}
	return v, n, true
}

// elements calls do for each element of a master.
func elements(data []byte, do func(id uint64, content []byte) error) error {
	for len(data) > 0 {
		id, n, ok := vint(data, false)
		if !ok {
			return errFeed
		}
		size, m, ok := vint(data[n:], true)
		if !ok || uint64(len(data)-n-m) < size {
			return errFeed
		}
		if err := do(id, data[n+m:][:size]); err != nil {
			return err
		}
		data = data[n+m:][size:]
	}
	return nil
}

// number reads an unsigned integer (§7.2).
func number(data []byte) (v uint64) {
	for _, b := range data {
		v = v<<8 | uint64(b)
	}
	return v
}
