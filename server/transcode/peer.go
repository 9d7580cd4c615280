package transcode

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// glance is how often it is looked whether the client is still there.
const glance = 250 * time.Millisecond

type connKey struct{}

// ConnContext keeps the connection of a request for the endpoint; it is one of
// http.Server.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// watchPeer calls gone when the client of a request of HTTP/1.1 has closed the
// connection, until ctx ends. net/http sees that only once the body was read, which
// may be held up behind a pipeline that is slow.
func watchPeer(ctx context.Context, r *http.Request, gone func()) {
	raw := socket(r)
	if raw == nil {
		return // the context of the request tells
	}
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if hungUp(raw) {
			gone()
			return
		}
	}
}

// hungUp reports whether the other side of a socket sends no more, whatever of it is
// still to be read.
func hungUp(raw syscall.RawConn) bool {
	const ends = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
	hup := false
	err := raw.Control(func(fd uintptr) {
		state := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(state, 0)
		hup = err == nil && n > 0 && state[0].Revents&ends != 0
	})
	return hup && err == nil
}

// unsent returns what tells how many bytes of the answer to a request of HTTP/1.1 the
// client's system has not taken yet. In HTTP/2 a connection is not of one answer alone.
func unsent(r *http.Request) func() int {
	raw := socket(r)
	if raw == nil {
		return func() int { return 0 }
	}
	return func() (n int) {
		_ = raw.Control(func(fd uintptr) { // which fails where there is no connection any more
			n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		})
		return n
	}
}

// socket returns the socket of a request of HTTP/1.1, nil where there is none.
func socket(r *http.Request) syscall.RawConn {
	if r.ProtoMajor != 1 {
		return nil
	}
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	return rawOf(conn)
}

// rawOf returns the socket below a connection, nil where there is none.
func rawOf(conn net.Conn) syscall.RawConn {
	socket, ok := socketOf(conn).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// socketOf returns the connection that others are wrapped around.
func socketOf(conn net.Conn) net.Conn {
	for {
		wrapped, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = wrapped.NetConn()
	}
}
