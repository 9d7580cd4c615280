package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
)

// piped returns a Stream and the end that feeds it.
func piped(t *testing.T, keep int) (*Stream, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStream(r, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), w.Close() }) // a test may have closed them
	return s, w
}

// TestStreamTwice reads a head, and then everything from the beginning.
func TestStreamTwice(t *testing.T) {
	leak.Goroutines(t)
	data := numbered(100_000)
	s, w := piped(t, 50_000)
	done := make(chan error, 1)
	go func() {
		_, err := w.Write(data)
		done <- errors.Join(err, w.Close())
	}()
	read := func(from, to int) []byte {
		t.Helper()
		p := make([]byte, to-from)
		for n := 0; n < len(p); {
			more, err := s.ReadAt(t.Context(), p[n:], int64(from+n))
			if err != nil {
				t.Fatalf("at %d: %v", from+n, err)
			}
			n += more
		}
		return p
	}
	if got := read(0, 50_000); !bytes.Equal(got, data[:50_000]) || !bytes.Equal(s.Head(), got) {
		t.Error("the head is not what came")
	}
	if _, err := s.ReadAt(t.Context(), make([]byte, 1), 50_000); !errors.Is(err, ErrHead) {
		t.Errorf("past what is kept: %v", err)
	}
	if got := read(100, 200); !bytes.Equal(got, data[100:200]) {
		t.Error("it is not read once more")
	}
	s.LetGo()
	if got := read(0, len(data)); !bytes.Equal(got, data) {
		t.Error("the whole is not what came")
	}
	if s.Head() != nil || s.Whole() {
		t.Errorf("%d bytes are kept, whole: %v", len(s.Head()), s.Whole())
	}
	for range 2 {
		if _, err := s.ReadAt(t.Context(), make([]byte, 1), int64(len(data))); !errors.Is(err, io.EOF) || !s.Whole() {
			t.Errorf("at the end: %v", err)
		}
	}
	for _, off := range []int64{0, -1, 99_999, 100_001} {
		if _, err := s.ReadAt(t.Context(), make([]byte, 1), off); !errors.Is(err, ErrOrder) {
			t.Errorf("at %d, which is gone or never comes: %v", off, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestStreamWaits proves that a read ends with its context, that what comes after it is
// read by the next, and that others are told of the waiting.
func TestStreamWaits(t *testing.T) {
	leak.Goroutines(t)
	for name, make := range map[string]func(t *testing.T) (*os.File, *os.File){
		"pipe": func(t *testing.T) (*os.File, *os.File) {
			t.Helper()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			return r, w
		},
		"blocking socket": func(t *testing.T) (*os.File, *os.File) {
			t.Helper()
			fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
		},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := make(t)
			s, err := NewStream(near, 1000)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = s.Close(), far.Close() }()
			for range 3 {
				ctx, cancel := context.WithCancelCause(t.Context())
				end := wait(ctx, t, s)
				if h := s.Head(); len(h) != 0 || s.Whole() {
					t.Errorf("%d bytes have come", len(h))
				}
				cancel(errTest)
				if r := <-end; !errors.Is(r.err, errTest) || r.n != 0 {
					t.Errorf("%d bytes, %v", r.n, r.err)
				}
			}
			end := wait(t.Context(), t, s)
			if _, err := far.Write([]byte("film")); err != nil {
				t.Fatal(err)
			}
			if r := <-end; r.err != nil || r.n != 4 || string(s.Head()) != "film" || s.Waiting() {
				t.Errorf("%d bytes, %v", r.n, r.err)
			}
		})
	}
}

type came struct {
	n   int
	err error
}

// wait reads at the beginning, and returns when the read waits.
func wait(ctx context.Context, t *testing.T, s *Stream) <-chan came {
	t.Helper()
	end := make(chan came, 1)
	go func() {
		n, err := s.ReadAt(ctx, make([]byte, 100), 0)
		end <- came{n, err}
	}()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); !s.Waiting(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
	return end
}

// TestStreamFlows pushes a stream through elements, and is shut while it waits.
func TestStreamFlows(t *testing.T) {
	leak.Goroutines(t)
	data := numbered(300_001)
	s, w := piped(t, 0)
	s.LetGo()
	out := filepath.Join(t.TempDir(), "out")
	p := gsttest.Launch(t, "readersrc name=in ! filesink location="+out)
	p.By("in", func(e *gsttest.Element) {
		if err := Attach(e.Pointer(), s); err != nil {
			t.Fatal(err)
		}
	})
	if !p.SetState(gsttest.Playing) {
		t.Fatal("it does not start")
	}
	for _, part := range [][]byte{data[:1], data[1:200_000], data[200_000:]} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if m := p.Message(gsttest.MessageEOS|gsttest.MessageError, 10*time.Second); m == nil || m.Type != gsttest.MessageEOS {
		t.Fatalf("%+v", m)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes became %d: %v", len(data), len(got), err)
	}

	idle, _ := piped(t, 0)
	idle.LetGo()
	q := gsttest.Launch(t, "readersrc name=in ! fakesink")
	q.By("in", func(e *gsttest.Element) {
		if err := Attach(e.Pointer(), idle); err != nil {
			t.Fatal(err)
		}
		if e.Pull("src", true) {
			t.Error("a stream gives ranges")
		}
	})
	q.SetState(gsttest.Null) // ends a read that would wait for ever
}
