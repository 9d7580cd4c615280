package transcode

import (
	"encoding/binary"
	"testing"
)

func box(kind string, data ...byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(data))), kind...), data...)
}

func long(kind string, size uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{0, 0, 0, 1}, kind...), size)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestLayoutOf(t *testing.T) {
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2")...)
	for name, c := range map[string]struct {
		head []byte
		want layout
	}{
		"Matroska":              {[]byte("\x1aE\xdf\xa3\x01\x00\x00\x00"), streamed},
		"MPEG-TS":               {append([]byte{0x47, 0x40}, make([]byte, 186)...), streamed},
		"one byte of an MP4":    {[]byte{0}, undecided},
		"nothing":               {nil, undecided},
		"fast start":            {join(ftyp, box("moov")[:8]), streamed},
		"index at the end":      {join(ftyp, box("free"), []byte{0x7f, 0, 0, 0}, []byte("mdat")), spooled},
		"long media":            {join(ftyp, long("mdat", 1<<40)), spooled},
		"media to the end":      {join(ftyp, []byte{0, 0, 0, 0}, []byte("mdat")), spooled},
		"QuickTime":             {join(box("wide"), box("mdat")), spooled},
		"fragments":             {join(ftyp, box("moof")), streamed},
		"ftyp alone":            {ftyp, undecided},
		"half a box":            {ftyp[:12], undecided},
		"long box to come":      {join(ftyp, []byte{0, 0, 0, 1}, []byte("free")), undecided},
		"a box without a size":  {join(ftyp, []byte{0, 0, 0, 3}, []byte("free")), streamed},
		"a very long box":       {join(ftyp, []byte{1, 0, 0, 0}, []byte("free")), streamed},
		"an overflowing box":    {join(ftyp, long("free", 1<<63+5)), streamed},
		"MPEG program stream":   {[]byte("\x00\x00\x01\xba\x44\x00\x04\x00\x04\x01"), streamed},
		"its first three bytes": {[]byte("\x00\x00\x01"), undecided},
	} {
		if got := layoutOf(c.head); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// FuzzLayoutOf holds it to two rules: more bytes never change what was decided, and
// a long head is decided.
func FuzzLayoutOf(f *testing.F) {
	f.Add(join(box("ftyp", 1, 2, 3), box("free"), box("mdat")), 9)
	f.Add(join(box("ftyp"), long("free", 20), []byte{0, 0, 0, 0}, box("moov")), 20)
	f.Fuzz(func(t *testing.T, head []byte, n int) {
		n = max(0, min(n, len(head)))
		if part, all := layoutOf(head[:n]), layoutOf(head); part != undecided && part != all {
			t.Errorf("%d bytes are %d, all %d", n, part, all)
		}
		padded := append(append([]byte(nil), head...), make([]byte, 2*longestHead)...)
		if layoutOf(padded) == undecided {
			t.Error("nothing is decided")
		}
	})
}
