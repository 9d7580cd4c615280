package transcode

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/server/problem"
)

// spool keeps uploads that cannot be read as a stream, in files without a name: what
// a killed server leaves behind is nothing.
type spool struct {
	folder string
	most   int64                    // bytes of all files together
	open   func() (*os.File, error) // makes a file; nil: in the folder

	mu   sync.Mutex
	used int64 // guarded by mu
}

// keep copies a body to a file, which done takes back. Expected is the body's length,
// -1 where it is not known. Errors are problems, or the body's.
func (s *spool) keep(body io.Reader, expected int64) (_ *os.File, size int64, done func(), err error) {
	open := s.open
	if open == nil {
		open = s.file
	}
	file, err := open()
	if err != nil {
		return nil, 0, nil, fmt.Errorf("spool: %w", err)
	}
	share := &share{spool: s, file: file}
	defer func() {
		if err != nil {
			share.release()
		}
	}()
	if expected > 0 {
		if err := share.take(expected); err != nil {
			return nil, 0, nil, err
		}
	}
	size, err = io.CopyBuffer(share, struct{ io.Reader }{body}, make([]byte, 256<<10))
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return nil, 0, nil, problem.New(problem.DiskFull, "the disk is full: the upload cannot be kept until its index comes").Because(err)
	case err != nil:
		return nil, 0, nil, err
	}
	return file, size, share.release, nil
}

// file makes a file without a name.
func (s *spool) file() (*os.File, error) {
	fd, err := unix.Open(s.folder, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "upload"), nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EINVAL) {
		return nil, &os.PathError{Op: "open", Path: s.folder, Err: err}
	}
	file, err := os.CreateTemp(s.folder, "upload") // a file system that cannot do that
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// bytes returns how many are kept.
func (s *spool) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// share is what one upload has of the spool.
type share struct {
	spool   *spool
	file    *os.File
	taken   int64
	written int64
}

// Write implements io.Writer. Errors are problems, or the file's.
func (s *share) Write(data []byte) (int, error) {
	if over := s.written + int64(len(data)) - s.taken; over > 0 {
		if err := s.take(over); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(data)
	s.written += int64(n)
	return n, err
}

// take takes more of the spool.
func (s *share) take(n int64) error {
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	if n > s.spool.most-s.spool.used { // a client may announce what no sum holds
		p := problem.New(problem.SpoolFull, "the index of this MP4 file is at its end, so that it must be kept whole; "+
			"all uploads that are kept may have %d bytes. Put the index to the begin (ffmpeg -i in.mp4 -c copy -movflags +faststart out.mp4), or send Matroska.",
			s.spool.most)
		p.Figures = map[string]float64{
			"spool_used_bytes": float64(s.spool.used), "spool_needed_bytes": float64(s.taken) + float64(n), "spool_limit_bytes": float64(s.spool.most),
		}
		return p
	}
	s.spool.used += n
	s.taken += n
	return nil
}

// release lets go of the file and its share.
func (s *share) release() {
	_ = s.file.Close() // what was in it is of no use any more
	s.spool.mu.Lock()
	defer s.spool.mu.Unlock()
	s.spool.used -= s.taken
	s.taken = 0
}
