package container

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"strings"
)

// unknownSize is the size of an element that ends where its parent or the next
// element of its level begins.
const unknownSize = -1

// maxHeader is the length of the longest element header, in bytes.
const maxHeader = 12

// header is an element's ID and size as they stand in front of its content.
type header struct {
	id    uint32
	width int   // bytes of the header itself
	size  int64 // bytes of content, or unknownSize
}

// parseHeader reads the header at the start of b (RFC 8794 §4 to §6).
func parseHeader(b []byte) (header, error) {
	if len(b) == 0 {
		return header{}, errBroken
	}
	idWidth := bits.LeadingZeros8(b[0]) + 1
	if idWidth > 4 || len(b) < idWidth+1 {
		return header{}, errBroken
	}
	var id uint32
	for _, c := range b[:idWidth] {
		id = id<<8 | uint32(c)
	}
	sizeWidth := bits.LeadingZeros8(b[idWidth]) + 1
	if sizeWidth > 8 || len(b) < idWidth+sizeWidth {
		return header{}, errBroken
	}
	unknown := int64(1)<<(7*sizeWidth) - 1
	size := int64(0)
	for _, c := range b[idWidth : idWidth+sizeWidth] {
		size = size<<8 | int64(c)
	}
	size &= unknown
	if size == unknown {
		size = unknownSize
	}
	return header{id: id, width: idWidth + sizeWidth, size: size}, nil
}

// element is an element in memory. raw is all of it, data its content; both
// share the memory of what was parsed.
type element struct {
	id        uint32
	raw, data []byte
}

// children yields the elements that follow one another in b. What does not
// parse ends the walk with errBroken.
func children(b []byte) iter.Seq2[element, error] {
	return func(yield func(element, error) bool) {
		for len(b) > 0 {
			h, err := parseHeader(b)
			if err != nil || h.size == unknownSize || h.size > int64(len(b)-h.width) {
				yield(element{}, errBroken)
				return
			}
			end := h.width + int(h.size)
			if !yield(element{id: h.id, raw: b[:end], data: b[h.width:end]}, nil) {
				return
			}
			b = b[end:]
		}
	}
}

// intact yields the elements of b up to the first that does not parse.
func intact(b []byte) iter.Seq[element] {
	return func(yield func(element) bool) {
		for e, err := range children(b) {
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// asUint is the content as an unsigned integer; one of an impossible size is 0.
func (e element) asUint() uint64 {
	if len(e.data) > 8 {
		return 0
	}
	var v uint64
	for _, c := range e.data {
		v = v<<8 | uint64(c)
	}
	return v
}

// asFloat is the content as a floating point number; one of an impossible size is 0.
func (e element) asFloat() float64 {
	switch len(e.data) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(e.data)))
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(e.data))
	}
	return 0
}

// asText is the content as UTF-8, cut to maxText bytes.
func (e element) asText() string { return e.asTextOf(maxText) }

// asTextOf is the content as UTF-8, cut to a number of bytes.
func (e element) asTextOf(limit int) string {
	text, _, _ := strings.Cut(string(e.data[:min(len(e.data), limit)]), "\x00")
	return strings.ToValidUTF8(text, "")
}

// placed is an element in a file.
type placed struct {
	header
	start int64 // of the header, bytes from the start of the file
}

func (p placed) data() int64 { return p.start + int64(p.width) }

// end is the first byte after the element, or limit if its size is unknown.
func (p placed) end(limit int64) int64 {
	if p.size == unknownSize {
		return limit
	}
	return p.data() + p.size
}

// element reads the header of the element at off.
func (s source) element(off int64) (placed, error) {
	if *s.looks--; *s.looks < 0 {
		return placed{}, errBroken
	}
	b, err := s.bytes(off, min(maxHeader, s.size-off))
	if err != nil {
		return placed{}, err
	}
	h, err := parseHeader(b)
	return placed{header: h, start: off}, err
}

// elements yields the elements between two offsets by their headers alone. One
// that reaches beyond end is yielded as it is.
func (s source) elements(start, end int64) iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		for start < end {
			p, err := s.element(start)
			if !yield(p, err) || err != nil {
				return
			}
			start = p.end(end)
		}
	}
}

// content loads the content of an element of at most limit bytes.
func (s source) content(p placed, limit int64) ([]byte, error) {
	if p.size == unknownSize || p.size > limit {
		return nil, errBroken
	}
	return s.bytes(p.data(), p.size)
}

func appendID(b []byte, id uint32) []byte {
	width := max((bits.Len32(id)+7)/8, 1)
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte(id>>(8*i)))
	}
	return b
}

// sizeWidth is the fewest bytes that hold a size. All ones is unknownSize, so
// the largest value of each width needs the next.
func sizeWidth(size int64) int {
	width := 1
	for size >= int64(1)<<(7*width)-1 {
		width++
	}
	return width
}

// appendSize writes a size in a given number of bytes, 1 to 8.
func appendSize(b []byte, size int64, width int) []byte {
	marked := uint64(size) | 1<<(7*width)
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte(marked>>(8*i)))
	}
	return b
}

// appendHeader writes the header of an element whose content follows.
func appendHeader(b []byte, id uint32, size int64) []byte {
	return appendSize(appendID(b, id), size, sizeWidth(size))
}

func appendElement(b []byte, id uint32, data []byte) []byte {
	return append(appendHeader(b, id, int64(len(data))), data...)
}

func appendText(b []byte, id uint32, text string) []byte {
	return append(appendHeader(b, id, int64(len(text))), text...)
}

func appendUint(b []byte, id uint32, v uint64) []byte {
	width := max((bits.Len64(v)+7)/8, 1)
	b = appendHeader(b, id, int64(width))
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

func appendFlag(b []byte, id uint32, set bool) []byte {
	if set {
		return appendUint(b, id, 1)
	}
	return appendUint(b, id, 0)
}

// appendVoid fills n bytes, n other than 1, with a Void element.
func appendVoid(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	width := sizeWidth(int64(n))
	b = appendSize(appendID(b, idVoid), int64(n-1-width), width)
	return append(b, make([]byte, n-1-width)...)
}
