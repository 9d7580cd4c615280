package transcode

import "encoding/binary"

// longestHead bounds what is read of a body before it is known whether it can be
// read as a stream. What is in front of an index are boxes of some hundred bytes.
const longestHead = 256 << 10

// layout is how the head of a body says that it is to be read.
type layout int

const (
	streamed  layout = iota // from begin to end
	spooled                 // an MP4 file whose index is behind the media
	undecided               // more of it is needed
)

// layoutOf looks at how a body begins: at the boxes of an MP4 or QuickTime file
// (ISO/IEC 14496-12 §4.2), until the index or the media comes. All else, and what is
// no box, is for the worker to judge.
func layoutOf(head []byte) layout {
	for at := uint64(0); ; {
		rest := head[min(at, uint64(len(head))):]
		if len(rest) < 8 {
			return undecided
		}
		size, kind := uint64(binary.BigEndian.Uint32(rest)), string(rest[4:8])
		switch kind {
		case "moov", "moof", "styp", "sidx":
			return streamed
		case "mdat":
			return spooled
		case "ftyp", "free", "skip", "wide", "pnot", "uuid", "pdin", "prft", "emsg":
		default:
			return streamed
		}
		switch {
		case size == 1 && len(rest) < 16:
			return undecided
		case size == 1:
			size = binary.BigEndian.Uint64(rest[8:])
		}
		if size < 8 || size > longestHead { // to the end of the file, or no sense
			return streamed
		}
		at += size
	}
}
