package container

import (
	"encoding/binary"
	"iter"
)

// box is an MP4 box in a file (ISO/IEC 14496-12 §4.2).
type box struct {
	kind             string // four characters
	start, data, end int64  // of the header, of the content, and after it: bytes from the start of the file
	open             bool   // the box says that it reaches to the end of the file
}

// box reads the header of the box at off, which ends no later than limit.
func (s source) box(off, limit int64) (box, error) {
	if *s.looks--; *s.looks < 0 {
		return box{}, errBroken
	}
	b, err := s.bytes(off, min(16, limit-off))
	if err != nil {
		return box{}, err
	}
	if len(b) < 8 {
		return box{}, errBroken
	}
	size, width := int64(binary.BigEndian.Uint32(b)), int64(8)
	open := size == 0
	switch {
	case open:
		size = limit - off
	case size == 1 && len(b) == 16:
		size, width = int64(binary.BigEndian.Uint64(b[8:])), 16
	}
	if size < width || size > limit-off {
		return box{}, errBroken
	}
	return box{kind: string(b[4:8]), start: off, data: off + width, end: off + size, open: open}, nil
}

// boxes yields the boxes between two offsets; what does not parse ends the walk.
func (s source) boxes(start, end int64) iter.Seq2[box, error] {
	return func(yield func(box, error) bool) {
		for start < end {
			b, err := s.box(start, end)
			if !yield(b, err) || err != nil {
				return
			}
			start = b.end
		}
	}
}

// find descends from a box along a path of kinds, to the first box of each. A
// box that is not there is errBroken.
func (s source) find(in box, path ...string) (box, error) {
	for _, kind := range path {
		found := false
		for b, err := range s.boxes(in.data, in.end) {
			if err != nil {
				return box{}, err
			}
			if b.kind == kind {
				in, found = b, true
				break
			}
		}
		if !found {
			return box{}, errBroken
		}
	}
	return in, nil
}

// load finds a box and reads at most limit bytes of its content.
func (s source) load(limit int64, in box, path ...string) (fields, error) {
	b, err := s.find(in, path...)
	if err != nil {
		return nil, err
	}
	return s.bytes(b.data, min(b.end-b.data, limit))
}

// fields is the content of a box with fields at fixed offsets. One that is not
// all there reads as 0, as does anything in a missing box.
type fields []byte

func (f fields) u8(off int) uint8 {
	if off >= len(f) {
		return 0
	}
	return f[off]
}

func (f fields) u16(off int) uint16 {
	if off+2 > len(f) {
		return 0
	}
	return binary.BigEndian.Uint16(f[off:])
}

func (f fields) u32(off int) uint32 {
	if off+4 > len(f) {
		return 0
	}
	return binary.BigEndian.Uint32(f[off:])
}

func (f fields) u64(off int) uint64 {
	if off+8 > len(f) {
		return 0
	}
	return binary.BigEndian.Uint64(f[off:])
}

// from is what follows off.
func (f fields) from(off int) fields { return f[min(off, len(f)):] }

// wide picks between the offsets that a field has in versions 0 and 1 of a full
// box, whose times are 32 or 64 bits wide.
func (f fields) wide(version0, version1 int) int {
	if f.u8(0) == 1 {
		return version1
	}
	return version0
}

func appendBox(b []byte, kind string, content []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(8+len(content)))
	return append(append(b, kind...), content...)
}
