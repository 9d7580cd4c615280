package pipeline

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/source"
)

// liveFeed is a live stream that comes out of a pipe.
type liveFeed struct {
	t      testing.TB
	stream *source.Stream
	in     *os.File // what the stream is written to, by who has no program
}

// newFeed returns a stream whose other end is the test's.
func newFeed(t testing.TB) *liveFeed {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := source.NewStream(out, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), in.Close() }) // both may be closed already
	return &liveFeed{t, s, in}
}

// ffmpeg has ffmpeg write the stream, and closes it at the end.
func (f *liveFeed) ffmpeg(args ...string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "ffmpeg", append([]string{"-v", "error", "-nostdin"}, append(args, "pipe:1")...)...)
	cmd.Stdout, cmd.Stderr = f.in, os.Stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		_ = cmd.Wait() // of a stream that is broken off it has much to say
		_ = f.in.Close()
	})
	f.t.Cleanup(done.Wait)
}

// block is a packet of a Matroska file: RFC 9559 §5.1.3.
type block struct {
	track byte
	at    time.Duration
	key   bool
	data  []byte
}

// Ids of Matroska's elements.
const (
	idSegment     = 0x18538067
	idInfo        = 0x1549a966
	idTracks      = 0x1654ae6b
	idCluster     = 0x1f43b675
	idTimestamp   = 0xe7
	idSimpleBlock = 0xa3
	idScale       = 0x2ad7b1
)

// ebmlElement is a part of a Matroska file: RFC 8794.
type ebmlElement struct {
	id   uint32
	raw  []byte // with its head
	body []byte
}

// ebml takes data apart. A length that is not known is that of all that follows.
func ebml(t testing.TB, data []byte) (all []ebmlElement) {
	t.Helper()
	for len(data) > 0 {
		idLength := leadingZeros(data[0]) + 1
		var id uint32
		for _, b := range data[:idLength] {
			id = id<<8 | uint32(b)
		}
		n := leadingZeros(data[idLength]) + 1
		size := uint64(data[idLength]) & (1<<(8-n) - 1)
		for _, b := range data[idLength+1 : idLength+n] {
			size = size<<8 | uint64(b)
		}
		head := idLength + n
		end := uint64(len(data))
		if size != 1<<(7*n)-1 {
			end = min(end, uint64(head)+size)
		}
		all = append(all, ebmlElement{id, data[:end], data[head:end]})
		data = data[end:]
	}
	return all
}

func leadingZeros(b byte) (n int) {
	for n < 7 && b&(0x80>>n) == 0 {
		n++
	}
	return n
}

// matroska reads a file: what a stream of it begins with, and its packets.
func matroska(t testing.TB, path string) (head []byte, blocks []block) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	top := ebml(t, data)
	head = append(slices.Clone(top[0].raw), 0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // a segment of no known length
	head = append(head, written(idInfo, written(idScale, []byte{0x0f, 0x42, 0x40}))...)
	for _, e := range ebml(t, top[1].body) {
		switch e.id {
		case idTracks:
			head = append(head, e.raw...)
		case idCluster:
			blocks = append(blocks, clusterOf(t, e.body)...)
		}
	}
	return head, blocks
}

func clusterOf(t testing.TB, body []byte) (blocks []block) {
	t.Helper()
	begin := uint64(0)
	for _, e := range ebml(t, body) {
		switch e.id {
		case idTimestamp:
			begin = 0
			for _, b := range e.body {
				begin = begin<<8 | uint64(b)
			}
		case idSimpleBlock:
			at := int64(begin) + int64(int16(binary.BigEndian.Uint16(e.body[1:])))
			blocks = append(blocks, block{e.body[0] & 0x7f, time.Duration(at) * time.Millisecond, e.body[3]&0x80 != 0, e.body[4:]})
		}
	}
	return blocks
}

// written returns an element with a length of 8 bytes.
func written(id uint32, body []byte) []byte {
	raw := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, id), "\x00")
	raw = binary.BigEndian.AppendUint64(raw, uint64(len(body))|1<<56)
	return append(raw, body...)
}

// cluster returns the block as a cluster of its own.
func (b block) cluster() []byte {
	flags := byte(0)
	if b.key {
		flags = 0x80
	}
	body := written(idTimestamp, binary.BigEndian.AppendUint64(nil, uint64(b.at/time.Millisecond)))
	return written(idCluster, append(body, written(idSimpleBlock, append([]byte{b.track | 0x80, 0, 0, flags}, b.data...))...))
}

// awaitTime returns at a moment: live streams are fed, and read, in real time.
func awaitTime(at time.Time) { <-time.After(time.Until(at)) }

// pour writes packets in real time, from a moment on which their time is 0.
func (f *liveFeed) pour(begin time.Time, blocks []block) { f.pourAs(begin, blocks, blocks) }

// pourAs writes packets at the times of others.
func (f *liveFeed) pourAs(begin time.Time, times, blocks []block) {
	for i, b := range blocks {
		awaitTime(begin.Add(times[i].at))
		if _, err := f.in.Write(b.cluster()); err != nil {
			return // it is read no more, as the test will see
		}
	}
}

// write writes bytes as they are.
func (f *liveFeed) write(data []byte) {
	f.t.Helper()
	if _, err := f.in.Write(data); err != nil {
		f.t.Fatal(err)
	}
}

// close ends the stream.
func (f *liveFeed) close() {
	f.t.Helper()
	if err := f.in.Close(); err != nil {
		f.t.Fatal(err)
	}
}
