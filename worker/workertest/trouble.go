package workertest

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// trouble makes a trouble of a run happen. It returns finished where the run goes
// on.
func (w *worker) trouble(k Kind) outcome {
	switch k {
	case Fail:
		return failed
	case Mute, Deaf:
		w.fallIll(k)
		return finished
	case Stall:
		<-w.end
	case Hang:
		w.fallIll(k)
		<-w.end
	case Abort:
		fmt.Fprintln(os.Stderr, "decoder: assertion failed: true == false")
		w.die(syscall.SIGABRT)
		w.stop()
	case Kill:
		w.die(syscall.SIGKILL)
		w.stop()
	case Exit:
		fmt.Fprintln(os.Stderr, "worker: out of patience")
		w.die(0)
		w.stop()
	case Noise:
		_ = w.noise() // the server ends the connection
		<-w.end
	case Huge:
		_, _ = w.ends.Frames.Write([]byte{0xff, 0xff, 0xff, 0xff, byte(wire.KindPacket), 0, 0, 0}) // likewise
		<-w.end
	case Surplus:
		_ = w.conn.Write(wire.Stop{}) // likewise
		<-w.end
	default:
		return finished
	}
	return vanished
}

// abandoned waits, without reading, until the server closes the connection.
func (w *worker) abandoned() error {
	raw, err := w.ends.Frames.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		// Hang-ups are told without being asked for; a signal only interrupts.
		for hangup := []unix.PollFd{{Fd: int32(fd)}}; hangup[0].Revents == 0; {
			if _, err := unix.Poll(hangup, -1); err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
}

func (w *worker) fallIll(k Kind) {
	w.mu.Lock()
	w.ill = k
	w.mu.Unlock()
}
