package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// ErrClosed is wrapped by reads of a Client whose connection has ended.
var ErrClosed = errors.New("the film can be read no more")

// Client reads a film through the server. It is an io.ReaderAt; reads wait until
// Run runs.
type Client struct {
	conn net.Conn
	size int64
	// slots are taken by requests until their reply has come. When all are taken,
	// reads wait.
	slots   chan struct{}
	writing sync.Mutex // one request at a time
	ended   chan struct{}

	mu    sync.Mutex
	calls map[uint32]*call // guarded by mu
	last  uint32           // guarded by mu: id given last
	err   error            // guarded by mu: why ended is closed
}

// call is a request that waits for its reply.
type call struct {
	into []byte // nil where its reader has left
	want uint32
	done chan error // takes one error without a reader
}

// NewClient returns a Client that reads a film of size bytes through conn, the
// worker's end of a Pair, which it owns from now on.
func NewClient(conn net.Conn, size int64) *Client {
	return &Client{
		conn: conn, size: size, slots: make(chan struct{}, MaxInFlight),
		ended: make(chan struct{}), calls: make(map[uint32]*call),
	}
}

// Size returns the film's length in bytes.
func (c *Client) Size() int64 { return c.size }

// Run takes in replies until the connection or ctx ends, and closes conn. All
// reads that wait then, and later ones, fail with ErrClosed and the cause, which
// Run returns as well. It may be called once.
func (c *Client) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	err := c.listen()
	stop()
	_ = c.conn.Close()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, io.EOF):
		err = errors.New("the server closed the socket")
	}
	err = fmt.Errorf("%w: %w", ErrClosed, err)
	c.end(err)
	return err
}

// ReadAt is ReadAtContext without an end.
func (c *Client) ReadAt(p []byte, off int64) (int, error) {
	return c.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext reads len(p) bytes at off. Fewer come with an error: io.EOF at
// the film's end, a *wire.Error that the server told, the cause of ctx, or one
// that wraps ErrClosed. The server bounds how long a reply may take.
func (c *Client) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d: before the film's begin", off)
	}
	if off >= c.size {
		return 0, io.EOF
	}
	var atEnd error
	if int64(len(p)) > c.size-off {
		p, atEnd = p[:c.size-off], io.EOF
	}
	for n := 0; n < len(p); {
		part := p[n:min(len(p), n+MaxLength)]
		if err := c.ask(ctx, part, off+int64(n)); err != nil {
			return n, err
		}
		n += len(part)
	}
	return len(p), atEnd
}

// ask fills p with one request.
func (c *Client) ask(ctx context.Context, p []byte, off int64) error {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.ended: // begin says why
	}
	id, waiting, err := c.begin(p)
	if err != nil {
		return err
	}
	c.writing.Lock()
	_, err = c.conn.Write(request{id: id, offset: off, length: waiting.want}.encode())
	c.writing.Unlock()
	if err != nil {
		_ = c.conn.Close() // ends Run, which ends this call
	}
	select {
	case err = <-waiting.done:
		return err
	case <-ctx.Done():
		c.leave(waiting)
		return context.Cause(ctx)
	}
}

// begin enters a call under an id that no other waits under.
func (c *Client) begin(p []byte) (uint32, *call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, nil, c.err
	}
	c.last++
	for c.calls[c.last] != nil {
		c.last++
	}
	entered := &call{into: p, want: uint32(len(p)), done: make(chan error, 1)}
	c.calls[c.last] = entered
	return c.last, entered, nil
}

// leave lets go of the memory of a call whose reader waits no more. Its reply is
// still awaited, for it tells the id and the slot free.
func (c *Client) leave(left *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left.into = nil
}

// listen takes in replies.
func (c *Client) listen() error {
	var body []byte
	for {
		head, err := readReplyHead(c.conn)
		if err != nil {
			return err
		}
		c.mu.Lock()
		answered := c.calls[head.id]
		c.mu.Unlock()
		if answered == nil || head.status == statusData && head.length != answered.want {
			return fmt.Errorf("%w: reply %d of %d bytes was not asked for", ErrProtocol, head.id, head.length)
		}
		if cap(body) < int(head.length) {
			body = make([]byte, head.length)
		}
		body = body[:head.length]
		if n, err := io.ReadFull(c.conn, body); err != nil {
			return fmt.Errorf("%w: a reply breaks off at %d of %d bytes", ErrProtocol, n, len(body))
		}
		if err := c.finish(head, answered, body); err != nil {
			return err
		}
	}
}

// finish hands a reply to its reader. The copy is made under the lock: a reader
// that leaves may use its memory for something else at once.
func (c *Client) finish(head replyHead, answered *call, body []byte) error {
	var told error
	if head.status == statusError {
		said, err := decodeError(body)
		if err != nil {
			return err
		}
		told = said
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if told == nil {
		copy(answered.into, body)
	}
	delete(c.calls, head.id)
	answered.done <- told
	<-c.slots
	return nil
}

// end fails all calls.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	close(c.ended)
	for id, waiting := range c.calls {
		delete(c.calls, id)
		waiting.done <- err
	}
}
