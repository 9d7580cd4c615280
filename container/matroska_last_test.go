package container

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"
)

// clusterAt is a cluster with a block at its own time and one 40 ticks later.
func clusterAt(ticks uint64) []byte {
	return appendElement(nil, idCluster, slices.Concat(appendUint(nil, idTimestamp, ticks),
		appendElement(nil, idSimpleBlock, []byte{0x81, 0, 0, 0x80, 1, 2, 3}),
		appendElement(nil, idSimpleBlock, []byte{0x81, 0, 40, 0, 1, 2, 3})))
}

// claiming is an Info element with a Duration of 4 or 8 bytes.
func claiming(ticks float64, width int) []byte {
	number := binary.BigEndian.AppendUint64(nil, math.Float64bits(ticks))
	if width == 4 {
		number = binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(ticks)))
	}
	return appendElement(nil, idInfo, slices.Concat(appendUint(nil, idTimestampScale, defaultScale),
		appendElement(nil, idDuration, number), appendText(nil, idTitle, "film")))
}

// TestReadLast finds the last block of files whose ends are not as they should be.
func TestReadLast(t *testing.T) {
	first, second := clusterAt(0), clusterAt(5000)
	whole := segment(first, second)
	picture := appendElement(nil, idSimpleBlock, slices.Concat([]byte{0x81, 0, 50, 0}, appendID(nil, idCluster), bytes.Repeat([]byte{7}, 40)))
	for _, c := range []struct {
		name string
		file []byte
		want time.Duration
	}{
		{"whole", whole, 5040 * time.Millisecond},
		{"with an index behind it", segment(first, second, appendVoid(nil, 2<<20)), 5040 * time.Millisecond},
		{"with too much behind it", segment(first, second, appendVoid(nil, 20<<20)), 0},
		{"cut in the last block", whole[:len(whole)-4], 5 * time.Second},
		{"cut before the last block", whole[:len(whole)-9], 5 * time.Second},
		{"cut before the blocks", segment(first, second[:8]), 40 * time.Millisecond},
		{"with an empty cluster", segment(first, second, appendElement(nil, idCluster, appendUint(nil, idTimestamp, 9000))), 5040 * time.Millisecond},
		{"with a cluster of no time", segment(first, second, appendElement(nil, idCluster, picture)), 5040 * time.Millisecond},
		{"with a cluster's ID in a picture", segment(first, appendElement(nil, idCluster, append(appendUint(nil, idTimestamp, 5000), picture...))), 5050 * time.Millisecond},
		{"with clusters' IDs behind it", segment(first, second, bytes.Repeat(appendID(nil, idCluster), 1000)), 5040 * time.Millisecond},
		{"with nothing but clusters' IDs", segment(bytes.Repeat(appendID(nil, idCluster), 1<<20)), 0},
		{"without a cluster", segment(appendVoid(nil, 100)), 0},
		{"of no film's length", segment(first, clusterAt(math.MaxInt64/2)), 0},
	} {
		if got := readBytes(t, c.file).Last; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestMend reads a film again with what it should say instead of too short a
// duration, which leaves nothing to be mended.
func TestMend(t *testing.T) {
	for _, c := range []struct {
		name  string
		ticks float64
		width int
		begin uint64
		mends bool
	}{
		{"too short", 1000, 8, 0, true},
		{"too short, in four bytes", 1000, 4, 0, true},
		{"too short, at ten hours", 1000, 8, 36000e3, true},
		{"until the last block", 5040, 8, 0, true},
		{"right", 5080, 8, 0, false},
		{"right, at ten hours", 5080, 8, 36000e3, false},
		{"too long", 50e3, 8, 0, false},
		{"none", 0, 8, 0, false},
		{"less than none", -1, 8, 0, false},
	} {
		file := segment(claiming(c.ticks, c.width), clusterAt(c.begin), clusterAt(c.begin+5000))
		o := readBytes(t, file).Mend
		if (len(o.Bytes) > 0) != c.mends || len(o.Bytes) > 0 && len(o.Bytes) != c.width {
			t.Errorf("%s: %+v", c.name, o)
			continue
		}
		copy(file[o.At:], o.Bytes)
		extras := readBytes(t, file)
		if again := extras.Mend; len(again.Bytes) > 0 || extras.Title != "film" {
			t.Errorf("%s: mended, it is to be mended with %+v", c.name, again)
		}
		if want := append(claiming(6040, c.width), clusterAt(c.begin)...); c.mends && !bytes.Contains(file, want) {
			t.Errorf("%s: the mended file does not say 6.04 s", c.name)
		}
	}
}
