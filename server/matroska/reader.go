package matroska

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// MaxElement bounds what a Reader takes for one element, in bytes: a picture of 4320
// rows at the best quality is smaller.
const MaxElement = 64 << 20

// Head is what a stream tells of itself before its first Cluster.
type Head struct {
	Tick   time.Duration // unit of all times
	Tracks []Listed
}

// Listed is a track as the head of a stream lists it.
type Listed struct {
	Number uint64
	Kind   Kind
	// Form is all that a decoder is told of the track. It is the same in two streams whose
	// blocks may follow one another. The track's UID, which is drawn by lot, is not in it,
	// nor is the usual length of a block of sound: matroskamux (1.22) takes that of the
	// first.
	Form string
}

// Kind is a TrackType of RFC 9559 §5.1.4.1.3.
type Kind uint64

// The kinds of tracks that streams have.
const (
	Video    Kind = typeVideo
	Sound    Kind = typeAudio
	Subtitle Kind = typeSubtitle
)

// Block is a SimpleBlock or a BlockGroup.
type Block struct {
	Track  uint64
	At     int64 // ticks from the begin of the film
	Length int64 // ticks; 0 where the block does not tell
	Key    bool  // of pictures: it refers to no other
	Opens  bool  // a Cluster begins with it
	// Start and End are where it lies in the stream, in bytes from its begin. The head of
	// a Cluster that begins with a block belongs to it.
	Start, End int64
	Data       []byte // of the frame; part of Raw
	Raw        []byte // the whole element

	clock int // where its time is in Raw
}

// Reader reads one stream.
type Reader struct {
	r    *bufio.Reader
	head Head

	offset  int64 // of what has been read
	start   int64 // of the Cluster's head where no block has come of it, else −1
	cluster int64 // time of the Cluster, in ticks
	timed   bool  // the Cluster has told it
}

// readerBuffer is what a Reader takes of the stream at once, in bytes.
const readerBuffer = 64 << 10

// NewReader reads a stream up to its first Cluster. Errors wrap ErrForm, or are those of
// r, with io.ErrUnexpectedEOF for a stream that ends in its head.
func NewReader(r io.Reader) (*Reader, error) {
	m := &Reader{r: bufio.NewReaderSize(r, readerBuffer), start: -1}
	if err := m.readHead(); err != nil {
		return nil, unexpected(err)
	}
	return m, nil
}

// Head returns what the stream tells of itself.
func (m *Reader) Head() Head { return m.head }

// unexpected is err, or what io.EOF is where more has to come.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (m *Reader) readHead() error {
	id, size, err := m.header()
	if err != nil {
		return err
	}
	if id != idEBML {
		return fmt.Errorf("%w: it begins with element %x", ErrForm, id)
	}
	if _, err := m.content(size); err != nil {
		return err
	}
	if id, size, err = m.header(); err != nil {
		return err
	}
	if id != idSegment || size != unknown {
		return fmt.Errorf("%w: element %x in place of a Segment of unknown size", ErrForm, id)
	}
	m.head.Tick = usualTick
	for {
		start := m.offset
		if id, size, err = m.header(); err != nil {
			return err
		}
		if id == idCluster {
			return m.enter(start, size)
		}
		content, err := m.content(size)
		if err != nil {
			return err
		}
		if err := m.describe(id, content); err != nil {
			return err
		}
	}
}

// usualTick is the unit of times where Info tells none (RFC 9559 §5.1.2.9).
const usualTick = time.Millisecond

// describe takes an element in front of the Clusters.
func (m *Reader) describe(id uint32, content []byte) (err error) {
	switch id {
	case idInfo:
		err = each(content, func(id uint32, content, _ []byte) error {
			if id == idTimestampScale {
				m.head.Tick = time.Duration(number(content))
			}
			return nil
		})
		if err == nil && (m.head.Tick < time.Microsecond || m.head.Tick > time.Second) {
			err = fmt.Errorf("%w: ticks of %d ns", ErrForm, m.head.Tick)
		}
	case idTracks:
		if m.head.Tracks != nil {
			return fmt.Errorf("%w: it lists its tracks twice", ErrForm)
		}
		m.head.Tracks, err = listed(content)
	case idTags, idSeekHead, idVoid:
	default:
		err = fmt.Errorf("%w: element %x in front of its Clusters", ErrForm, id)
	}
	return err
}

// listed reads the content of Tracks.
func listed(content []byte) (tracks []Listed, err error) {
	err = each(content, func(id uint32, content, _ []byte) error {
		t := Listed{}
		if id != idTrackEntry || len(tracks) == maxTracks {
			return fmt.Errorf("%w: element %x in Tracks, behind %d", ErrForm, id, len(tracks))
		}
		if err := t.read(content); err != nil {
			return err
		}
		if slices.ContainsFunc(tracks, func(other Listed) bool { return other.Number == t.Number }) || t.Number == 0 {
			return fmt.Errorf("%w: a track number %d", ErrForm, t.Number)
		}
		tracks = append(tracks, t)
		return nil
	})
	return tracks, err
}

// read takes the content of a TrackEntry.
func (t *Listed) read(content []byte) error {
	var form, usual []byte
	err := each(content, func(id uint32, content, raw []byte) error {
		switch id {
		case idTrackNumber:
			t.Number = number(content)
		case idTrackType:
			t.Kind = Kind(number(content))
		case idTrackUID:
			return nil
		case idDefaultDuration:
			usual = raw
			return nil
		}
		form = append(form, raw...)
		return nil
	})
	if t.Kind != Sound {
		form = append(form, usual...)
	}
	t.Form = string(form)
	return err
}

// Next returns the next block. At the end of the stream, or where it was cut off behind
// a block, the error is io.EOF, and io.ErrUnexpectedEOF within an element; others wrap
// ErrForm or are those of the reader below.
func (m *Reader) Next() (Block, error) {
	for {
		start := m.offset
		id, size, err := m.header()
		if err != nil {
			return Block{}, err
		}
		if id == idCluster {
			if err := m.enter(start, size); err != nil {
				return Block{}, err
			}
			continue
		}
		raw, err := m.element(id, size)
		if err != nil {
			return Block{}, unexpected(err)
		}
		content := raw[len(raw)-int(size):]
		switch id {
		case idSimpleBlock, idBlockGroup:
			return m.block(id, start, raw, content)
		case idTimestamp:
			m.cluster, m.timed = int64(number(content)&math.MaxInt64), true
		case idPosition, idPrevSize, idVoid:
		default:
			return Block{}, fmt.Errorf("%w: element %x in a Cluster", ErrForm, id)
		}
	}
}

// enter begins a Cluster. One of a known size is none that was made without going back,
// and could not be cut.
func (m *Reader) enter(start, size int64) error {
	if size != unknown {
		return fmt.Errorf("%w: a Cluster of a known size", ErrForm)
	}
	if m.start < 0 {
		m.start = start // an empty Cluster before belongs to the same block
	}
	m.timed = false
	return nil
}

// block returns the block in an element.
func (m *Reader) block(id uint32, start int64, raw, content []byte) (b Block, err error) {
	b = Block{Start: start, End: m.offset, Raw: raw, Opens: m.start >= 0, Key: true}
	if b.Opens {
		b.Start, m.start = m.start, -1
	}
	inner := content
	if id == idBlockGroup {
		if inner, err = b.group(content); err != nil {
			return b, err
		}
	}
	width := 1
	for len(inner) > 0 && inner[0]<<(width-1)&0x80 == 0 && width < 8 {
		width++
	}
	if len(inner) < width+blockHead-1 {
		return b, fmt.Errorf("%w: a block of %d bytes", ErrForm, len(inner))
	}
	flags := inner[width+2]
	b.Track = number(inner[:width]) &^ (1 << (7 * width))
	b.At = m.cluster + int64(int16(binary.BigEndian.Uint16(inner[width:])))
	b.Data = inner[width+blockHead-1:]
	b.clock = cap(raw) - cap(inner[width:]) // both reach to the end of one array
	if id == idSimpleBlock {
		b.Key = flags&0x80 != 0
	}
	switch {
	case !m.timed || b.At < 0 || b.At > m.ticks(longest):
		return b, fmt.Errorf("%w: a block at %d", ErrForm, b.At)
	case flags&0x06 != 0:
		return b, fmt.Errorf("%w: frames laced in a block", ErrForm)
	case !slices.ContainsFunc(m.head.Tracks, func(t Listed) bool { return t.Number == b.Track }):
		return b, fmt.Errorf("%w: a block of track %d", ErrForm, b.Track)
	}
	return b, nil
}

// longest is as long as a film can be.
const longest = 1000 * time.Hour

func (m *Reader) ticks(d time.Duration) int64 { return int64(d / m.head.Tick) }

// group reads the content of a BlockGroup, and returns that of its Block.
func (b *Block) group(content []byte) (inner []byte, err error) {
	err = each(content, func(id uint32, content, _ []byte) error {
		switch id {
		case idBlock:
			if inner != nil {
				return fmt.Errorf("%w: two Blocks in a BlockGroup", ErrForm)
			}
			inner = content
		case idBlockDuration:
			b.Length = int64(min(number(content), math.MaxInt32))
		case idReferenceBlock:
			b.Key = false
		}
		return nil
	})
	return inner, err
}

// header reads the head of an element. The error is that of the reader below where there
// is none.
func (m *Reader) header() (id uint32, size int64, err error) {
	b, short := m.r.Peek(maxHeader)
	if len(b) == 0 {
		return 0, 0, short
	}
	id, size, width := parseHeader(b)
	switch {
	case width > 0:
		m.offset += int64(width)
		_, err = m.r.Discard(width)
		return id, size, err
	case short != nil:
		return 0, 0, unexpected(short)
	}
	return 0, 0, fmt.Errorf("%w: no element at %d", ErrForm, m.offset)
}

func (m *Reader) content(size int64) ([]byte, error) {
	raw, err := m.element(idVoid, size)
	if err != nil {
		return nil, unexpected(err)
	}
	return raw[len(raw)-int(size):], nil
}

// element reads the content of an element and returns all of it, with a head that takes
// no more bytes than it has to. The memory grows with what comes, not with what is announced.
func (m *Reader) element(id uint32, size int64) ([]byte, error) {
	if size == unknown || size > MaxElement {
		return nil, fmt.Errorf("%w: element %x of %d bytes", ErrForm, id, size)
	}
	var b bytes.Buffer
	b.Grow(int(min(size, readerBuffer)) + maxHeader)
	b.Write(appendSize(appendID(nil, id), int(size)))
	n, err := io.CopyN(&b, m.r, size)
	m.offset += n
	return b.Bytes(), err
}
