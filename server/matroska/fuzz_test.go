package matroska_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"reflect"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/server/matroska"
)

// block is one that was written, or read back.
type block struct {
	track int
	at    int64 // ticks
	key   bool
	data  string
}

// next takes an element off a stream: its ID, and its content, which is the rest where its size is unknown.
func next(t *testing.T, b []byte) (id uint64, content, rest []byte, unknown bool) {
	t.Helper()
	number := func(marked bool) (v uint64) {
		width := bits.LeadingZeros8(b[0]) + 1
		for _, c := range b[:width] {
			v = v<<8 | uint64(c)
		}
		if b = b[width:]; marked {
			return v
		}
		ones := uint64(1)<<(7*width) - 1
		unknown = v&ones == ones
		return v & ones
	}
	id = number(true)
	size := number(false)
	if unknown {
		return id, b, nil, true
	}
	if size > uint64(len(b)) {
		t.Fatalf("element %x of %d bytes, %d are left", id, size, len(b))
	}
	return id, b[:size], b[size:], false
}

// blocks reads a stream strictly: Clusters that begin with their time, and blocks in them.
func blocks(t *testing.T, b []byte) (all []block) {
	t.Helper()
	if id, _, rest, _ := next(t, b); id != 0x1A45DFA3 {
		t.Fatalf("it begins with element %x", id)
	} else {
		b = rest
	}
	id, b, _, unknown := next(t, b)
	if id != 0x18538067 || !unknown {
		t.Fatalf("element %x of a known size", id)
	}
	cluster, timed := int64(0), false
	for len(b) > 0 {
		id, content, rest, unknown := next(t, b)
		switch id {
		case 0x1549A966, 0x1654AE6B: // Info, Tracks
		case 0x1F43B675: // Cluster
			rest, timed = content, false
			if !unknown {
				t.Fatal("a Cluster of a known size")
			}
		case 0xE7: // Timestamp
			cluster, timed = 0, true
			for _, c := range content {
				cluster = cluster<<8 | int64(c)
			}
		case 0xA3: // SimpleBlock
			if !timed || len(content) < 4 || content[3]&0x7f != 0 {
				t.Fatalf("a block % x in a Cluster with a time: %t", content, timed)
			}
			all = append(all, block{
				track: int(content[0]&0x7f) - 1, at: cluster + int64(int16(binary.BigEndian.Uint16(content[1:]))),
				key: content[3] == 0x80, data: string(content[4:]),
			})
		default:
			t.Fatalf("element %x", id)
		}
		b = rest
	}
	return all
}

// FuzzWriter writes blocks at any times, three bytes of input each, and reads all back that were taken.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("\x01\x00\x10\x02\x00\x11\x01\x00\x40\x80\xff\xff\x01\x00\x00\x00\x10\x00\x03\x11\x11"))
	f.Fuzz(func(t *testing.T, input []byte) {
		var out bytes.Buffer
		w, err := matroska.NewWriter(&out, []matroska.Track{
			{Codec: matroska.VP8, Width: 16, Height: 16}, {Codec: matroska.Opus, Rate: 48000, Channels: 2, Name: string(input[:min(len(input), 20)])},
		})
		if err != nil {
			t.Fatal(err)
		}
		var written []block
		for i := 0; i+3 <= len(input); i += 3 {
			b := block{
				track: int(input[i] & 1), key: input[i]&2 != 0, data: string(input[i : i+1+int(input[i]>>6)]),
				at: int64(binary.BigEndian.Uint16(input[i+1:])) << (input[i] >> 2 & 7),
			}
			err := w.Write(b.track, time.Duration(b.at)*matroska.Tick, b.key, []byte(b.data))
			if err == nil {
				written = append(written, b)
			} else if !errors.Is(err, matroska.ErrBlock) {
				t.Fatal(err)
			}
		}
		if got := blocks(t, out.Bytes()); !reflect.DeepEqual(got, written) {
			t.Fatalf("read %v\nof %v", got, written)
		}
		extras, err := container.Read(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || len(extras.Tracks) != 2 {
			t.Fatalf("%v, %+v", err, extras)
		}
	})
}
