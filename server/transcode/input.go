package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// input is what the worker reads.
type input struct {
	kind wire.SourceKind
	file *os.File // the worker's end
	name string   // in sentences
	size int64    // -1: not known
}

// input opens what is to be transcoded. Done lets go of it, once the worker does not
// read any more.
func (t *transcode) input(ctx context.Context) (_ input, done func(), err error) {
	if t.body == nil {
		return t.named(ctx)
	}
	defer when(ctx, t.body.stop)()
	kind, err := t.body.peek()
	if err != nil {
		return input{}, nil, t.stopped(ctx, err)
	}
	if kind == spooled {
		return t.kept(ctx)
	}
	t.answer.w.Header().Set(HeaderSpooled, "no")
	return t.piped(ctx)
}

// stopped returns why the body is not read any more.
func (t *transcode) stopped(ctx context.Context, err error) error {
	if errors.Is(err, errStopped) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// named opens the source that the order names.
func (t *transcode) named(ctx context.Context) (_ input, done func(), err error) {
	film, err := t.o.Sources.Open(ctx, t.order.Source)
	if err != nil {
		return input{}, nil, err
	}
	file, err := film.Take()
	if err != nil {
		return input{}, nil, errors.Join(err, film.Close())
	}
	t.all.Go(func() { _ = film.Run(context.WithoutCancel(ctx)) }) // the worker tells of what it could not read
	in := input{kind: wire.SourceKind(film.Kind()), file: file, name: film.Name(), size: film.Size()}
	return in, func() { _ = film.Close() }, nil // nothing was written
}

// kept has the whole body in a file.
func (t *transcode) kept(ctx context.Context) (_ input, done func(), err error) {
	t.answer.w.Header().Set(HeaderSpooled, "yes")
	t.spooled.Add(1)
	file, size, done, err := t.spool.keep(&counted{t.body, t}, t.body.size)
	if err != nil {
		return input{}, nil, t.stopped(ctx, err)
	}
	return input{kind: wire.SourceFile, file: file, name: "the upload", size: size}, done, nil
}

// piped copies the body to the worker while it comes.
func (t *transcode) piped(ctx context.Context) (_ input, done func(), err error) {
	theirs, pipe, err := os.Pipe()
	if err != nil {
		return input{}, nil, fmt.Errorf("pipe: %w", err)
	}
	t.copied, t.pipe = make(chan error, 1), pipe
	t.all.Go(func() { t.copied <- t.copy(ctx, pipe) })
	return input{kind: wire.SourceStream, file: theirs, name: "the upload", size: t.body.size}, func() {}, nil
}

// copy copies the body to the worker, and ends the pipe only where the body is whole:
// otherwise it ends all else. What the worker does not want is read nevertheless, to
// learn whether it was all there.
func (t *transcode) copy(ctx context.Context, pipe *os.File) (err error) {
	defer when(ctx, func() {
		t.body.stop()
		_ = pipe.SetWriteDeadline(time.Unix(1, 0))
	})()
	defer func() {
		switch {
		case err == nil:
			_ = pipe.Close() // the film's end
		case !errors.Is(err, errStopped):
			t.life.Fail(failure(err), "")
			t.cancel(err)
		}
	}()
	from, buffer := &counted{t.body, t}, make([]byte, block)
	for wanted := true; ; {
		n, err := from.Read(buffer)
		if n > 0 && wanted {
			_, failed := pipe.Write(buffer[:n])
			switch {
			case errors.Is(failed, syscall.EPIPE):
				wanted = false
			case failed != nil && ctx.Err() != nil:
				return errStopped
			case failed != nil:
				return fmt.Errorf("pipe: %w", failed)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// counted is a body whose bytes the endpoint counts.
type counted struct {
	*upload
	of *transcode
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.upload.Read(p)
	c.of.received.Add(int64(n))
	return n, err
}
