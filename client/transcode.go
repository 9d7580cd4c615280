package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/transcode"
)

const (
	// asking is how often a session is asked how far it is.
	asking = 500 * time.Millisecond
	// telling bounds each question about a session.
	telling = 5 * time.Second
)

// Film is one to be transcoded. Observe and Again are called by one goroutine at a
// time.
type Film struct {
	Source io.ReaderAt
	Size   int64 // bytes
	Query  url.Values
	Result Result
	// Observe is told of the session about twice a second, and of its end. Its progress is
	// that of the whole result, whatever the attempt makes of it.
	Observe func(playback.Session)
	// Again is told of another attempt before it is made.
	Again func(Retry)
}

// Result is where a result is written to; *os.File is one.
type Result interface {
	io.Writer
	io.Seeker
	// Truncate cuts it off behind so many bytes.
	Truncate(size int64) error
}

// Retry tells of another attempt.
type Retry struct {
	Cause error         // why: a LostError, a MisfitError, or the Error of a server that is away or has no room
	From  time.Duration // of the result, which goes on there; 0: all of it is made anew
	Anew  error         // why it is after a LostError
}

// Transcode sends the film and writes the result, which is whole where there is no
// error. A server keeps nothing of a transcode whose client is gone: after a connection
// that breaks the film is sent once more, the result made from a little before the place
// that it had come to, and joined where that proves to be the same. Else all is made
// anew. Errors are Errors, the film's, the result's, and ctx's cause.
func (c *Client) Transcode(ctx context.Context, f Film) (playback.Session, error) {
	m, t := newMaking(&f), tries{address: c.Address(), rest: c.rest}
	for {
		s, err := c.attempt(ctx, m)
		if err == nil {
			return s, nil
		}
		retry, pause, err := t.next(m, err)
		if err != nil {
			return s, err
		}
		if retry != nil && f.Again != nil {
			f.Again(*retry)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
		c.bury(ctx, m)
	}
}

// bury ends the session of an attempt before, which the server may still take for alive,
// and which would have the place, the spool and the machine's time of the next one.
func (c *Client) bury(ctx context.Context, m *making) {
	if m.ghost == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, telling)
	defer cancel()
	e := (*Error)(nil)
	if err := c.ask(ctx, http.MethodDelete, "/v1/sessions/"+url.PathEscape(m.ghost), nil, nil); err == nil || errors.As(err, &e) && !e.passes {
		m.ghost = "" // it is gone, or not to be ended
	}
}

// attempt sends the film once. The error is a LostError or a MisfitError where another
// attempt may go better.
func (c *Client) attempt(ctx context.Context, m *making) (s playback.Session, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &upload{Reader: io.NewSectionReader(m.Source, 0, m.Size), broken: func(err error) { cancel(fmt.Errorf("film: %w", err)) }}
	r, err := c.request(ctx, http.MethodPut, "/v1/transcode?"+m.query().Encode(), body)
	if err != nil {
		return s, err
	}
	r.ContentLength = m.Size
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Header.Set("Expect", "100-continue")
	answer, err := c.http.Do(r)
	switch {
	case ctx.Err() != nil:
		return s, context.Cause(ctx)
	case err != nil && body.begun():
		return s, &LostError{Cause: bare(err)}
	case err != nil:
		return s, c.unreachable(ctx, err)
	}
	defer func() { _ = answer.Body.Close() }() // read to its end, or broken
	switch refused := m.cut != nil && (answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusUnprocessableEntity); {
	case refused:
		return s, m.cut.misfit("%s", c.refusal(answer))
	case answer.StatusCode != http.StatusOK:
		return s, c.refusal(answer)
	}
	id := answer.Header.Get(transcode.HeaderSession)
	if id == "" {
		return s, &Error{Code: CodeNoServer, Sentence: c.Address() + " is no server that transcodes"}
	}
	received, err := c.receive(ctx, m, id, answer.Body)
	if ctx.Err() != nil {
		return s, context.Cause(ctx)
	}
	return c.settle(ctx, m, id, received, err)
}

// receive writes the result, while the session is asked how far it is, and returns how
// many bytes came.
func (c *Client) receive(ctx context.Context, m *making, id string, body io.Reader) (int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	all.Go(func() { c.observe(ctx, m, id) })
	counted := &counter{Reader: body}
	err := m.follow(counted)
	if m.to.failed != nil {
		err = &writeError{m.to.failed}
	}
	return counted.n, err
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// observe tells how far a session is until ctx ends. That it cannot be asked is no
// reason to stop.
func (c *Client) observe(ctx context.Context, m *making, id string) {
	tick := time.NewTicker(asking)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s, err := c.session(ctx, id); err == nil && ctx.Err() == nil {
			m.tell(s)
		}
	}
}

// session asks for a session.
func (c *Client) session(ctx context.Context, id string) (s playback.Session, err error) {
	ctx, cancel := context.WithTimeout(ctx, telling)
	defer cancel()
	err = c.ask(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil, &s)
	return s, err
}

// settle returns how a transcode ended of which so much was received. The session
// has the last word, also of a result whose message has an end: a proxy in between may
// make one of a server that died.
func (c *Client) settle(ctx context.Context, m *making, id string, received int64, err error) (playback.Session, error) {
	if wrote := (*writeError)(nil); errors.As(err, &wrote) {
		return playback.Session{}, wrote.error
	}
	if misfit := (*MisfitError)(nil); errors.As(err, &misfit) {
		return playback.Session{}, misfit
	}
	s, unknown := c.over(ctx, id)
	if unknown != nil || s.State != session.StateEnded {
		m.ghost = id
	}
	switch {
	case ctx.Err() != nil:
		return s, context.Cause(ctx)
	case unknown == nil && s.Failure != nil && (err == nil || !lost(s.Failure.Code)):
		return s, &Error{Code: s.Failure.Code, Sentence: s.Failure.Detail}
	case unknown == nil && s.Cause == session.CauseShutdown:
		return s, &LostError{Received: received, Cause: errors.New("the server has ended")} // and may be back
	case unknown == nil && s.Cause == session.CauseClient:
		return s, &Error{Code: problem.SessionEnded, Sentence: "the session was deleted on the server"}
	case err != nil:
		return s, &LostError{Received: received, Cause: bare(err)}
	case unknown != nil:
		return s, &LostError{Received: received, Cause: fmt.Errorf("whether that is all of it cannot be asked: %w", unknown)}
	case s.Cause != session.CauseEOS || s.Progress == nil:
		return s, &LostError{Received: received, Cause: errors.New("the server does not say that it is all of it")}
	case s.Progress.Written != received:
		return s, &Error{Code: CodeLost, Sentence: fmt.Sprintf("%d bytes came of %d", received, s.Progress.Written)}
	}
	return m.tell(s), nil
}

// lost reports whether a failure is what a server sees of a broken connection.
func lost(code problem.Code) bool {
	return code == problem.BodyIncomplete || code == problem.ClientGone || code == problem.BodyStalled || code == problem.ReaderStalled
}

// over returns a session that is at its end, which it may take a moment to come to.
func (c *Client) over(ctx context.Context, id string) (s playback.Session, err error) {
	for deadline := time.Now().Add(telling); ; {
		s, err = c.session(ctx, id)
		if err != nil || s.State == session.StateEnded || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-time.After(asking / 5):
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// upload is a body. That it cannot be read is no fault of the connection.
type upload struct {
	io.Reader
	broken func(error)

	mu   sync.Mutex
	read bool // guarded by mu: something of it was
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	u.read = true
	u.mu.Unlock()
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.broken(err)
	}
	return n, err
}

func (u *upload) begun() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.read
}
