package pool

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// starter starts every process of a pool on one thread: the signal that they get
// when their parent dies comes when that thread ends.
type starter struct {
	orders chan order
	end    chan struct{} // closed when no process is left
	ended  chan struct{} // closed when run has returned
}

type order struct {
	cmd  *exec.Cmd
	done chan error // takes the outcome without a reader
}

func newStarter() *starter {
	return &starter{orders: make(chan order), end: make(chan struct{}), ended: make(chan struct{})}
}

// run starts processes until end is closed. The thread ends with it: it has lost
// the right to gain privileges, which all that it starts inherits.
func (s *starter) run() error {
	runtime.LockOSThread() // never unlocked, but for the main thread
	if unix.Gettid() == unix.Getpid() {
		// The main thread would stay, with what was done to it. While it is locked
		// here the other goroutine cannot get it.
		outcome := make(chan error)
		go func() { outcome <- s.run() }()
		defer runtime.UnlockOSThread()
		return <-outcome
	}
	defer close(s.ended)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	for {
		select {
		case o := <-s.orders:
			o.done <- o.cmd.Start()
		case <-s.end:
			return nil
		}
	}
}

// start starts a process.
func (s *starter) start(cmd *exec.Cmd) error {
	o := order{cmd, make(chan error, 1)}
	select {
	case s.orders <- o:
		return <-o.done
	case <-s.ended:
		return ErrEnded
	}
}
