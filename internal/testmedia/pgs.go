package testmedia

import (
	"bytes"
	"encoding/binary"
	"time"
)

// PGS draws a Blu-ray subtitle stream (.sup), which ffmpeg cannot: a box of 32×8
// pixels of one colour on a picture of width×height, shown at each of the starts
// for a while. The colour is not grey, so that a palette has something to lose.
// The picture is at least 64×32; starts ascend, further apart than shown is long.
func PGS(width, height uint16, shown time.Duration, starts ...time.Duration) []byte {
	const x, y = 20, 16
	order := binary.BigEndian
	var s pgsStream
	screen := order.AppendUint16(order.AppendUint16(nil, width), height)
	window := []byte{1, 0, 0, x, 0, y, 0, 32, 0, 8}
	line := []byte{0x00, 0x80 | 32, 1, 0, 0} // run of 32 pixels of colour 1, end of line
	object := append([]byte{0, 0, 0, 0xC0, 0, 0, byte(4 + 8*len(line)), 0, 32, 0, 8}, bytes.Repeat(line, 8)...)
	for i, start := range starts {
		n := byte(2 * i)
		s.segment(start, 0x16, screen, []byte{0x10, 0, n, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, x, 0, y})
		s.segment(start, 0x17, window)
		s.segment(start, 0x14, []byte{0, 0, 1, 235, 90, 200, 255})
		s.segment(start, 0x15, object)
		s.segment(start, 0x80)
		s.segment(start+shown, 0x16, screen, []byte{0x10, 0, n + 1, 0, 0, 0, 0})
		s.segment(start+shown, 0x17, window)
		s.segment(start+shown, 0x80)
	}
	return s
}

// pgsStream is made of segments: "PG", PTS and DTS in 1/90000 s, kind, length, data.
type pgsStream []byte

func (s *pgsStream) segment(at time.Duration, kind byte, data ...[]byte) {
	all := bytes.Join(data, nil)
	b := append(*s, "PG"...)
	b = binary.BigEndian.AppendUint32(b, uint32(at*90000/time.Second))
	b = append(b, 0, 0, 0, 0, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	*s = append(b, all...)
}
