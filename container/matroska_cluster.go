package container

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	defaultScale = 1_000_000 // TimestampScale of RFC 9559 §5.1.2.9, in nanoseconds
	maxBlocks    = 256       // looked at for the earliest time
)

// readBegin finds the earliest time in the first blocks, of which off is the
// first cluster's. They lie in the order of decoding, and sound beside pictures,
// so it need not be the first one's.
func (m *matroskaReader) readBegin(off int64) error {
	earliest, left := int64(math.MaxInt64), maxBlocks
	for cluster, err := range m.elements(off, m.end) {
		if err != nil || cluster.id != idCluster || left == 0 {
			break
		}
		least, _, err := m.timesIn(cluster, &left)
		if err != nil {
			return err
		}
		earliest = min(earliest, least)
	}
	m.extras.Begin = m.duration(earliest)
	return nil
}

// timesIn returns the earliest and the latest time in the first left blocks of a
// cluster, in ticks, and takes them off left. Where the cluster has no time, or no
// blocks behind it, the earliest is the largest number and the latest the least.
func (m *matroskaReader) timesIn(cluster placed, left *int) (least, most int64, err error) {
	base, timed := int64(0), false
	least, most = math.MaxInt64, math.MinInt64
	for p, err := range m.elements(cluster.data(), min(cluster.end(m.end), m.end)) {
		if err != nil || p.id == idCluster || *left == 0 {
			break
		}
		switch p.id {
		case idTimestamp:
			b, err := m.content(p, 8)
			if err != nil {
				return 0, 0, err
			}
			base, timed = int64(element{data: b}.asUint()&math.MaxInt64), true
		case idSimpleBlock, idBlockGroup:
			*left--
			if ticks, ok := m.blockTime(p); ok && timed {
				least, most = min(least, base+ticks), max(most, base+ticks)
			}
		}
	}
	return least, most, nil
}

// duration turns ticks into a time; what no film reaches is 0.
func (m *matroskaReader) duration(ticks int64) time.Duration {
	const longest = 1000 * time.Hour
	if ticks < 0 || m.scale == 0 || m.scale > uint64(longest) || ticks > int64(longest)/int64(m.scale) {
		return 0
	}
	return time.Duration(ticks) * time.Duration(m.scale)
}

// blockTime returns the time of a block from its cluster's, in ticks: 16 signed
// bits behind the track number (RFC 9559 §10.1 and §10.2).
func (m *matroskaReader) blockTime(p placed) (ticks int64, ok bool) {
	if p.id == idBlockGroup {
		for inner, err := range m.elements(p.data(), p.end(m.end)) {
			if err != nil {
				return 0, false
			}
			if inner.id == idBlock {
				return m.blockTime(inner)
			}
		}
		return 0, false
	}
	if p.size < 4 {
		return 0, false
	}
	b, err := m.bytes(p.data(), min(p.size, 10))
	if err != nil {
		return 0, false
	}
	track := 1 // bytes of the track number
	for b[0]<<(track-1)&0x80 == 0 && track < 8 {
		track++
	}
	if len(b) < track+2 {
		return 0, false
	}
	return int64(int16(binary.BigEndian.Uint16(b[track:]))), true
}
