package matroska

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// Tick is the unit of all times in a stream.
const Tick = 100 * time.Microsecond

// MaxBack is how far a block may lie before the latest one. Tracks of one stream are seldom
// apart by more than a second; what lies farther back is a clock that jumped, which is for
// the caller to repair.
const MaxBack = 10 * time.Second

// Writer writes one stream. Its methods may not be called at once.
type Writer struct {
	w      io.Writer
	kinds  []uint64 // of the tracks
	buffer []byte   // of one Write, used again
	err    error    // of the Write that failed; what follows would not be Matroska

	clustered bool
	cluster   int64 // time of the Cluster that is open, in ticks
	latest    int64 // of all blocks, in ticks
}

// NewWriter writes the head of a live stream, in one Write. Errors of the tracks wrap ErrTrack;
// nothing was written then.
func NewWriter(w io.Writer, tracks []Track) (*Writer, error) { return NewFilm(w, tracks, 0) }

// NewFilm is NewWriter for a stream whose end is known: players show how much is left. 0 stands for an end
// that nobody knows.
func NewFilm(w io.Writer, tracks []Track, end time.Duration) (*Writer, error) {
	described, err := tracksElement(tracks)
	if err != nil {
		return nil, err
	}
	m := &Writer{w: w, kinds: make([]uint64, len(tracks))}
	for i, t := range tracks {
		m.kinds[i] = t.Codec.kind()
	}
	info := appendUint(nil, idTimestampScale, uint64(Tick))
	if end > 0 {
		info = appendFloat(info, idDuration, float64(end)/float64(Tick))
	}
	info = appendText(info, idMuxingApp, "upscaled")
	info = appendText(info, idWritingApp, "upscaled")

	m.buffer = appendElement(m.buffer, idEBML, head())
	m.buffer = append(appendID(m.buffer, idSegment), unknownSize...)
	m.buffer = appendElement(m.buffer, idInfo, info)
	m.buffer = append(m.buffer, described...)
	return m, m.flush()
}

// head returns the content of the EBML header. Version 4 is that of LanguageBCP47, CodecDelay
// and SeekPreRoll; who reads version 2 knows SimpleBlock, and all else may be passed over.
func head() []byte {
	b := appendUint(nil, idEBMLVersion, 1)
	b = appendUint(b, idEBMLReadVersion, 1)
	b = appendUint(b, idEBMLMaxIDLength, 4)
	b = appendUint(b, idEBMLMaxSizeLength, 8)
	b = appendText(b, idDocType, "matroska")
	b = appendUint(b, idDocTypeVersion, 4)
	return appendUint(b, idDocTypeReadVersion, 2)
}

// Write writes a frame of a track, given by its place in NewWriter's list, in one Write. Frames come
// in decoding order; pts is the time at which one is shown or heard, 0 or later. key says
// that decoding can begin here, and is true of all sound. A Cluster begins at each key frame of
// the picture, and where 16 bits do not hold a block's distance from the Cluster's time.
//
// Errors wrap ErrTrack or ErrBlock, after which the stream can go on, or are those of
// the writer below, after which it cannot: every call then returns that error.
func (m *Writer) Write(track int, pts time.Duration, key bool, data []byte) error {
	at, err := m.place(track, pts, data)
	if err != nil {
		return err
	}
	m.enter(at, key && m.kinds[track] == typeVideo)
	var flags byte
	if key {
		flags = 0x80 // RFC 9559 §10.2
	}
	m.appendBlock(idSimpleBlock, track, at, flags, data)
	return m.flush()
}

// WriteText writes a cue, which lasts as long as it is told, in one Write. It is otherwise like Write.
func (m *Writer) WriteText(track int, pts, duration time.Duration, text string) error {
	at, err := m.place(track, pts, []byte(text))
	if err != nil {
		return err
	}
	if duration <= 0 {
		return fmt.Errorf("%w: a cue of %v", ErrBlock, duration)
	}
	m.enter(at, false)
	lasts := appendUint(nil, idBlockDuration, uint64(ticks(duration)))
	m.buffer = appendSize(appendID(m.buffer, idBlockGroup), blockSize(len(text))+len(lasts))
	m.appendBlock(idBlock, track, at, 0, []byte(text))
	m.buffer = append(m.buffer, lasts...)
	return m.flush()
}

// Close ends the stream. Its elements need no end, so nothing is written; the writer
// below is the caller's to close.
func (m *Writer) Close() error {
	if m.err != nil {
		return m.err
	}
	m.err = ErrClosed
	return nil
}

// place checks a block and returns its time in ticks.
func (m *Writer) place(track int, pts time.Duration, data []byte) (int64, error) {
	at := ticks(pts)
	switch {
	case m.err != nil:
		return 0, m.err
	case track < 0 || track >= len(m.kinds):
		return 0, fmt.Errorf("%w: track %d of %d", ErrTrack, track, len(m.kinds))
	case len(data) == 0:
		return 0, fmt.Errorf("%w: no data at %v", ErrBlock, pts)
	case pts < 0:
		return 0, fmt.Errorf("%w: time %v", ErrBlock, pts)
	case at < m.latest-int64(MaxBack/Tick):
		return 0, fmt.Errorf("%w: time %v after %v", ErrBlock, pts, time.Duration(m.latest)*Tick)
	}
	return at, nil
}

func ticks(t time.Duration) int64 { return int64(t.Round(Tick) / Tick) }

// enter begins a Cluster at a time where one is due.
func (m *Writer) enter(at int64, key bool) {
	m.latest = max(m.latest, at)
	distance := at - m.cluster
	if m.clustered && !key && distance >= math.MinInt16 && distance <= math.MaxInt16 {
		return
	}
	m.clustered, m.cluster = true, at
	m.buffer = append(appendID(m.buffer, idCluster), unknownSize...)
	m.buffer = appendUint(m.buffer, idTimestamp, uint64(at))
}

// blockHead is the length of what stands before a block's data: track, time and flags.
const blockHead = 4

// blockSize is the size of a Block element, with its header, that holds so much data.
func blockSize(data int) int { return len(appendSize(nil, blockHead+data)) + 1 + blockHead + data }

// appendBlock writes a SimpleBlock or Block (RFC 9559 §10).
func (m *Writer) appendBlock(id uint32, track int, at int64, flags byte, data []byte) {
	m.buffer = slices.Grow(m.buffer, blockSize(len(data)))
	m.buffer = appendSize(appendID(m.buffer, id), blockHead+len(data))
	m.buffer = append(m.buffer, 0x80|byte(track+1))
	m.buffer = binary.BigEndian.AppendUint16(m.buffer, uint16(int16(at-m.cluster)))
	m.buffer = append(append(m.buffer, flags), data...)
}

// maxKept bounds the memory that a Writer keeps for its next block, in bytes.
const maxKept = 1 << 20

// flush hands on what was gathered.
func (m *Writer) flush() error {
	_, m.err = m.w.Write(m.buffer)
	if m.buffer = m.buffer[:0]; cap(m.buffer) > maxKept {
		m.buffer = nil
	}
	return m.err
}
