package ingest

import (
	"bufio"
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestRecoveryPoints finds a recovery point among what SEI says.
func TestRecoveryPoints(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		unit []byte
		want bool
	}{
		{[]byte{6, 6, 1, 0xc4, 0x80}, true},
		{[]byte{6, 1, 3, 0, 0, 3, 0, 6, 1, 0xc4, 0x80}, true}, // behind picture timing of 00 00 00
		{[]byte{6, 0xff, 7, 2, 6, 1, 0x80}, false},            // of the type 262
		{[]byte{6, 5, 0xff, 0xff, 6, 1}, false},
		{[]byte{6, 6}, false},
		{[]byte{6}, false},
	} {
		if got := recovers(row.unit); got != row.want {
			t.Errorf("% x: %v", row.unit, got)
		}
	}
}

// FuzzPicture has a line take NAL units that a hostile source could send.
func FuzzPicture(f *testing.F) {
	sps := []byte{0x67, 0x42, 0xc0, 0x28, 0x8d, 0x68, 0x1e, 0x08, 0xfe, 0xf0, 0x16, 0xa0, 0x20, 0x20, 0x20, 0xf0, 0x80, 0x42, 0x16}
	f.Add(false, sps, []byte{0x68, 0xce, 0x0b, 0xc8}, []byte{0x65, 1, 2})
	f.Add(true, []byte{0x42, 1, 1}, []byte{0x44, 1}, []byte{0x26, 1})
	f.Add(false, []byte{0x67}, []byte{0x68}, []byte{0x65})
	f.Add(false, sps, []byte{0x68, 0xce, 0x0b, 0xc8}, []byte{6, 6, 1, 0xc4, 0x80})
	f.Fuzz(func(t *testing.T, hevc bool, a, b, c []byte) {
		codec := matroska.AVC
		if hevc {
			codec = matroska.HEVC
		}
		i := &Intake{name: "fuzz", log: slog.New(slog.DiscardHandler), queue: newQueue(), clock: newClock(), known: make(chan struct{})}
		l := newLine(i, func() {})
		l.tracks(sets{codec: codec}, nil, silent)
		au := [][]byte{a, b, c, {0x40, 1, 7}, {}}
		for n := range 3 {
			if err := l.picture(time.Duration(n)*time.Second, au); err != nil && code(err) != CodeNotMedia {
				t.Fatal(err)
			}
		}
		for _, u := range i.queue.units {
			if len(u.data) < 5 {
				t.Errorf("a picture of %d bytes", len(u.data))
			}
		}
	})
}

// FuzzTransportStream reads what a hostile source could send.
func FuzzTransportStream(f *testing.F) {
	f.Add(bytes.Repeat(append([]byte{tsSync, 0x1f, 0xff, 0x10}, make([]byte, tsPacket-4)...), 4))
	f.Add([]byte("no stream"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i := &Intake{name: "fuzz", log: slog.New(slog.DiscardHandler), queue: newQueue(), clock: newClock(), known: make(chan struct{})}
		l := newLine(i, func() {})
		l.intake.o.Warn = func(wire.Warning) {}
		if err := i.readTS(l, bufio.NewReader(bytes.NewReader(data))); err == nil {
			t.Error("a stream without an end")
		}
	})
}
