package pipeline

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/go-gst/go-gst/gst"
)

// Containers announce their length in bytes at their beginning and that of the
// film in their headers. Both are compared with what is there: demuxers end a
// file that breaks off as if it were whole. See docs/decisions/0007.

// shortBytes is the part of a file's announced bytes that may be missing, and
// of its announced duration; shortTime may be missing of any.
const (
	shortBytes = 0.02
	shortTime  = time.Second
)

// brokenOff returns a sentence about a file that has fewer bytes than it
// announces, "" for one that has them or announces none.
func brokenOff(r io.ReaderAt, size int64) string {
	announced := announcedSize(r, size)
	if float64(size) >= float64(announced)*(1-shortBytes) {
		return ""
	}
	return fmt.Sprintf("it breaks off: %d of its %d kB are there", size>>10, announced>>10)
}

// announcedSize returns the length in bytes that a file of a given size says it
// has, 0 when it says none.
func announcedSize(r io.ReaderAt, size int64) int64 {
	b := make([]byte, 64)
	n, _ := r.ReadAt(b, 0) // what could not be read is not looked at
	b = b[:n]
	switch {
	case n >= 12 && string(b[:4]) == "RIFF":
		return 8 + int64(binary.LittleEndian.Uint32(b[4:]))
	case n >= 8 && binary.BigEndian.Uint32(b) == 0x1a45dfa3:
		return segmentEnd(b)
	case n >= 8 && string(b[4:8]) == "ftyp":
		return boxesEnd(r, size)
	}
	return 0
}

// segmentEnd returns where the segment of a Matroska file ends, which follows
// its EBML header (RFC 8794 §4), 0 when that is not said.
func segmentEnd(b []byte) int64 {
	length, n := vint(b[4:])
	at := int64(4+n) + length
	if n == 0 || at < 0 || at+12 > int64(len(b)) || binary.BigEndian.Uint32(b[at:]) != 0x18538067 {
		return 0
	}
	length, n = vint(b[at+4:])
	if n == 0 || length == 1<<(7*n)-1 { // all ones: unknown, as in live recordings
		return 0
	}
	return at + 4 + int64(n) + length
}

// vint reads a variable-size integer of EBML (RFC 8794 §4) of n bytes; n is 0
// when there is none.
func vint(b []byte) (v int64, n int) {
	for n = 1; n <= 8 && n <= len(b); n++ {
		if b[0]&(0x80>>(n-1)) == 0 {
			continue
		}
		v = int64(b[0]) &^ (0x80 >> (n - 1))
		for _, next := range b[1:n] {
			v = v<<8 | int64(next)
		}
		return v, n
	}
	return 0, 0
}

// maxBoxes bounds the look at a file's boxes: a fragmented film has two for
// every few seconds.
const maxBoxes = 1 << 14

// boxesEnd returns where the last box at the top of an MP4 file ends
// (ISO/IEC 14496-12 §4.2), at most the first that ends behind the file.
func boxesEnd(r io.ReaderAt, size int64) int64 {
	at := int64(0)
	for range maxBoxes {
		var b [16]byte
		if n, _ := r.ReadAt(b[:], at); n < 8 {
			return at
		}
		length := int64(binary.BigEndian.Uint32(b[:]))
		switch length {
		case 1:
			length = int64(binary.BigEndian.Uint64(b[8:]))
		case 0: // to the end of the file
			return 0
		}
		if length < 8 || at+length < at {
			return 0 // no box: something was appended
		}
		if at += length; at >= size {
			return at
		}
	}
	return 0
}

// measured counts what comes out of a pad of the source, to know how far the
// source has got. The caller holds mu.
func (b *built) measured(pad *gst.Pad) { b.streams = append(b.streams, newCounter(pad)) }

// whole returns an *Error with CodeDamaged when the source ended long before
// the duration that it announces.
func (b *built) whole(p Plan) error {
	end := p.Media.promised()
	if s := p.Spec; s.Duration > 0 {
		end = min(end, s.Start+s.Duration)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	reached := time.Duration(0)
	for _, c := range b.streams {
		reached = max(reached, c.end())
	}
	reached += p.Spec.Start
	if end-reached <= max(shortTime, time.Duration(float64(end)*shortBytes)) {
		return nil
	}
	return fail(CodeDamaged, nil, "the source breaks off at %s of %s; --duration takes what is there",
		reached.Round(10*time.Millisecond), p.Media.Duration.Round(10*time.Millisecond))
}
