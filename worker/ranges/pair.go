package ranges

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Pair returns the two ends of a connection: the server's, for Serve, and the
// descriptor that goes to the worker, which makes its end of it with
// net.FileConn. The worker's end is closed by whoever sent it: Serve sees the
// worker go only when no other copy is open.
func Pair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ranges"), os.NewFile(uintptr(fds[1]), "ranges of the worker")
	conn, err := net.FileConn(ours) // a copy
	if err := errors.Join(err, ours.Close()); err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return conn, theirs, nil
}
