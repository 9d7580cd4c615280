package pipeline

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/upscaled-media/upscaled/container"
)

// Streams are films that come once and in order. Their probe has what the beginning
// tells, which is kept for the run: see source.Stream.

// StreamHead is how many bytes of a stream may be read before its first picture: the
// index of a long film in MP4, and what a badly interleaved file puts in front.
const StreamHead = 16 << 20

// streamRoom is how much of a stream is read behind its first picture, in a format
// that does not list its streams at its beginning: sound lies closer by.
const streamRoom = 256 << 10

// streamed adds to what the probe of a stream found what the kept beginning tells, or
// says why it found nothing.
func (f Film) streamed(m Media, err error) (Media, error) {
	s := f.stream()
	head := s.Head()
	switch {
	case err == nil:
	case len(head) == 0 && s.Whole():
		return Media{}, fail(CodeEmpty, nil, "%s is empty", f.Name)
	case indexLast(head):
		return Media{}, fail(CodeNotStream, nil, "%s is an MP4 file with its index at the end, which cannot be read as a stream; make one with the index in front (faststart)", f.Name)
	default:
		return Media{}, err
	}
	x, err := container.Read(bytes.NewReader(head), int64(len(head)))
	if err != nil {
		return Media{}, f.unreadable(err)
	}
	x.Last, x.Mend = 0, container.Over{} // those of the beginning alone
	for i, a := range x.Attachments {
		x.Attachments[i].Data, err = copied(a.Data) // the head goes
		if err != nil {
			return Media{}, f.unreadable(err)
		}
	}
	m.Extras = x
	m.match()
	return m, nil
}

func copied(r *io.SectionReader) (*io.SectionReader, error) {
	data, err := io.ReadAll(r)
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), err
}

// headless says that the beginning of a stream has no picture.
func (f Film) headless() error {
	return fail(CodeNotStream, nil, "%s shows no picture in its first %d MiB, and more of a stream is not kept", f.Name, StreamHead>>20)
}

// indexLast reports whether the beginning is that of an MP4 file whose media lie in
// front of its index (ISO/IEC 14496-12 §8.2.1), so that nothing can be played before
// all of it is there.
func indexLast(head []byte) bool {
	if len(head) < 8 || string(head[4:8]) != "ftyp" {
		return false
	}
	for len(head) >= 8 {
		length := int64(binary.BigEndian.Uint32(head))
		switch string(head[4:8]) {
		case "moov":
			return false
		case "mdat":
			return true
		}
		if length < 8 || length > int64(len(head)) {
			return false
		}
		head = head[length:]
	}
	return false
}

// enough returns what tells that no further stream is to be waited for, once so many
// were seen: in a file never before it was quiet for a while, in a stream when it has
// what its header lists, or some more was read.
func (p *probe) enough() func(seen int) bool {
	if p.stream == nil {
		return func(int) bool { return false }
	}
	from := len(p.stream.Head())
	listed := flvStreams(p.stream.Head())
	return func(seen int) bool {
		return listed > 0 && seen >= listed || p.stream.Whole() || len(p.stream.Head()) >= min(from+streamRoom, StreamHead)
	}
}

// flvStreams returns how many streams the header of an FLV file lists (Adobe Flash
// Video File Format Specification 10.1, annex E.2), 0 for other files.
func flvStreams(head []byte) int {
	if len(head) < 5 || string(head[:3]) != "FLV" {
		return 0
	}
	const sound, picture = 4, 1
	flags := []byte{head[4] & sound, head[4] & picture}
	return len(slices.DeleteFunc(flags, func(f byte) bool { return f == 0 }))
}
