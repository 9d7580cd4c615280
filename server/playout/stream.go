package playout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Container is a form in which a session is played out as one stream.
type Container string

// The containers, by the names that their files have.
const (
	MP4      Container = "mp4"
	TS       Container = "ts"
	Matroska Container = "mkv"
)

// Containers lists them.
func Containers() []Container { return []Container{MP4, TS, Matroska} }

// ContentType returns the media type of a container for an HTTP answer.
func (c Container) ContentType() string {
	switch c {
	case TS:
		return "video/mp2t"
	case Matroska:
		return "video/x-matroska"
	default:
		return "video/mp4"
	}
}

// muxer writes samples in one container. A segment's are handed on when its last one is written.
type muxer interface {
	write(s Sample) error
}

// buffered is how much of a segment is gathered before it is handed on, in bytes: blocks and transport
// packets are small.
const buffered = 64 << 10

// Stream writes all that a Reader reads into w, as a container has it, until the film's end, which is no error,
// and flushes after each segment. It buffers no more than a segment. Errors are those of Next and of w, and
// those of the container, which wrap the errors of its package, or ErrChanged.
func (r *Reader) Stream(ctx context.Context, c Container, w io.Writer, flush func() error) error {
	out := bufio.NewWriterSize(&taken{w, r}, buffered)
	m, err := r.muxer(c, out)
	if err != nil {
		return err
	}
	for {
		s, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.write(s); err != nil {
			return err
		}
		if !s.Last {
			continue
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
}

// taken keeps a Reader's session while a segment is written: who takes it slowly takes it still.
type taken struct {
	w io.Writer
	r *Reader
}

// Write implements io.Writer.
func (t *taken) Write(data []byte) (sum int, err error) {
	for chunk := range slices.Chunk(data, buffered) {
		n, err := t.w.Write(chunk)
		sum += n
		if err == nil {
			err = t.r.keep()
		}
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// muxer writes the head of a container.
func (r *Reader) muxer(c Container, out io.Writer) (muxer, error) {
	switch c {
	case MP4:
		return newMovie(r, out)
	case TS:
		return newTransport(r, out)
	case Matroska:
		return newMatroska(r, out)
	}
	return nil, fmt.Errorf("%w: %.20q", ErrContainer, c)
}
