package source

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Kind says how a worker reads a source. Its value is the byte that goes with the
// descriptor to the worker (package wire, Descriptors).
type Kind byte

// The kinds of sources.
const (
	KindFile   Kind = 'f' // with pread
	KindRanges Kind = 'r' // by package ranges
)

// Source is a film that was opened, for one worker.
type Source struct {
	name string
	kind Kind
	size int64

	// Of a remote one.
	remote    *remote
	transport *http.Transport
	conn      net.Conn // the server's end

	mu     sync.Mutex
	worker *os.File                // guarded by mu: the worker's end, nil when it was taken
	closed bool                    // guarded by mu
	cancel context.CancelCauseFunc // guarded by mu: ends Run; nil before it
	ran    chan struct{}           // guarded by mu: closed when Run has returned; nil before it
}

// Name returns what sentences and logs call the source: root and path of a file,
// host and last part of a URL. It holds no secret.
func (s *Source) Name() string { return s.name }

// Size returns the length in bytes, 1 or more.
func (s *Source) Size() int64 { return s.size }

// Kind says how the worker reads it.
func (s *Source) Kind() Kind { return s.kind }

// Take hands over the descriptor for the worker. The caller closes it once it was
// sent: with another copy open, Run could not see the worker go. It is given
// once; after that, and after Close, Take returns ErrClosed.
func (s *Source) Take() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.worker == nil {
		return nil, ErrClosed
	}
	taken := s.worker
	s.worker = nil
	return taken, nil
}

// Run answers the worker until it closes its end, for which it returns nil, until
// ctx ends, whose cause it returns, or until Close, for which it returns
// ErrClosed. It is called once. A file needs nothing answered: Run returns at
// once.
func (s *Source) Run(ctx context.Context) error {
	if s.kind == KindFile {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ran := make(chan struct{})
	defer close(ran)
	s.mu.Lock()
	if s.closed || s.ran != nil {
		s.mu.Unlock()
		return ErrClosed
	}
	s.cancel, s.ran = cancel, ran
	s.mu.Unlock()

	var fetching sync.WaitGroup
	defer fetching.Wait()
	fetching.Go(func() { s.remote.run(ctx) })
	err := ranges.Serve(ctx, s.conn, told{s.remote})
	cancel(ErrClosed) // of the fetchers, when the worker has gone
	return err
}

// Close ends Run and waits for it, and lets go of all that the source holds. It
// may be called more than once, and by any goroutine but Run's.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	worker, cancel, ran := s.worker, s.cancel, s.ran
	s.worker = nil
	s.mu.Unlock()
	if ran != nil {
		cancel(ErrClosed)
		<-ran
	}
	var errs []error
	if worker != nil {
		errs = append(errs, worker.Close())
	}
	if s.remote != nil {
		if err := s.conn.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
		s.transport.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// told is a remote film whose errors a worker may see.
type told struct{ *remote }

// ReadAtContext implements ranges.Film.
func (t told) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := t.remote.ReadAtContext(ctx, p, off)
	var failed *Error
	if errors.As(err, &failed) {
		err = &wire.Error{Code: string(failed.Code), Sentence: failed.Sentence}
	}
	return n, err
}
