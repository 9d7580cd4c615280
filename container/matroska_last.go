package container

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// Over is bytes to be read in place of as many of a file's own.
type Over struct {
	At    int64 // bytes from the start of the file
	Bytes []byte
}

// Bytes at the end of a file that its last cluster is looked for in, first a few
// and then more: RFC 9559 recommends clusters of 5 MB at most.
const (
	leastTail = 1 << 20
	mostTail  = 16 << 20
)

// lastRoom is how much longer than to the begin of its last block a film is said
// to be: blocks seldom say how long they last.
const lastRoom = time.Second

// readLast finds the latest time in the last cluster, where first is the offset of
// the first one. It is looked for from the end: an index may end where the film was
// once thought to end, and to walk over all clusters is to read all of a film that
// is far away.
func (m *matroskaReader) readLast(first int64) error {
	for n := int64(leastTail); n <= mostTail; n *= 4 {
		start := max(first, m.end-n)
		tail, err := m.bytes(start, m.end-start)
		if err != nil {
			return err
		}
		if ticks, ok := latest(tail); ok {
			m.extras.Last = m.duration(ticks)
			return nil
		}
		if start == first {
			return nil
		}
	}
	return nil
}

// latest returns the latest time in the last cluster of a part of a file, in ticks.
// The four bytes of a cluster's ID may be in a picture, too; what follows them
// there holds no blocks.
func latest(tail []byte) (ticks int64, ok bool) {
	m := matroskaReader{source: newSource(bytes.NewReader(tail), int64(len(tail))), end: int64(len(tail))}
	id := appendID(nil, idCluster)
	for at := bytes.LastIndex(tail, id); at >= 0 && *m.looks > 0; at = bytes.LastIndex(tail[:at], id) {
		cluster, err := m.element(int64(at))
		if err != nil {
			continue
		}
		left := maxElements
		if _, most, err := m.timesIn(cluster, &left); err == nil && most != math.MinInt64 {
			return most, true
		}
	}
	return 0, false
}

// claim is where a file says how long it is.
type claim struct {
	at    int64 // of the number, bytes from the start of the file
	width int   // bytes of it: 4 or 8; 0 where there is none
	ticks float64
}

// mend returns what the file would have to say where it says that it ends before
// its last block begins.
func (m *matroskaReader) mend() Over {
	c, last := m.claim, m.extras.Last-m.extras.Begin
	if m.extras.Last == 0 || c.ticks <= 0 || c.ticks*float64(m.scale) > float64(last) {
		return Over{} // none, or none that anything is concluded from
	}
	ticks := float64(last+lastRoom) / float64(m.scale)
	o := Over{At: c.at}
	if c.width == 4 {
		o.Bytes = binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(ticks)))
	} else {
		o.Bytes = binary.BigEndian.AppendUint64(nil, math.Float64bits(ticks))
	}
	return o
}
