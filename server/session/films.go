package session

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Films is the Starter of the server: films from where clients may name them, and
// workers from a pool.
type Films struct {
	Sources *source.Opener
	Workers *pool.Pool
	Models  *models.Catalogue // nil: workers have every model
	Tariff  *Tariff           // nil: films open without a Cost, so that only their number is bounded
}

// Start implements Starter. Its errors are those of both, too.
func (f Films) Start(ctx context.Context, name string, job Job, handler Handler) (_ Worker, opened wire.Opened, err error) {
	w, costs, err := f.take(ctx, name, job.Session, job.Open.Upscale, job.Go, handler)
	if err != nil {
		return nil, opened, err
	}
	job.Open.Costs = costs
	if opened, err = w.open(ctx, job.Open); err != nil {
		return nil, opened, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
	}
	return w, opened, nil
}

// Transcoder is a worker that makes a film into another one; *pool.Worker is one. Any
// goroutine may call its methods.
type Transcoder interface {
	// Transcode begins to write to a file, which stays the caller's.
	Transcode(ctx context.Context, run uint32, output *os.File) error
	Limit(run uint32, segment int) error // of 0 pauses, of 1 goes on; it does not wait
	Halt(run uint32) error               // does not wait
	// Close ends the process as Worker's does.
	Close(ctx context.Context) error
}

// Prepare opens the source that a client named and has a worker of its own prepare to
// make it into another film: m is without ID, Name, Size and Costs. What runs beside
// the worker is started by start, and ends with Close, or, after an error, with
// Prepare. Nothing is left behind after an error, also of ctx.
func (f Films) Prepare(
	ctx context.Context, name, session string, m wire.Prepare, start func(func()), handler Handler,
) (_ Transcoder, prepared wire.Prepared, err error) {
	w, costs, err := f.take(ctx, name, session, m.Upscale, start, handler)
	if err != nil {
		return nil, prepared, err
	}
	m.Costs = costs
	if prepared, err = w.prepare(ctx, m); err != nil {
		return nil, prepared, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
	}
	return w, prepared, nil
}

// take opens a source and takes a worker for it, which has the model and knows what
// that costs where anybody does.
func (f Films) take(
	ctx context.Context, name, session string, u wire.Upscale, start func(func()), handler Handler,
) (*filmWorker, *wire.Costs, error) {
	film, err := f.Sources.Open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	// It serves the worker for as long as the session lives, and ends with Close.
	start(func() { _ = film.Run(context.WithoutCancel(ctx)) }) // the worker tells of what it could not read
	w, costs, err := f.equip(ctx, session, u, handler)
	if err != nil {
		return nil, nil, errors.Join(err, film.Close())
	}
	w.film = film
	return w, costs, nil
}

// Equip takes a worker that has the model it is to run, with what that costs on this
// machine, nil where nobody knows. The caller closes it. Nothing is left behind after
// an error.
func (f Films) Equip(ctx context.Context, session string, u wire.Upscale, h Handler) (*pool.Worker, *wire.Costs, error) {
	w, costs, err := f.equip(ctx, session, u, h)
	if err != nil {
		return nil, nil, err
	}
	return w.Worker, costs, nil
}

func (f Films) equip(ctx context.Context, session string, u wire.Upscale, h Handler) (_ *filmWorker, costs *wire.Costs, err error) {
	worker, err := f.Workers.Take(ctx, session, h)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, worker.Close(context.WithoutCancel(ctx)))
		}
	}()
	w := &filmWorker{Worker: worker, models: f.Models}
	if err := w.know(ctx, u.Model); err != nil {
		return nil, nil, err
	}
	if f.Tariff != nil {
		if costs, err = f.Tariff.Learn(ctx, measureOf(u), worker); err != nil {
			return nil, nil, err
		}
	}
	return w, costs, nil
}

// Measure has a worker measure the machine, so that the first film need not. That it
// fails is no error: it is logged, and a film tries again.
func (f Films) Measure(ctx context.Context, m wire.Measure) error {
	worker, err := f.Workers.Take(ctx, "", mute{})
	if err != nil {
		return err
	}
	w := &filmWorker{Worker: worker, models: f.Models}
	if err := w.know(ctx, m.Model); err == nil {
		_, _ = f.Tariff.Learn(ctx, m, w) // which logs it
	} else {
		f.Tariff.Log.Warn("measuring the machine failed", "model", m.Model, "err", err)
	}
	return worker.Close(context.WithoutCancel(ctx)) // which is bounded by itself
}

// filmWorker is a worker that lets go of its film when it ends, and is given the
// models that it does not have before it is to run them.
type filmWorker struct {
	*pool.Worker
	film   *source.Source
	models *models.Catalogue

	mu    sync.Mutex
	knows map[string]bool // guarded by mu; models that were given to it
}

// know sees to it that the worker has a model.
func (w *filmWorker) know(ctx context.Context, model string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.models == nil || w.knows[model] {
		return nil
	}
	file, err := w.models.Open(model)
	if err != nil || file == nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read from
	m, _ := w.models.Find(model)
	if err := w.Load(ctx, model, m.SHA256, file); err != nil {
		return err
	}
	if w.knows == nil {
		w.knows = map[string]bool{}
	}
	w.knows[model] = true
	return nil
}

// Play implements Worker.
func (w *filmWorker) Play(ctx context.Context, m wire.Play) error {
	if m.Upscale != nil {
		if err := w.know(ctx, m.Upscale.Model); err != nil {
			return err
		}
	}
	return w.Worker.Play(ctx, m)
}

// Set implements Worker.
func (w *filmWorker) Set(ctx context.Context, m wire.Set) error {
	if m.Model != nil {
		if err := w.know(ctx, *m.Model); err != nil {
			return err
		}
	}
	return w.Worker.Set(ctx, m)
}

// open has the worker open the film. The server's copy of the descriptor goes, so
// that the end of the worker can be seen on it.
func (w *filmWorker) open(ctx context.Context, m wire.Open) (wire.Opened, error) {
	file, err := w.film.Take()
	if err != nil {
		return wire.Opened{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written through it
	m.Name, m.Size = w.film.Name(), w.film.Size()
	return w.Open(ctx, m, pool.Source{Kind: wire.SourceKind(w.film.Kind()), File: file})
}

// prepare is open for a film that is made into another one.
func (w *filmWorker) prepare(ctx context.Context, m wire.Prepare) (wire.Prepared, error) {
	file, err := w.film.Take()
	if err != nil {
		return wire.Prepared{}, err
	}
	defer func() { _ = file.Close() }() // nothing was written through it
	m.Name, m.Size = w.film.Name(), w.film.Size()
	return w.Prepare(ctx, m, pool.Source{Kind: wire.SourceKind(w.film.Kind()), File: file})
}

// Close implements Worker.
func (w *filmWorker) Close(ctx context.Context) error {
	return errors.Join(w.Worker.Close(ctx), w.film.Close())
}

// mute is the handler of a worker that plays nothing.
type mute struct{}

func (mute) Init(wire.Init)         {}
func (mute) Packet(wire.Packet)     {}
func (mute) Cue(wire.Cue)           {}
func (mute) Progress(wire.Progress) {}
func (mute) Written(wire.Written)   {}
func (mute) Ended(wire.Ended)       {}
func (mute) Stats(wire.Stats)       {}
func (mute) Warning(wire.Warning)   {}
func (mute) Gone(error)             {}
