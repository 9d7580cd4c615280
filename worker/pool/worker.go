package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// outbound is how many messages to a worker may wait. They are few, and small; a
// worker behind which more pile up does not read.
const outbound = 256

// Handler is told what a worker sends. Its methods are called by one goroutine,
// which reads nothing meanwhile: they must be quick, and not call Close. Time
// that they take is not counted against the worker. One that panics ends the worker
// as one that broke the protocol, and must hold no lock then.
type Handler interface {
	Init(m wire.Init)
	Packet(m wire.Packet) // the data is the handler's to keep
	Cue(m wire.Cue)
	Progress(m wire.Progress)
	Written(m wire.Written)
	Ended(m wire.Ended)
	Stats(m wire.Stats)
	Warning(m wire.Warning)
	// Gone is called once, after all else: with nil when Close ended the worker,
	// with a *GoneError otherwise. The process is gone, then, unless the cause is
	// ErrSurvivor.
	Gone(err error)
}

// Source is where a worker reads its film.
type Source struct {
	Kind wire.SourceKind
	File *os.File // stays the caller's; the worker gets a copy
}

// Worker is the server's end of a worker process.
type Worker struct {
	o       *Options
	process *process
	words   words
	conn    *wire.Conn
	hello   wire.Hello
	ready   time.Time // when Hello came
	out     chan wire.Message
	quiet   chan struct{} // closed when stderr is read to its end
	done    chan struct{} // closed after Gone

	once  sync.Once
	ended chan struct{} // closed when the worker is to end

	handing sync.Mutex // held while a descriptor and its request are sent
	mu      sync.Mutex
	handler Handler // guarded by mu; nil while spare
	log     *slog.Logger
	gone    bool                       // guarded by mu: nobody can take it any more
	opened  bool                       // guarded by mu: it has its film
	cause   error                      // guarded by mu: why ended was closed
	last    uint32                     // guarded by mu: id of a request
	asked   map[uint32]chan wire.Reply // guarded by mu; each takes one
}

func newWorker(o *Options, p *process) *Worker {
	log := o.Log.With("pid", p.cmd.Process.Pid)
	return &Worker{
		o: o, process: p, words: words{log: log}, log: log, conn: wire.NewConn(p.ends.Frames),
		out: make(chan wire.Message, outbound), quiet: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{}),
		asked: map[uint32]chan wire.Reply{},
	}
}

// Hello returns what the worker runs on.
func (w *Worker) Hello() wire.Hello { return w.hello }

// PID returns the number of the process.
func (w *Worker) PID() int { return w.process.cmd.Process.Pid }

// Open gives the worker its film; the message's ID is the Worker's to choose, as
// in all requests. It may be called once. The error is a *wire.Error when the
// worker refuses, which it survives.
func (w *Worker) Open(ctx context.Context, m wire.Open, source Source) (wire.Opened, error) {
	return film(ctx, w, w.o.Open, source, "open", func(id uint32) wire.Message { m.ID = id; return m }, func(r wire.Reply) *wire.Opened { return r.Opened })
}

// Prepare gives the worker a film to transcode, in place of Open. How long the head of
// a stream takes to come is its sender's matter: the caller bounds it.
func (w *Worker) Prepare(ctx context.Context, m wire.Prepare, source Source) (wire.Prepared, error) {
	bound := w.o.Open
	if source.Kind == wire.SourceStream {
		bound = math.MaxInt64
	}
	return film(ctx, w, bound, source, "prepare", func(id uint32) wire.Message { m.ID = id; return m }, func(r wire.Reply) *wire.Prepared { return r.Prepared })
}

// Relay gives the worker a live stream, in place of Open. Packets may come before
// Relay returns. When the first of the stream comes is its sender's; ctx bounds that.
func (w *Worker) Relay(ctx context.Context, m wire.Relay, source Source) (wire.Opened, error) {
	return film(ctx, w, math.MaxInt64, source, "relay", func(id uint32) wire.Message { m.ID = id; return m }, func(r wire.Reply) *wire.Opened { return r.Opened })
}

// film gives a worker its film, which may be done once, and returns the facts that
// are due in the reply.
func film[Facts any](
	ctx context.Context, w *Worker, bound time.Duration, source Source, what string, request func(id uint32) wire.Message, facts func(wire.Reply) *Facts,
) (none Facts, _ error) {
	w.mu.Lock()
	again := w.opened
	w.opened = true
	w.mu.Unlock()
	if again {
		return none, ErrOpened
	}
	r, err := w.ask(ctx, bound, source, request)
	if err != nil {
		return none, err
	}
	if found := facts(r); found != nil {
		return *found, nil
	}
	return none, w.violated("reply to " + what + " without facts")
}

// Transcode begins to make what was prepared, into a file that stays the caller's.
func (w *Worker) Transcode(ctx context.Context, run uint32, output *os.File) error {
	_, err := w.ask(ctx, w.o.Reply, Source{wire.SourceOutput, output}, func(id uint32) wire.Message { return wire.Transcode{ID: id, Run: run} })
	return err
}

// Load gives the worker the file of a model, which stays the caller's.
func (w *Worker) Load(ctx context.Context, model, sha256 string, file *os.File) error {
	_, err := w.ask(ctx, w.o.Reply, Source{wire.SourceModel, file}, func(id uint32) wire.Message {
		return wire.Load{ID: id, Model: model, SHA256: sha256}
	})
	return err
}

// Play starts a run. Its packets may come before Play returns.
func (w *Worker) Play(ctx context.Context, m wire.Play) error {
	_, err := w.ask(ctx, w.o.Reply, Source{}, func(id uint32) wire.Message { m.ID = id; return m })
	return err
}

// Set changes what runs; it returns when the change is in effect.
func (w *Worker) Set(ctx context.Context, m wire.Set) error {
	_, err := w.ask(ctx, w.o.Reply, Source{}, func(id uint32) wire.Message { m.ID = id; return m })
	return err
}

// KeyFrame makes the next picture of a run a key frame.
func (w *Worker) KeyFrame(ctx context.Context, run uint32) error {
	_, err := w.ask(ctx, w.o.Reply, Source{}, func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: run} })
	return err
}

// Measure has a worker without a film measure the machine.
func (w *Worker) Measure(ctx context.Context, m wire.Measure) (wire.Costs, error) {
	r, err := w.ask(ctx, w.o.Open, Source{}, func(id uint32) wire.Message { m.ID = id; return m })
	if err != nil {
		return wire.Costs{}, err
	}
	if r.Costs == nil {
		return wire.Costs{}, w.violated("reply to measure without costs")
	}
	return *r.Costs, nil
}

// Limit moves a run's limit. It never waits; the error says that the worker is
// ended.
func (w *Worker) Limit(run uint32, segment int) error {
	return w.send(wire.Limit{Run: run, Segment: segment})
}

// Halt ends a run. It never waits; the error says that the worker is ended.
func (w *Worker) Halt(run uint32) error { return w.send(wire.Halt{Run: run}) }

// Close tells the worker to stop, kills it when it takes longer than
// Options.Stop, and returns when it is reaped, its descriptors are closed and
// Gone was called. When ctx ends first it returns its cause, and the end goes on
// without it. Closing again waits likewise.
func (w *Worker) Close(ctx context.Context) error {
	w.end(ErrClosed)
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ask sends a request, with a descriptor where there is one, and waits for the
// reply.
func (w *Worker) ask(ctx context.Context, bound time.Duration, with Source, request func(id uint32) wire.Message) (wire.Reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, bound, ErrNoReply)
	defer cancel()
	id, reply := w.expect()
	defer w.forget(id)
	if err := w.submit(request(id), with); err != nil {
		return wire.Reply{}, err
	}
	select {
	case r := <-reply:
		if r.Error != nil {
			return wire.Reply{}, r.Error
		}
		return r, nil
	case <-ctx.Done():
		return wire.Reply{}, context.Cause(ctx)
	case <-w.ended:
		return wire.Reply{}, w.over()
	}
}

// submit queues a request behind its descriptor. Descriptors are in the order of
// the requests.
func (w *Worker) submit(m wire.Message, with Source) error {
	if with.File == nil {
		return w.send(m)
	}
	w.handing.Lock()
	defer w.handing.Unlock()
	descriptors := w.process.ends.Descriptors
	err := descriptors.SetWriteDeadline(time.Now().Add(w.o.Heartbeat))
	if err == nil {
		err = wire.SendSource(descriptors, with.Kind, with.File)
	}
	switch {
	case err == nil:
		return w.send(m)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.end(errHung) // it does not take them
		return w.over()
	case died(err), errors.Is(err, net.ErrClosed): // the latter once the dead is buried
		w.end(err)
		return w.over()
	default:
		return fmt.Errorf("descriptor for a worker: %w", err)
	}
}

// expect makes the ID of a request.
func (w *Worker) expect() (uint32, <-chan wire.Reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	reply := make(chan wire.Reply, 1)
	w.asked[w.last] = reply
	return w.last, reply
}

func (w *Worker) forget(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.asked, id)
}

// send queues a message. A worker for whom the queue is full hangs.
func (w *Worker) send(m wire.Message) error {
	select {
	case <-w.ended:
		return w.over()
	default:
	}
	select {
	case w.out <- m:
		return nil
	default:
		w.end(errHung)
		return w.over()
	}
}

// end has the worker end; the first cause counts. It does not wait.
func (w *Worker) end(cause error) {
	w.once.Do(func() {
		w.mu.Lock()
		w.cause = cause
		w.mu.Unlock()
		close(w.ended)
	})
}

// because returns why the worker is to end, nil while it is not.
func (w *Worker) because() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cause
}

// over is the error of a call to a worker that is to end.
func (w *Worker) over() error {
	if cause := w.because(); !orderly(cause) {
		return fmt.Errorf("%w: %w", ErrGone, cause)
	}
	return ErrClosed
}

// violated ends a worker that broke the protocol.
func (w *Worker) violated(what string) error {
	err := fmt.Errorf("%w: %s", wire.ErrProtocol, what)
	w.end(err)
	return err
}

// take gives a spare to a session, and reports whether it still lives.
func (w *Worker) take(session string, h Handler) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return false
	}
	w.handler, w.log = h, w.log.With("session", session)
	w.words.name(w.log)
	return true
}

// owner returns the handler, nil while there is none.
func (w *Worker) owner() Handler {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handler
}

// logger returns what is said of the worker with.
func (w *Worker) logger() *slog.Logger {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log
}

// leave marks the worker as one that nobody can take any more and returns its
// handler.
func (w *Worker) leave() (Handler, *slog.Logger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	return w.handler, w.log
}
