package pipeline

import (
	"context"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/container"
	"github.com/upscaled-media/upscaled/elements/adjust"
	"github.com/upscaled-media/upscaled/elements/source"
)

// The ends of a plan: what is read, and what is written.

// WithOutput returns p with its file written to path.
func (p Plan) WithOutput(path string) Plan {
	p.Spec.Output, p.out = path, nil
	p.Graph.Mux = p.muxer()
	return p
}

// To returns p with its file written to f, which stays the caller's: a file that is
// empty and can be read, too, or where Spec.Stream is set whatever takes bytes. What
// waits to be written must not hold up its end, so f is set to not block, for all who
// share it.
func (p Plan) To(f *os.File) Plan {
	p.out = f
	p.Graph.Mux = p.muxer()
	return p
}

// From returns p with the film read in place of the file at Media.Path. The film has to
// be the one that was probed.
func (p Plan) From(f Film) Plan {
	p.film = &f
	rest := p.Graph.Source[1:]
	p.Graph.Source = append([]Node{{Factory: "readersrc", Name: "source"}}, rest...)
	return p
}

// The lengths of what is written at once to who reads while it is made, in the units
// of the muxers' properties.
const (
	fragmentMS = "500"
	clusterNS  = "500000000"
)

// muxer returns the muxer and the sink. Matroska's gets a name of itself with
// room behind it, in which Finish writes.
func (p *Plan) muxer() []Node {
	mux := Node{Factory: "matroskamux", Name: "mux", Props: []Prop{{"writing-app", container.WritingApp("upscaled", p.Changes)}}}
	switch s := p.Spec; {
	case s.Container == TS:
		mux = Node{Factory: "mpegtsmux", Name: "mux"}
	case s.Container == MP4 && s.Stream:
		mux = Node{Factory: "mp4mux", Name: "mux", Props: []Prop{{"fragment-duration", fragmentMS}, {"streamable", "true"}}}
	case s.Container == MP4:
		mux = Node{Factory: "mp4mux", Name: "mux", Props: []Prop{{"faststart", "true"}}}
	case s.Stream:
		mux.Props = []Prop{{"writing-app", "upscaled"}, {"streamable", "true"}, {"min-cluster-duration", clusterNS}, {"max-cluster-duration", clusterNS}}
	}
	sink := Node{Factory: "filesink", Name: "sink", Props: []Prop{{"location", p.Spec.Output}, {"sync", "false"}, {"async", "false"}}}
	if p.out != nil {
		sink.Factory, sink.Props[0] = "fdsink", Prop{"fd", strconv.Itoa(descriptor(p.out))}
	}
	return []Node{mux, sink}
}

// descriptor returns the number of a file's descriptor, −1 for one that is closed.
// File.Fd would have it block.
func descriptor(f *os.File) int {
	number := -1
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { number = int(fd) }) // of a closed file it is not called
	}
	return number
}

// connect gives the ends of what is built what they read and write, and the filters
// what they do.
func (p *Plan) connect(b *built) error {
	if e := b.named["adjust"]; e != nil {
		adjuster, err := adjust.Of(e.Unsafe())
		if err != nil {
			return fail(CodeInternal, err, "no filters")
		}
		if err := adjuster.Set(*p.Spec.Filters, p.Spec.Cube); err != nil {
			return fail(CodeSpec, err, "filters: %s", err.Error())
		}
	}
	if p.out != nil {
		if err := unix.SetNonblock(descriptor(p.out), true); err != nil {
			return fail(CodeOutput, err, "the output cannot be written to")
		}
	}
	if p.film == nil {
		return nil
	}
	if err := source.Attach(b.named["source"].Unsafe(), p.film.Reader); err != nil {
		return fail(CodeInternal, err, "the source takes no reader")
	}
	if s := p.film.stream(); s != nil {
		s.LetGo() // this is the last reader
	}
	return nil
}

// waits reports whether a stream at one of the ends is what everything waits for.
func (p *Plan) waits() bool {
	if p.film != nil && p.film.stream() != nil && p.film.stream().Waiting() {
		return true
	}
	if p.out == nil || !p.Spec.Stream {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(descriptor(p.out)), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 0 // full
}

// Finish writes into the file that Run has made what GStreamer's muxer cannot:
// chapters, attachments, the flags of tracks. It does nothing to a stream.
func Finish(ctx context.Context, p Plan) error {
	if p.Spec.Stream || p.Spec.Container == TS {
		return nil
	}
	changes := p.Changes
	if p.attachments {
		x, done, err := p.attached(ctx)
		if err != nil {
			return err
		}
		defer done()
		changes.Attachments = x
	}
	var err error
	if p.out != nil {
		err = container.FinishFile(p.out, changes)
	} else {
		err = container.Finish(p.Spec.Output, changes)
	}
	if err != nil {
		return fail(CodeInternal, err, "chapters and labels could not be written")
	}
	return nil
}

// attached returns the attachments of the source, which can be read until done is
// called.
func (p *Plan) attached(ctx context.Context) (x []container.Attachment, done func(), err error) {
	done = func() {}
	if p.Media.Streamed {
		return p.Media.Extras.Attachments, done, nil // they were in its head
	}
	var reader source.Reader
	if p.film != nil {
		reader = p.film.Reader
	} else {
		f, err := os.Open(p.Media.Path)
		if err != nil {
			return nil, nil, fail(CodeUnreadable, err, "the source is gone; its attachments could not be kept")
		}
		done = func() { _ = f.Close() } // only read from
		if reader, err = source.NewFile(f); err != nil {
			done()
			return nil, nil, fail(CodeUnreadable, err, "the source cannot be read; its attachments could not be kept")
		}
	}
	extras, err := container.Read(source.At(ctx, reader), reader.Size())
	if err != nil {
		done()
		return nil, nil, fail(CodeUnreadable, err, "the source cannot be read; its attachments could not be kept")
	}
	return extras.Attachments, done, nil
}
