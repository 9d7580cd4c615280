package source

import (
	"context"
	"errors"
	"io"
	"time"
)

// part is an answer that is being read, by one goroutine. It is closed when that
// reads no more.
type part struct {
	name     string
	identity identity
	at, end  int64 // offset of the next byte, and behind the last that is promised
	body     io.ReadCloser
	cancel   context.CancelCauseFunc // ends the request, and reads of body that block
	cause    func() error            // why it was cancelled, nil if it was not
}

// read fills b, unless the part ends before. No wait for a byte is longer than
// idle. Errors are Errors or ctx's cause; the part is of no use after one.
func (p *part) read(ctx context.Context, b []byte, idle time.Duration) (int, error) {
	release := context.AfterFunc(ctx, func() { p.cancel(context.Cause(ctx)) })
	defer release()
	guard := p.guard(idle)
	defer guard.Stop()
	b = b[:min(int64(len(b)), p.end-p.at)]
	n := 0
	for n < len(b) {
		guard.Reset(idle)
		m, err := p.body.Read(b[n:])
		n += m
		p.at += int64(m)
		if err != nil && n < len(b) {
			broken := fail(CodeUnreachable, err, "the connection to the server of %q broke off", p.name)
			broken.again = true
			return n, p.why(broken)
		}
	}
	return n, nil
}

// skip reads on to an offset not before at.
func (p *part) skip(ctx context.Context, to int64, idle time.Duration) error {
	var nowhere [32 << 10]byte
	for p.at < min(to, p.end) {
		if _, err := p.read(ctx, nowhere[:min(int64(len(nowhere)), to-p.at)], idle); err != nil {
			return err
		}
	}
	return nil
}

// errSilent is the cause of a part that a guard ended.
var errSilent = errors.New("no byte came in time")

// guard ends the part unless it is stopped or reset in time.
func (p *part) guard(patience time.Duration) *time.Timer {
	return time.AfterFunc(patience, func() { p.cancel(errSilent) })
}

// why returns what an error of a request that was cancelled stands for, err
// itself when it was not.
func (p *part) why(err error) error {
	cause := p.cause()
	switch {
	case cause == nil:
		return err
	case errors.Is(cause, errSilent), errors.Is(cause, errTime):
		slow := fail(CodeUnreachable, cause, "the server of %q is silent, or too slow to play from", p.name)
		slow.again = true
		return slow
	}
	return cause
}

func (p *part) close() {
	p.cancel(ErrClosed)
	if p.body != nil {
		_ = p.body.Close()
	}
}
