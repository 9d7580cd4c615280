package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// Film is what Serve answers from.
type Film interface {
	// Size is the film's length in bytes. It does not change.
	Size() int64
	// ReadAtContext reads len(p) bytes at off, which all lie within Size; where it
	// reads fewer it returns an error. Many goroutines call it at once. It returns
	// soon after ctx ends.
	ReadAtContext(ctx context.Context, p []byte, off int64) (int, error)
}

// slots is how many replies are made at once: one may have reached the worker,
// which then asks anew, before its slot is free.
const slots = MaxInFlight + 1

// errGone is that a worker closed its end, or died.
var errGone = errors.New("the worker closed its socket")

// Serve answers a worker's requests from film until the worker closes its end,
// which is no error, or ctx ends, whose cause it returns. It closes conn, and
// returns when every read of film has returned. A read that fails fails its
// request alone; an error in its chain that is a wire.Error is told as it is.
func Serve(ctx context.Context, conn net.Conn, film Film) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s := server{conn: conn, film: film, cancel: cancel, slots: make(chan []byte, slots)}
	for range slots {
		s.slots <- nil
	}
	// Closing is what ends reads and writes that block.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	cancel(s.listen(ctx))
	s.replies.Wait()
	stop()
	_ = conn.Close()
	if err := context.Cause(ctx); !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// server is the server's end of one connection.
type server struct {
	conn   net.Conn
	film   Film
	cancel context.CancelCauseFunc
	// slots holds a buffer for each reply that may be made now. A request that
	// finds none is one too many. Requests are never left in the socket: an end of
	// the worker shows there only behind them.
	slots   chan []byte
	replies sync.WaitGroup
	writing sync.Mutex // one reply at a time, until its slot is free
}

// listen reads requests and starts a reply to each. It returns why it ended.
func (s *server) listen(ctx context.Context) error {
	for {
		q, err := readRequest(s.conn, s.film.Size())
		if err != nil {
			return fmt.Errorf("request of a range: %w", gone(err))
		}
		select {
		case buffer := <-s.slots:
			s.replies.Go(func() { s.reply(ctx, q, buffer) })
		default:
			return fmt.Errorf("%w: more than %d requests at once", ErrProtocol, MaxInFlight)
		}
	}
}

// reply answers a request and returns the buffer, which may have grown, to slots.
func (s *server) reply(ctx context.Context, q request, buffer []byte) {
	if whole := replyBytes + int(q.length); cap(buffer) < whole {
		buffer = make([]byte, whole)
	}
	frame := buffer[:replyBytes+int(q.length)]
	head := replyHead{status: statusData, id: q.id, length: q.length}
	if n, err := s.film.ReadAtContext(ctx, frame[replyBytes:], q.offset); n < int(q.length) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		body := encodeError(err)
		frame = append(make([]byte, replyBytes, replyBytes+len(body)), body...)
		head.status, head.length = statusError, uint32(len(body))
	}
	head.put(frame)
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.conn.Write(frame); err != nil {
		s.cancel(fmt.Errorf("reply with a range: %w", gone(err)))
	}
	s.slots <- buffer
}

// gone tells errors of a peer that is no more from others.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}
