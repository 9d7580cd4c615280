package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Models tells what a worker must know of a model.
type Models interface {
	// Scale returns how many times larger a model makes a picture, 1 to 4. It
	// loads the model, so that it is there when it is needed.
	Scale(name string) (int, error)
	// Add makes a model known under a name. The data is not the caller's any more.
	Add(name string, data []byte) error
}

// Config is what a worker is given by its process.
type Config struct {
	Models  Models
	Hello   wire.Hello
	Threads pipeline.Threads
	Log     *slog.Logger
}

// Stall is how long nothing may move in a run that is not at its limit before it
// counts as hung. With what the server waits for Stats it is below the 5 seconds
// within which a session that hangs is to end.
const Stall = 4 * time.Second

// Serve works for the server at the other end until that says Stop, goes away, or
// breaks the protocol. It returns when all that it started has ended; nil after
// Stop. The descriptors are closed then. An error that wraps pipeline.ErrStuck says
// that a thread of GStreamer's or ONNX Runtime's hangs: only the end of the process
// ends that.
func Serve(ctx context.Context, ends wire.Ends, cfg Config) error {
	w := &worker{
		cfg: cfg, conn: wire.NewConn(ends.Frames), descriptors: ends.Descriptors,
		runs: map[uint32]*run{}, streams: map[wire.Stream]*run{}, born: time.Now(),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w.cancel = cancel
	var stats sync.WaitGroup
	err := w.conn.Write(cfg.Hello)
	if err == nil {
		stats.Go(func() { w.tell(ctx) })
		stop := context.AfterFunc(ctx, func() { _ = ends.Frames.Close() }) // ends the read
		err = w.read(ctx)
		stop()
	}
	if cause := context.Cause(ctx); errors.Is(cause, pipeline.ErrStuck) {
		err = cause // which has closed the socket
	}
	cancel(errStopped)
	w.work.Wait()
	stats.Wait()
	w.closeFilm()
	return errors.Join(err, closeEnds(ends))
}

func closeEnds(ends wire.Ends) error {
	err := errors.Join(ends.Frames.Close(), ends.Descriptors.Close())
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// errStopped is the cause of what ends with the worker.
var errStopped = errors.New("the worker stops")

// worker is the state of one process.
type worker struct {
	cfg         Config
	conn        *wire.Conn
	descriptors *net.UnixConn
	born        time.Time
	cancel      context.CancelCauseFunc
	work        sync.WaitGroup // what Open, Prepare, Measure, Play and Transcode began
	setting     chan struct{}  // closed when the newest Set is done; nil before the first. Used by read alone.

	mu      sync.Mutex
	opening bool                 // guarded by mu; Open or Prepare has come
	film    *film                // guarded by mu; nil before Opened
	job     *job                 // guarded by mu; nil before Prepared
	runs    map[uint32]*run      // guarded by mu; those that have not ended
	streams map[wire.Stream]*run // guarded by mu; the newest run of each stream
	past    figures              // guarded by mu; of runs that have ended
}

// read does what the server says. It returns nil after Stop.
func (w *worker) read(ctx context.Context) error {
	m, err := w.conn.Read()
	if err != nil {
		return err
	}
	if hello, ok := m.(wire.Hello); !ok || hello.Version != wire.Version {
		return errors.New("the server speaks another version")
	}
	for {
		m, err := w.conn.Read()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the server is gone")
		case err != nil:
			return err
		}
		switch m := m.(type) {
		case wire.Load:
			err = w.load(m)
		case wire.Open:
			err = w.open(ctx, m)
		case wire.Relay:
			err = w.relay(ctx, m)
		case wire.Prepare:
			err = w.prepare(ctx, m)
		case wire.Transcode:
			err = w.transcode(ctx, m)
		case wire.Play:
			w.play(ctx, m)
		case wire.Limit:
			w.limit(m)
		case wire.Halt:
			w.halt(m.Run)
		case wire.Set:
			w.setNext(m)
		case wire.KeyFrame:
			w.reply(wire.Reply{ID: m.ID, Error: public(w.keyFrame(m.Run))})
		case wire.Measure:
			w.start(func() { w.reply(w.measure(ctx, m)) })
		case wire.Stop:
			w.cancel(errStopped)
			return nil
		default:
			err = errors.New("the server sent what only a worker sends")
		}
		if err != nil {
			return err
		}
	}
}

// setNext answers Set once all before it are done: of two for one setting the later
// one stays.
func (w *worker) setNext(m wire.Set) {
	before, done := w.setting, make(chan struct{})
	w.setting = done
	w.start(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		w.reply(wire.Reply{ID: m.ID, Error: public(w.set(m))})
	})
}

// start runs f on a goroutine that Serve waits for.
func (w *worker) start(f func()) { w.work.Go(f) }

// reply answers. A socket that takes nothing any more ends the read, too.
func (w *worker) reply(r wire.Reply) {
	if err := w.conn.Write(r); err != nil && !errors.Is(err, net.ErrClosed) {
		w.cfg.Log.Debug("reply lost", "err", err)
	}
}

// public returns an error as the server gets it, nil for nil.
func public(err error) *wire.Error {
	if err == nil {
		return nil
	}
	var known *pipeline.Error
	if !errors.As(err, &known) {
		return &wire.Error{Code: string(pipeline.CodeInternal), Sentence: "the worker failed", Detail: cut(err.Error(), maxDetail)}
	}
	public := &wire.Error{Code: string(known.Code), Sentence: cut(known.Sentence, maxSentence)}
	if errors.Is(err, infer.ErrProvider) { // no fault of the model's, and told to whoever named the provider
		public.Code, public.Sentence = wire.CodeProvider, "the provider cannot run the model here"
	}
	if known.Cause != nil {
		public.Detail = cut(known.Cause.Error(), maxDetail)
	}
	return public
}

// fail returns an error of the pipeline's kind.
func fail(code pipeline.Code, sentence string) error {
	return &pipeline.Error{Code: code, Sentence: sentence}
}

// Inherited returns the connection that a worker process finds open when it is
// started.
func Inherited() (wire.Ends, error) {
	frames, descriptors, err := wire.Inherited()
	return wire.Ends{Frames: frames, Descriptors: descriptors}, err
}

// closeAll closes what a film was read from.
func closeAll(files ...io.Closer) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // only read from
		}
	}
}

var _ io.Closer = (*os.File)(nil)
