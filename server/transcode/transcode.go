package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	run = 1 // number of the one run of the worker

	// block is the size of the buffer each way; pipes hold as much again.
	block = 64 << 10
	// lastPart is the time that a part under way has to go out whole when all ends: only
	// behind a whole one can a trailer say why.
	lastPart = 500 * time.Millisecond
	// telling is how often the progress is told.
	telling = 500 * time.Millisecond
	// conclusion bounds the wait for the worker's word about its output, which has
	// come to its end.
	conclusion = 5 * time.Second
)

// transcode is one request. The goroutine of the request has it, but for what is
// said.
type transcode struct {
	*Endpoint
	order    *Order
	settings session.Settings
	body     *upload // nil: order.Source
	answer   *answer

	cancel  context.CancelCauseFunc // ends all; for any goroutine
	all     sync.WaitGroup          // its goroutines
	ended   chan wire.Ended         // takes the one of the run
	life    *session.Life           // set by admit
	worker  *pool.Worker
	copied  chan struct{} // closed when the body's copying has ended; nil where there is none
	copying error         // how it ended; read once copied is closed
	pipe    *os.File      // that the body is copied to; nil where there is no copying

	mu     sync.Mutex
	length time.Duration // guarded by mu: of what is made, 0: not known
	began  time.Time     // guarded by mu: when the worker began to write, zero before
	made   wire.Written  // guarded by mu: as the worker told last
}

// admit waits for a place among the sessions.
func (t *transcode) admit(ctx context.Context) error {
	about := session.About{Kind: session.KindTranscode, Source: t.order.Source, Settings: t.settings}
	if t.body != nil {
		about.Source = "upload"
	}
	return t.places.pass(ctx, t.o.QueueWait, t.o.Sessions.Freed, func() (err error) {
		t.life, err = t.o.Sessions.Begin(about)
		return err
	})
}

// live is the session from its begin to its end.
func (t *transcode) live(ctx context.Context) (rest bool, err error) {
	t.answer.w.Header().Set(HeaderSession, t.life.ID())
	defer t.life.Conclude()
	t.all.Go(func() { t.watch(ctx) })
	err = t.make(ctx)
	if err == nil {
		t.life.End(session.CauseEOS)
		if err = t.life.Err(); ended(err, session.CauseEOS) {
			err = nil
		}
	}
	err = t.fail(t.unless(t.because(err)))
	t.cancel(err)
	if t.worker != nil {
		_ = t.worker.Close(context.WithoutCancel(ctx)) // which is bounded by itself
	}
	if t.pipe != nil {
		_ = t.pipe.Close() // not before: to a worker the end of the pipe is that of the film
	}
	if t.body != nil {
		t.body.stop()
	}
	t.all.Wait()
	t.tell()
	return t.body != nil && !t.body.whole.Load(), err
}

// fail ends the session for an error, and returns why it really ended.
func (t *transcode) fail(err error) error {
	switch {
	case err == nil:
		return nil
	case left(err) && t.body != nil && !t.body.whole.Load():
		t.life.Fail(failure(incomplete(err)), "")
	default:
		t.life.Fail(failure(err), "")
	}
	if over := t.life.Err(); !left(err) && over != nil && !same(over, err) {
		return over
	}
	return err
}

// same reports whether a session ended for an error, which may say more of it than
// the session does.
func same(over, err error) bool {
	e, ok := errors.AsType[*session.EndedError](over)
	return ok && e.Failure != nil && e.Failure.Code == failure(err).Code
}

func ended(err error, cause session.Cause) bool {
	e, ok := errors.AsType[*session.EndedError](err)
	return ok && e.Cause == cause
}

// unless returns why the transcode was ended where an error is but the effect of
// that.
func (t *transcode) unless(err error) error {
	if err == nil || t.life == nil {
		return err
	}
	if over := t.life.Err(); over != nil {
		return over
	}
	return err
}

// because returns why the body could not be read where all has ended at the same
// time: net/http ends a request of which it cannot read on.
func (t *transcode) because(err error) error {
	if t.copied == nil || !left(err) {
		return err
	}
	t.cancel(err) // which ends the copying
	<-t.copied
	if t.copying != nil && !errors.Is(t.copying, errStopped) {
		return t.copying
	}
	return err
}

// watch ends all when the session is to end, and tells of the progress until then.
func (t *transcode) watch(ctx context.Context) {
	tick := time.NewTicker(telling)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.life.Ending():
			t.cancel(t.life.Err())
			return
		case <-tick.C:
			t.tell()
		}
	}
}

// make makes the result.
func (t *transcode) make(ctx context.Context) error {
	input, done, err := t.input(ctx)
	if err != nil {
		return err
	}
	defer done()
	defer func() { _ = input.file.Close() }() // where no worker comes
	worker, costs, err := t.o.Workers.Equip(ctx, t.life.ID(), t.settings.Upscale(), handler{t})
	if err != nil {
		return err
	}
	t.worker = worker
	prepared, err := worker.Prepare(ctx, wire.Prepare{
		Name: input.name, Size: input.size, Upscale: t.settings.Upscale(), Output: t.order.Output, Costs: costs,
	}, pool.Source{Kind: input.kind, File: input.file})
	_ = input.file.Close() // the worker has its own; its end is seen once this one is gone
	if err != nil {
		return err
	}
	t.describe(prepared)
	if err := t.book(ctx, prepared.Cost); err != nil {
		return err
	}
	if err := t.deliver(ctx); err != nil {
		return err
	}
	return t.settle(ctx)
}

// describe tells of the film.
func (t *transcode) describe(p wire.Prepared) {
	length := p.Duration
	if length > 0 {
		length = max(0, length-t.order.Output.Start)
	}
	if d := t.order.Output.Duration; d > 0 && (length == 0 || d < length) {
		length = d
	}
	t.mu.Lock()
	t.length = length
	t.mu.Unlock()
	t.life.Describe(wire.Opened{Container: p.Container, Duration: p.Duration, Video: p.Video, Plan: p.Plan, Cost: p.Cost})
	t.life.Log().Info("transcode prepared", "container", p.Container, "duration", p.Duration, "size", p.Video.Size,
		"encoding", p.Encoding, "core_ms", p.Cost.CoreMS)
}

// book waits until the machine has time. What could not be made in real time even
// by all of the machine takes all of it.
func (t *transcode) book(ctx context.Context, cost wire.Cost) error {
	return t.costs.pass(ctx, t.o.QueueWait, t.o.Sessions.Freed, func() error {
		for {
			err := t.life.Book(cost)
			refused, is := errors.AsType[*session.RefusedError](err)
			switch {
			case !is || refused.RetryAfter > 0:
				return err
			case refused.Reason == session.ReasonCPU && cost.CoreMS > refused.Limit:
				cost.CoreMS = refused.Limit
			case refused.Reason == session.ReasonGPU && cost.GPUMS > refused.Limit && refused.Limit > 0:
				cost.GPUMS = refused.Limit
			default:
				return err
			}
		}
	})
}

// deliver has the worker write and sends what it writes, to its end.
func (t *transcode) deliver(ctx context.Context) error {
	output, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer func() { _ = output.Close() }() // only read
	defer when(ctx, func() { _ = output.SetReadDeadline(time.Unix(1, 0)) })()
	err = t.worker.Transcode(ctx, run, theirs)
	_ = theirs.Close() // the worker has its own
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.began = time.Now()
	t.mu.Unlock()
	buffer := make([]byte, block)
	for {
		n, err := output.Read(buffer)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n > 0 {
			if err := t.send(ctx, buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("result: %w", err)
		}
	}
}

// send sends a part of the result.
func (t *transcode) send(ctx context.Context, data []byte) error {
	if !t.answer.begun {
		t.answer.begin(t.order)
		t.life.Playing()
	}
	defer when(ctx, func() { _ = t.answer.control.SetWriteDeadline(time.Now().Add(lastPart)) })()
	n, err := t.answer.Write(data)
	t.sent.Add(int64(n))
	if left(err) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// settle returns how the transcode ended whose output is at its end: the worker says
// so, and the body's end must be a true one, unless only a part of the film was
// wanted.
func (t *transcode) settle(ctx context.Context) error {
	select {
	case end := <-t.ended:
		switch {
		case end.Error != nil:
			return end.Error
		case end.Halted:
			return errors.New("worker halted a run that it was not to halt")
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(conclusion):
		return fmt.Errorf("%w: no word about the end of the output", pool.ErrNoReply)
	}
	if !t.answer.begun {
		return &wire.Error{Code: "worker_failed", Sentence: "The result is empty."}
	}
	if t.copied == nil {
		return nil
	}
	if t.order.Output.Duration > 0 {
		t.body.stop() // what else comes is not wanted
		<-t.copied
		if !errors.Is(t.copying, errStopped) {
			return t.copying
		}
		return nil
	}
	select {
	case <-t.copied:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return t.copying
}

// tell tells how far it is.
func (t *transcode) tell() {
	p := session.Progress{Written: t.answer.written.Load()}
	if t.body != nil {
		p.Read = t.body.read.Load()
	}
	t.mu.Lock()
	m, began := t.made, t.began
	p.Duration = t.length
	t.mu.Unlock()
	p.Position, p.Decoded, p.Upscaled, p.Plain, p.Encoded = m.Position, m.Decoded, m.Upscaled, m.Plain, m.Encoded
	if !began.IsZero() {
		p.Left = p.Estimate(time.Since(began))
	}
	t.life.Progress(p)
}

// when calls do once ctx has ended, unless stop is called before, which waits for a
// do that goes on.
func when(ctx context.Context, do func()) (stop func()) {
	done := make(chan struct{})
	off := context.AfterFunc(ctx, func() {
		defer close(done)
		do()
	})
	return func() {
		if !off() {
			<-done
		}
	}
}

// handler takes what the worker says.
type handler struct{ *transcode }

// Init implements session.Handler, like the methods below. Packets come of films
// that are played.
func (handler) Init(wire.Init)         {}
func (handler) Packet(wire.Packet)     {}
func (handler) Cue(wire.Cue)           {}
func (handler) Progress(wire.Progress) {}

func (h handler) Written(m wire.Written) {
	h.mu.Lock()
	h.made = m
	h.mu.Unlock()
	h.tell()
}

func (h handler) Ended(m wire.Ended) {
	select {
	case h.ended <- m:
	default: // a second one means nothing
	}
}

func (h handler) Stats(m wire.Stats)     { h.life.Stats(m) }
func (h handler) Warning(m wire.Warning) { h.life.Warn(m) }

func (h handler) Gone(err error) {
	if err != nil {
		h.life.Fail(err, session.CodeWorkerLost)
	}
}
