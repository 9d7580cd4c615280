package ingest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"log/slog"
	"testing"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Where a hostileStream has its tables and tracks.
const (
	pidPMT     = 4096
	pidPicture = 256
	pidOther   = 257
)

// hostileStream is a transport stream of H.264 and one more track, of which all but the frame may be anything.
func hostileStream(kind byte, descriptors []byte, packets ...[]byte) []byte {
	descriptors = descriptors[:min(len(descriptors), 150)]
	pat := section(0, binary.BigEndian.AppendUint16([]byte{0, 1}, 0xe000|pidPMT))
	pmt := []byte{0xe0 | pidPicture>>8, pidPicture & 0xff, 0xf0, 0, 0x1b, 0xe0 | pidPicture>>8, pidPicture & 0xff, 0xf0, 0}
	pmt = append(pmt, kind, 0xe0|pidOther>>8, pidOther&0xff, 0xf0, byte(len(descriptors)))
	pmt = section(2, append(pmt, descriptors...))
	var out []byte
	counts := map[uint16]byte{}
	put := func(pid uint16, payload []byte) {
		out = append(out, inPackets(pid, counts, payload)...)
	}
	for range 2 {
		put(0, pat)
		put(pidPMT, pmt)
		put(pidPicture, append([]byte{0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21, 0, 1, 0, 1}, 0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 1))
		for _, packet := range packets {
			put(pidOther, append([]byte{0, 0, 1, 0xbd, 0, 0}, packet...))
		}
	}
	return out
}

// section is a table behind its pointer (ISO/IEC 13818-1 §2.4.4).
func section(table byte, body []byte) []byte {
	s := append([]byte{table, 0xb0, byte(len(body) + 9), 0, 1, 0xc1, 0, 0}, body...)
	crc := ^uint32(0)
	for _, b := range s {
		crc ^= uint32(b) << 24
		for range 8 {
			crc = crc<<1 ^ 0x04c11db7*(crc>>31)
		}
	}
	return append([]byte{0}, binary.BigEndian.AppendUint32(s, crc)...)
}

// inPackets puts a payload into packets of a PID, and fills the last.
func inPackets(pid uint16, counts map[uint16]byte, payload []byte) (out []byte) {
	for begin := byte(0x40); begin != 0 || len(payload) > 0; begin = 0 {
		head := []byte{tsSync, begin | byte(pid>>8), byte(pid), 0x10 | counts[pid]}
		counts[pid] = (counts[pid] + 1) & 0xf
		n := min(len(payload), tsPacket-len(head))
		if fill := tsPacket - len(head) - n; fill > 0 {
			head[3] |= 0x20
			field := bytes.Repeat([]byte{0xff}, fill)
			field[0] = byte(fill - 1)
			if fill > 1 {
				field[1] = 0
			}
			head = append(head, field...)
		}
		out = append(append(out, head...), payload[:n]...)
		payload = payload[n:]
	}
	return out
}

// FuzzTransportTracks reads a track of any kind, with whatever it says of itself.
func FuzzTransportTracks(f *testing.F) {
	stamp := []byte{0x80, 0x80, 5, 0x21, 0, 1, 0, 1}
	for kind, row := range map[byte][2][]byte{
		0x02: {nil, {0, 0, 1, 0xb3}},
		0x03: {nil, {0xff, 0xfd, 0x84, 0}},
		0x06: {{5, 4, 'O', 'p', 'u', 's', 0x7f, 2, 0x80, 2}, {0x7f, 0xe0, 2, 0xfc, 1}},
		0x0f: {nil, {0xff, 0xf1, 0x4c, 0x80, 1, 0x3f, 0xfc, 0, 0}},
		0x11: {nil, {0x56, 0xe0, 1, 0}},
		0x15: {{0x26, 9, 1, 0, 'K', 'L', 'V', 'A', 0, 0, 0xf}, {0, 0, 0xdf, 0, 1, 7}},
		0x24: {nil, {0, 0, 0, 1, 0x46, 1, 0x50}},
		0x59: {{0x59, 8, 'e', 'n', 'g', 0x10, 0, 1, 0, 1}, {0x20, 0, 0xf}},
		0x81: {nil, {0x0b, 0x77, 1, 2, 0x14, 0x40, 0xe1, 0}},
		0x87: {nil, {0x0b, 0x77, 0, 3, 0x3f, 0x86, 0xff, 0}},
	} {
		f.Add(kind, row[0], append(bytes.Clone(stamp), row[1]...))
	}
	f.Fuzz(func(_ *testing.T, kind byte, descriptors, packet []byte) {
		i := &Intake{name: "fuzz", log: slog.New(slog.DiscardHandler), queue: newQueue(), clock: newClock(), known: make(chan struct{})}
		i.o.Warn = func(wire.Warning) {}
		_ = i.readTS(newLine(i, func() {}), bufio.NewReader(bytes.NewReader(hostileStream(kind, descriptors, packet, packet)))) // it ends
	})
}
