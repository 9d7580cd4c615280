package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxSamples bounds the samples that a piece of fMP4 announces: a minute has a tenth. The library makes room for as many
// as a box of 20 bytes says, again and again.
const maxSamples = 100_000

// piece is the body of an answer. The library reads it whole; it is handed on when it is.
type piece struct {
	io.ReadCloser // what comes

	left    int64
	watched *watched
	whole   *bytes.Reader // nil before it has come
}

// Read implements io.Reader.
func (p *piece) Read(b []byte) (int, error) {
	if p.whole == nil {
		data, err := io.ReadAll(readFunc(p.receive))
		if err == nil && samples(data) > maxSamples {
			err = fmt.Errorf("more than %d samples", maxSamples)
			p.watched.note(again(err, "%q has a piece that is damaged", p.watched.name), nil)
		}
		if err != nil {
			return 0, err
		}
		p.whole = bytes.NewReader(data)
	}
	return p.whole.Read(b)
}

// readFunc is an io.Reader.
type readFunc func(b []byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// receive reads what comes, within bounds.
func (p *piece) receive(b []byte) (int, error) {
	if p.left <= 0 {
		err := fmt.Errorf("more than %d bytes", maxPiece)
		p.watched.note(again(err, "%q has a piece that is too large", p.watched.name), nil)
		return 0, err
	}
	n, err := p.ReadCloser.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	if far := p.watched.count(n); far != nil {
		return n, far
	}
	if err != nil && !errors.Is(err, io.EOF) {
		p.watched.note(unreachable(p.watched.name, err), err)
	}
	return n, err
}

// samples returns how many samples a piece announces where it is one of fMP4 (ISO/IEC 14496-12 §4.2, §8.8.8). All that
// could be taken for a box of samples counts, wherever it lies but in media data; of a box that ends before it begins, no
// reader knows what follows, and there are too many.
func samples(data []byte) (n int64) {
	if bytes.HasPrefix(data, []byte{tsSync}) || bytes.HasPrefix(data, []byte("#EXTM3U")) {
		return 0 // as boxes these would be larger than any piece
	}
	for len(data) >= 8 {
		head, size := uint64(8), uint64(binary.BigEndian.Uint32(data))
		switch {
		case size == 0:
			size = uint64(len(data)) // to the end
		case size == 1 && len(data) >= 16:
			head, size = 16, binary.BigEndian.Uint64(data[8:])
		}
		if size < head {
			return maxSamples + 1
		}
		box := data[:min(size, uint64(len(data)))]
		if string(box[4:8]) != "mdat" {
			n += runs(box)
		}
		data = data[len(box):]
	}
	return n
}

// runs returns how many samples the boxes in a box announce.
func runs(box []byte) (n int64) {
	for at := 4; ; at += 4 {
		next := bytes.Index(box[at:], []byte("trun"))
		if next < 0 {
			return n
		}
		at += next
		count := at + 8 // behind type, version and flags
		if binary.BigEndian.Uint32(box[at-4:]) == 1 {
			count += 8 // behind a size of 64 bits, too
		}
		if count+4 <= len(box) {
			n += int64(binary.BigEndian.Uint32(box[count:]))
		}
	}
}
