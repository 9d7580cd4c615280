package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pairOf returns a pair that the test closes.
func pairOf(t *testing.T) (server, worker Ends) {
	t.Helper()
	server, worker, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), worker.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return server, worker
}

// openDescriptors counts what this process has open.
func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSourceArrives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, []byte("film"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, worker := pairOf(t)
	before := openDescriptors(t)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(SendSource(server.Descriptors, SourceFile, f), f.Close()); err != nil {
		t.Fatal(err)
	}
	kind, got, err := ReceiveSource(worker.Descriptors)
	if err != nil || kind != SourceFile {
		t.Fatalf("%q, %v", kind, err)
	}
	content := make([]byte, 4)
	if _, err := got.ReadAt(content, 0); err != nil || string(content) != "film" {
		t.Errorf("%q, %v", content, err)
	}
	flags, err := unix.FcntlInt(got.Fd(), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("children would inherit it: %#x, %v", flags, err)
	}
	if err := got.Close(); err != nil {
		t.Error(err)
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors became %d", before, after)
	}
}

// TestBadSources sends what is none, and looks for what is left open.
func TestBadSources(t *testing.T) {
	server, worker := pairOf(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	fd := int(f.Fd())
	before := openDescriptors(t)
	for name, bad := range map[string]struct {
		data []byte
		fds  []int
	}{
		"no descriptor":        {[]byte{'f'}, nil},
		"two descriptors":      {[]byte{'f'}, []int{fd, fd}},
		"too many descriptors": {[]byte{'f'}, []int{fd, fd, fd, fd, fd, fd, fd, fd}},
		"unknown kind":         {[]byte{'x'}, []int{fd}},
		"two bytes":            {[]byte("ff"), []int{fd}},
		"many bytes":           {[]byte("ffffffff"), []int{fd}},
	} {
		var control []byte
		if bad.fds != nil {
			control = unix.UnixRights(bad.fds...)
		}
		if _, _, err := server.Descriptors.WriteMsgUnix(bad.data, control, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReceiveSource(worker.Descriptors); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
		if after := openDescriptors(t); after != before {
			t.Fatalf("%s: %d descriptors became %d", name, before, after)
		}
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReceiveSource(worker.Descriptors); !errors.Is(err, io.EOF) {
		t.Errorf("the end reads as %v", err)
	}
}

func TestSendSourceIsBounded(t *testing.T) {
	server, _ := pairOf(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := server.Descriptors.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 10000 {
		if err = SendSource(server.Descriptors, SourceFile, f); err != nil {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.ETOOMANYREFS) {
		t.Errorf("nobody receives: %v", err)
	}
}
