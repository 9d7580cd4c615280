package session

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Films is the Starter of the server: films from where clients may name them, and
// workers from a pool.
type Films struct {
	Sources *source.Opener
	Workers *pool.Pool
}

// Start implements Starter. Its errors are those of both, too.
func (f Films) Start(ctx context.Context, name string, job Job, handler Handler) (_ Worker, opened wire.Opened, err error) {
	film, err := f.Sources.Open(ctx, name)
	if err != nil {
		return nil, opened, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, film.Close())
		}
	}()
	// It serves the worker for as long as the session lives, and ends with Close.
	job.Go(func() { _ = film.Run(context.WithoutCancel(ctx)) }) // the worker tells of what it could not read
	worker, err := f.Workers.Take(ctx, job.Session, handler)
	if err != nil {
		return nil, opened, err
	}
	w := filmWorker{worker, film}
	if opened, err = w.open(ctx, job.Open); err != nil {
		err = errors.Join(err, worker.Close(context.WithoutCancel(ctx)))
	}
	return w, opened, err
}

// filmWorker is a worker that lets go of its film when it ends.
type filmWorker struct {
	*pool.Worker
	film *source.Source
}

// open has the worker open the film. The server's copy of the descriptor goes, so
// that the end of the worker can be seen on it.
func (w filmWorker) open(ctx context.Context, m wire.Open) (wire.Opened, error) {
	file, err := w.film.Take()
	if err != nil {
		return wire.Opened{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written through it
	m.Name, m.Size = w.film.Name(), w.film.Size()
	return w.Open(ctx, m, pool.Source{Kind: wire.SourceKind(w.film.Kind()), File: file})
}

func (w filmWorker) Close(ctx context.Context) error {
	return errors.Join(w.Worker.Close(ctx), w.film.Close())
}
