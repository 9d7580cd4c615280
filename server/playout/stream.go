package playout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/upscaled-media/upscaled/worker/wire"
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

// Text reports whether a container holds subtitles.
func (c Container) Text() bool { return c == Matroska }

// Source is a session as samples: a Reader or a Broadcast. It belongs to one goroutine at a time.
type Source interface {
	Film() wire.Opened
	Picture() Track
	Sound() (_ Track, is bool)
	Text() (_ wire.TextInfo, is bool)
	// Next waits for the next sample in the order of decoding; io.EOF: there is none any more.
	Next(ctx context.Context) (Sample, error)
	// Keep says that samples are still being taken. The error is what the session ended with.
	Keep() error
	Close()
}

// muxer writes samples in one container. They are handed on when the one that is Last is written.
type muxer interface {
	write(s Sample) error
	// end hands on what waits for that.
	end() error
}

// buffered is how much of a segment is gathered before it is handed on, in bytes: blocks and transport
// packets are small.
const buffered = 64 << 10

// Stream writes all that a Source has into w, as a container has it, until its end, which is no error,
// and flushes after each sample that is Last. It buffers no more than what lies between two of those. Errors are
// those of Next and of w, and those of the container, which wrap the errors of its package, or ErrChanged.
func Stream(ctx context.Context, from Source, c Container, w io.Writer, flush func() error) error {
	out := bufio.NewWriterSize(&taken{w, from}, buffered)
	m, err := newMuxer(c, from, out)
	if err != nil {
		return err
	}
	handOn := func() error {
		if err := out.Flush(); err != nil {
			return err
		}
		return flush()
	}
	for waits := false; ; {
		s, err := from.Next(ctx)
		if errors.Is(err, io.EOF) && waits {
			if err := m.end(); err != nil {
				return err
			}
			return handOn()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.write(s); err != nil {
			return err
		}
		if waits = !s.Last; waits {
			continue
		}
		if err := handOn(); err != nil {
			return err
		}
	}
}

// taken keeps a session while a segment is written: who takes it slowly takes it still.
type taken struct {
	w    io.Writer
	from Source
}

// Write implements io.Writer.
func (t *taken) Write(data []byte) (sum int, err error) {
	for chunk := range slices.Chunk(data, buffered) {
		n, err := t.w.Write(chunk)
		sum += n
		if err == nil {
			err = t.from.Keep()
		}
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// newMuxer writes the head of a container.
func newMuxer(c Container, from Source, out io.Writer) (muxer, error) {
	if _, is := from.Text(); is && !c.Text() {
		return nil, fmt.Errorf("%w: %s with subtitles", ErrContainer, c)
	}
	switch c {
	case MP4:
		return newMovie(from, out)
	case TS:
		return newTransport(from, out)
	case Matroska:
		return newMatroska(from, out)
	}
	return nil, fmt.Errorf("%w: %.20q", ErrContainer, c)
}
