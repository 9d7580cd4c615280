package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Unknown is the Size of a Reader that is read from begin to end: nobody knows how
// much there is. readersrc does not seek in one, and pushes what it reads as it comes.
const Unknown = -1

// Errors of a Stream.
var (
	// ErrHead says that more than what is kept of a stream was read before LetGo.
	ErrHead = errors.New("more of a stream was read than is kept")
	// ErrOrder is a read of what is gone, or has not come yet.
	ErrOrder = errors.New("a stream is read in order")
)

// Stream is a Reader of what comes once and in order, as a pipe and a socket give it.
// What was read before LetGo is kept, so that it can be read from its beginning once
// more: whoever looks at a film and whoever plays it read the same bytes.
//
// A read waits for what is to come until its context ends. One Stream is read by one
// goroutine at a time; a second waits for the first.
type Stream struct {
	file    *os.File
	keep    int
	waiting atomic.Bool
	reading sync.Mutex // held by a read while it waits; taken before mu

	mu   sync.Mutex
	head []byte // guarded by mu; the first bytes
	gone bool   // guarded by mu; LetGo was called
	at   int64  // guarded by mu; how much has come
	end  error  // guarded by mu; io.EOF, or what the file failed with
}

// NewStream returns a Stream of what comes out of f, which it takes over: Close closes
// it. Up to keep bytes are kept until LetGo. The descriptor must not be read by
// anybody else.
func NewStream(f *os.File, keep int) (*Stream, error) {
	file, err := polled(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stream: %w", err), f.Close())
	}
	return &Stream{file: file, keep: keep}, nil
}

// polled returns f as Go's poller reads it, so that a read can be ended: a descriptor
// that came over a socket blocks as whoever made it left it.
func polled(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, failed := -1, error(nil)
	if err := raw.Control(func(old uintptr) {
		if fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0); failed == nil {
			failed = unix.SetNonblock(fd, true)
		}
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		if fd >= 0 {
			failed = errors.Join(failed, unix.Close(fd))
		}
		return nil, failed
	}
	return os.NewFile(uintptr(fd), f.Name()), f.Close()
}

// Size implements Reader.
func (s *Stream) Size() int64 { return Unknown }

// ReadAt implements Reader: it returns what is there, be it less than asked for.
// Before LetGo it reads what is kept and what follows, up to ErrHead; afterwards
// everything once.
func (s *Stream) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	n, room, err := s.kept(p, off)
	if n > 0 || err != nil {
		return n, err
	}
	p = p[:min(len(p), room)]
	n, err = s.wait(ctx, p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return n, s.came(p[:n], err)
}

// kept reads what is kept. Where that has been read to its end it returns how much may
// be read of what follows.
func (s *Stream) kept(p []byte, off int64) (n, room int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case off >= 0 && off < int64(len(s.head)):
		return copy(p, s.head[off:]), 0, nil
	case off != s.at:
		return 0, 0, fmt.Errorf("%w: at %d, asked for %d", ErrOrder, s.at, off)
	case s.end != nil:
		return 0, 0, s.end
	case s.gone:
		s.head = nil
		return 0, len(p), nil
	case len(s.head) >= s.keep:
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrHead, s.keep)
	}
	return 0, s.keep - len(s.head), nil
}

// came notes what was read. An error that came with bytes is that of the next read.
func (s *Stream) came(data []byte, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at += int64(len(data))
	if !s.gone {
		s.head = append(s.head, data...)
	}
	if len(data) > 0 {
		return nil
	}
	s.end = err
	return err
}

// wait reads until ctx ends. The caller holds reading.
func (s *Stream) wait(ctx context.Context, p []byte) (int, error) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		// A file of the disk takes no deadline, and needs none.
		_ = s.file.SetReadDeadline(time.Unix(1, 0))
	})
	s.waiting.Store(true)
	n, err := s.file.Read(p)
	s.waiting.Store(false)
	if !stop() { // the next read has its own time
		<-ended
		_ = s.file.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Waiting reports whether a read waits for what is to come.
func (s *Stream) Waiting() bool { return s.waiting.Load() }

// Head returns what is kept. It is good until LetGo, and not to be changed.
func (s *Stream) Head() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

// Whole reports whether all that there is was read.
func (s *Stream) Whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Is(s.end, io.EOF)
}

// LetGo has the next reader be the last one: no more is kept, and what was kept goes
// when it was read.
func (s *Stream) LetGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

// Close ends all reads.
func (s *Stream) Close() error { return s.file.Close() }
