package infer

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"unsafe"
)

// action is the kernel's struct sigaction on 64-bit Linux.
type action struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const onStack = 0x08000000 // SA_ONSTACK

// sigaction reads the action of a signal, or sets it unless set is nil.
func sigaction(t *testing.T, n syscall.Signal, set *action) action {
	t.Helper()
	var old action
	// Valid: both point to variables that live for the whole call.
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(n),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(&old)), unsafe.Sizeof(old.mask), 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return old
}

func TestKeepSignals(t *testing.T) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR2)
	defer signal.Stop(ch)
	before := sigaction(t, syscall.SIGUSR2, nil)
	if before.flags&onStack == 0 {
		t.Fatal("Go's own handler does not run on the signal stack")
	}
	failed := errors.New("no such provider")
	err := keepSignals(func() error {
		foreign := before
		foreign.flags &^= onStack // as CUDA does
		sigaction(t, syscall.SIGUSR2, &foreign)
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if after := sigaction(t, syscall.SIGUSR2, nil); after != before {
		t.Errorf("the handler is %+v, want %+v", after, before)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	if got := <-ch; got != syscall.SIGUSR2 {
		t.Errorf("got %v", got)
	}
}

// TestKeepSignalsLeavesGoAlone changes a handler through Go meanwhile: that
// must last.
func TestKeepSignalsLeavesGoAlone(t *testing.T) {
	defer signal.Reset(syscall.SIGUSR2)
	err := keepSignals(func() error {
		signal.Ignore(syscall.SIGUSR2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !signal.Ignored(syscall.SIGUSR2) {
		t.Error("the signal is not ignored any more")
	}
}
