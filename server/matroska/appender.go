package matroska

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Appender writes blocks behind those of a file that has a head, in Clusters of its own.
type Appender struct {
	w       io.Writer
	offset  int64
	opened  bool
	cluster int64 // time of the Cluster that is open, in ticks
}

// NewAppender returns an Appender to a file of so many bytes, at the end of which w
// writes. The head of the file has to list the tracks of the blocks, and have their ticks.
func NewAppender(w io.Writer, size int64) *Appender { return &Appender{w: w, offset: size} }

// Write writes a block at the time that it tells, which need not be the one that it was
// read with, in one Write. It returns the block as it lies in the file. A Cluster begins
// where the block says so, and where 16 bits do not hold its distance from the Cluster's time.
func (a *Appender) Write(b Block) (Block, error) {
	if b.At < 0 || b.clock == 0 {
		return b, fmt.Errorf("%w: time %d", ErrBlock, b.At)
	}
	var out []byte
	distance := b.At - a.cluster
	b.Opens = b.Opens || !a.opened || distance < math.MinInt16 || distance > math.MaxInt16
	if b.Opens {
		a.opened, a.cluster, distance = true, b.At, 0
		out = append(appendID(out, idCluster), unknownSize...)
		out = appendUint(out, idTimestamp, uint64(b.At))
	}
	head := len(out)
	out = append(out, b.Raw...)
	binary.BigEndian.PutUint16(out[head+b.clock:], uint16(int16(distance)))
	n, err := a.w.Write(out)
	b.Start, b.End = a.offset, a.offset+int64(n)
	a.offset = b.End
	return b, err
}
