package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Bounds of a worker's end, beside Options.Stop.
const (
	// reaping is for the kernel to end a process that was killed.
	reaping = 5 * time.Second
	// lastWords is for reading what the dead wrote to stderr.
	lastWords = 200 * time.Millisecond
)

// greet exchanges Hello.
func (w *Worker) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.o.Start, errors.New("no hello in time"))
	defer cancel()
	frames := w.process.ends.Frames
	stop := context.AfterFunc(ctx, func() { _ = frames.SetDeadline(time.Unix(1, 0)) }) // wakes both
	defer stop()
	err := w.conn.Write(wire.Hello{Version: wire.Version})
	var m wire.Message
	if err == nil {
		m, err = w.conn.Read()
	}
	switch hello, ok := m.(wire.Hello); {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%w: %s in place of hello", wire.ErrProtocol, m.Kind())
	case hello.Version != wire.Version:
		return fmt.Errorf("%w: version %d, not %d", wire.ErrProtocol, hello.Version, wire.Version)
	default:
		w.hello, w.ready = hello, time.Now()
		return nil
	}
}

// serve serves a worker that was greeted until it is gone, and returns why; nil
// when it was closed.
func (w *Worker) serve() error {
	var writing sync.WaitGroup
	writing.Go(w.write)
	stopping := make(chan struct{})
	writing.Go(func() {
		defer close(stopping)
		w.stop()
	})
	w.end(w.read())
	<-stopping
	err := w.bury()
	writing.Wait()
	return err
}

// write writes what is queued, and Stop to a worker that is to end in good order.
func (w *Worker) write() {
	for {
		select {
		case m := <-w.out:
			if err := w.put(m); errors.Is(err, os.ErrDeadlineExceeded) {
				w.end(errHung)
			} else if err != nil {
				w.drain() // the reader learns why; nobody's message is to pile up till then
				return
			}
		case <-w.ended:
			if orderly(w.because()) {
				_ = w.put(wire.Stop{}) // a worker that does not take it is killed
			}
			return
		}
	}
}

func (w *Worker) drain() {
	for {
		select {
		case <-w.out:
		case <-w.ended:
			return
		}
	}
}

// put writes a message within the heartbeat.
func (w *Worker) put(m wire.Message) error {
	if err := w.process.ends.Frames.SetWriteDeadline(time.Now().Add(w.o.Heartbeat)); err != nil {
		return err
	}
	return w.conn.Write(m)
}

// stop waits until the worker is to end, and sees to it that its process does:
// after some time for one that was told to end in good order, or that has closed
// its connection and so is about to exit by itself, which tells more than our signal.
func (w *Worker) stop() {
	<-w.ended
	told := !w.ready.IsZero()
	if cause := w.because(); told && orderly(cause) || died(cause) {
		await(w.process.exited, w.o.Stop)
	}
	w.process.kill()
}

// orderly reports whether a worker that ends for a cause did nothing wrong.
func orderly(cause error) bool {
	return errors.Is(cause, ErrClosed) || errors.Is(cause, ErrEnded)
}

// await waits for an event, no longer than a time, and reports whether it came.
func await(event <-chan struct{}, bound time.Duration) bool {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-event:
		return true
	case <-timer.C:
		return false
	}
}

// died reports whether an error is what the end of a process looks like.
func died(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// read reads and handles messages until the connection ends, and returns why.
func (w *Worker) read() error {
	frames := w.process.ends.Frames
	deadline := time.Now().Add(w.o.Heartbeat)
	for {
		if err := frames.SetReadDeadline(deadline); err != nil {
			return err
		}
		m, err := w.conn.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errHung
		}
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := w.handle(m); err != nil {
			return err
		}
		end := time.Now()
		if _, ok := m.(wire.Stats); ok {
			deadline = end.Add(w.o.Heartbeat)
		} else {
			deadline = deadline.Add(end.Sub(begin))
		}
	}
}

// handle gives a message to whom it is for. A panic there is the fault of what the worker said, and ends it alone.
func (w *Worker) handle(m wire.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.logger().Error("message of a worker not understood", "kind", m.Kind().String(), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %s cannot be handled", wire.ErrProtocol, m.Kind())
		}
	}()
	if r, ok := m.(wire.Reply); ok {
		w.answer(r)
		return nil
	}
	h := w.owner()
	if h == nil {
		h = idle{}
	}
	switch m := m.(type) {
	case wire.Init:
		h.Init(m)
	case wire.Packet:
		h.Packet(m)
	case wire.Cue:
		h.Cue(m)
	case wire.Progress:
		h.Progress(m)
	case wire.Written:
		h.Written(m)
	case wire.Ended:
		h.Ended(m)
	case wire.Stats:
		if m.CPU, m.RSS, err = usage(w.PID()); err == nil { // otherwise it is gone
			h.Stats(m)
		}
		return nil
	case wire.Warning:
		h.Warning(m)
	default:
		return fmt.Errorf("%w: %s from a worker", wire.ErrProtocol, m.Kind())
	}
	return nil
}

// answer gives a reply to who waits for it. One that comes too late is for nobody.
func (w *Worker) answer(r wire.Reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if waits, ok := w.asked[r.ID]; ok {
		delete(w.asked, r.ID)
		waits <- r
	}
}

// idle is the handler of a spare: what is not asked for is dropped.
type idle struct{}

func (idle) Init(wire.Init)         {}
func (idle) Packet(wire.Packet)     {}
func (idle) Cue(wire.Cue)           {}
func (idle) Progress(wire.Progress) {}
func (idle) Written(wire.Written)   {}
func (idle) Ended(wire.Ended)       {}
func (idle) Stats(wire.Stats)       {}
func (idle) Warning(wire.Warning)   {}
func (idle) Gone(error)             {}

// bury waits until the process is reaped, closes what is left of it, and says how
// it came to its end; nil when it was closed.
func (w *Worker) bury() error {
	survived := !await(w.process.exited, reaping)
	_ = w.process.stderr.SetReadDeadline(time.Now().Add(lastWords)) // others may hold it open
	<-w.quiet
	w.process.close()
	cause := w.because()
	switch {
	case survived:
		return &GoneError{Reason: ReasonHung, Status: -1, Cause: errors.Join(ErrSurvivor, cause), Stderr: w.words.last()}
	case errors.Is(cause, ErrClosed):
		return nil
	}
	return w.process.inquest(cause, w.words.last())
}

// inquest says why a process ended after a cause was seen.
func (p *process) inquest(cause error, stderr string) *GoneError {
	e := &GoneError{Status: -1, Cause: cause, Stderr: stderr}
	switch status, _ := p.state.Sys().(syscall.WaitStatus); {
	case errors.Is(cause, ErrEnded):
		e.Reason = ReasonStopped
	case errors.Is(cause, errHung):
		e.Reason = ReasonHung
	case !died(cause) && errors.Is(cause, wire.ErrProtocol), died(cause) && p.killed.Load():
		e.Reason = ReasonProtocol // in the second case it closed the connection and went on
	case !died(cause):
		e.Reason = ReasonStart
	case status.Signaled():
		e.Reason, e.Signal = ReasonCrashed, status.Signal()
	case status.ExitStatus() == goFatal:
		e.Reason, e.Status = ReasonCrashed, goFatal
	default:
		e.Reason, e.Status = ReasonExited, status.ExitStatus()
	}
	return e
}

// goFatal is the exit status that Go's runtime gives after a panic, a fatal error,
// and signals such as SIGABRT and SIGSEGV, which it handles.
const goFatal = 2
