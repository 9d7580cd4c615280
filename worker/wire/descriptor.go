package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// The descriptors that a worker inherits.
const (
	SocketFD     = 3 // frames
	DescriptorFD = 4 // SendSource and ReceiveSource
)

// SourceKind says how a descriptor is read.
type SourceKind byte

// The kinds of descriptors.
const (
	SourceFile   SourceKind = 'f' // with pread
	SourceRanges SourceKind = 'r' // a socket on which worker/ranges asks
	SourceStream SourceKind = 's' // from begin to end, to the end of file
	SourceModel  SourceKind = 'm' // with pread: no film but the file of a model
	SourceOutput SourceKind = 'o' // not read but written to
)

// SendSource sends a copy of a descriptor over the sequential packet socket. The
// caller keeps f. It blocks while the peer's queue is full, up to the write
// deadline of the socket.
func SendSource(socket *net.UnixConn, kind SourceKind, f *os.File) error {
	// The raw descriptor is used inside Control: Fd would make the file block.
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("descriptor of the source: %w", err)
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		_, _, sent = socket.WriteMsgUnix([]byte{byte(kind)}, unix.UnixRights(int(fd)), nil)
	}); err != nil {
		return fmt.Errorf("descriptor of the source: %w", err)
	}
	return sent
}

// ReceiveSource receives what SendSource sent; the file is the caller's to
// close. Errors are the socket's, or wrap ErrProtocol.
func ReceiveSource(socket *net.UnixConn) (SourceKind, *os.File, error) {
	// One byte and one descriptor are due. There is room for more, so that what
	// nobody wants is received, and closed, rather than cut off by the kernel.
	data, control := make([]byte, 2), make([]byte, unix.CmsgSpace(4*4))
	n, controlled, flags, _, err := socket.ReadMsgUnix(data, control)
	if err != nil {
		return 0, nil, err
	}
	descriptors, err := rights(control[:controlled])
	kind := SourceKind(data[0])
	if err != nil || n != 1 || len(descriptors) != 1 || flags&(unix.MSG_CTRUNC|unix.MSG_TRUNC) != 0 ||
		!slices.Contains([]SourceKind{SourceFile, SourceRanges, SourceStream, SourceModel, SourceOutput}, kind) {
		for _, fd := range descriptors {
			err = errors.Join(err, unix.Close(fd))
		}
		return 0, nil, errors.Join(fmt.Errorf("%w: %d bytes and %d descriptors in place of a source", ErrProtocol, n, len(descriptors)), err)
	}
	return kind, os.NewFile(uintptr(descriptors[0]), "source"), nil
}

// rights returns the descriptors of control messages.
func rights(control []byte) ([]int, error) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		if descriptors, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, descriptors...)
		}
	}
	return all, nil
}

// Inherited returns the ends of a worker, which are SocketFD and DescriptorFD of
// its process. It takes them over: what the process starts does not inherit them.
func Inherited() (frames, descriptors *net.UnixConn, err error) {
	frames, err = inherit(SocketFD)
	if err != nil {
		return nil, nil, err
	}
	descriptors, err = inherit(DescriptorFD)
	if err != nil {
		return nil, nil, errors.Join(err, frames.Close())
	}
	return frames, descriptors, nil
}

func inherit(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "inherited")
	defer func() { _ = f.Close() }() // FileConn makes a copy of its own
	conn, err := socketOf(f)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is not the socket of a server: %w", fd, err)
	}
	return conn, nil
}

// Pair returns the two ends of a new connection: frames over streams, and
// descriptors over sequential packets.
func Pair() (server, worker Ends, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Close(), worker.Close())
			server, worker = Ends{}, Ends{}
		}
	}()
	if server.Frames, worker.Frames, err = pair(unix.SOCK_STREAM); err != nil {
		return server, worker, err
	}
	server.Descriptors, worker.Descriptors, err = pair(unix.SOCK_SEQPACKET)
	return server, worker, err
}

// Ends are one side of a connection.
type Ends struct {
	Frames, Descriptors *net.UnixConn
}

// Close closes both sockets.
func (e Ends) Close() error {
	var errs []error
	for _, conn := range []*net.UnixConn{e.Frames, e.Descriptors} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

func pair(kind int) (a, b *net.UnixConn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	first, second := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	defer func() { _, _ = first.Close(), second.Close() }() // FileConn makes copies of its own
	if a, err = socketOf(first); err != nil {
		return nil, nil, err
	}
	if b, err = socketOf(second); err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	return a, b, nil
}

func socketOf(f *os.File) (*net.UnixConn, error) {
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a %s socket", conn.LocalAddr().Network()), conn.Close())
	}
	return socket, nil
}
