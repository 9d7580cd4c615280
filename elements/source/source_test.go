package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
)

// fake is a Reader that does what a test says.
type fake struct {
	size int64
	read func(ctx context.Context, p []byte, off int64) (int, error)
}

func (f fake) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return f.read(ctx, p, off)
}
func (f fake) Size() int64 { return f.size }

// bytesOf is a Reader of memory that gives at most so many bytes at once.
func bytesOf(data []byte, atOnce int) Reader {
	return fake{int64(len(data)), func(_ context.Context, p []byte, off int64) (int, error) {
		if len(p) > atOnce {
			n, _ := bytes.NewReader(data).ReadAt(p[:atOnce], off)
			return n, nil
		}
		return bytes.NewReader(data).ReadAt(p, off)
	}}
}

func numbered(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i ^ i>>8)
	}
	return data
}

// reading returns an element in READY of which ranges can be read.
func reading(t *testing.T, r Reader) *gsttest.Element {
	t.Helper()
	e, err := gsttest.Make("readersrc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Pull("src", false); e.Close() })
	if err := Attach(e.Pointer(), r); err != nil {
		t.Fatal(err)
	}
	if !e.SetState(gsttest.Ready) || !e.Pull("src", true) {
		t.Fatalf("it does not start: %+v", e.Message(gsttest.MessageError, 0))
	}
	return e
}

// TestRanges reads here and there, over the end and behind it.
func TestRanges(t *testing.T) {
	data := numbered(10_000)
	for _, atOnce := range []int{10_000, 1000, 7} {
		e := reading(t, bytesOf(data, atOnce))
		for _, c := range []struct{ off, n, want int }{
			{0, 100, 100}, {9000, 1000, 1000}, {5000, 3000, 3000}, {1, 1, 1}, {9990, 100, 10}, {0, 10_000, 10_000},
		} {
			got, flow := e.Range("src", int64(c.off), c.n)
			if flow != gsttest.FlowOK || !bytes.Equal(got, data[c.off:c.off+c.want]) {
				t.Errorf("%d bytes at %d, %d at once: %d bytes, flow %d", c.n, c.off, atOnce, len(got), flow)
			}
		}
		for _, off := range []int64{10_000, 20_000, 1 << 40} {
			if _, flow := e.Range("src", off, 10); flow != gsttest.FlowEOS {
				t.Errorf("behind the end at %d: flow %d", off, flow)
			}
		}
		if err := Err(e.Pointer()); err != nil {
			t.Error(err)
		}
	}
}

// TestWhole lets everything flow, as to an element that takes no ranges.
func TestWhole(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 100_001} {
		data := numbered(n)
		out := filepath.Join(t.TempDir(), "out")
		p := gsttest.Launch(t, "readersrc name=in ! filesink location="+out)
		p.By("in", func(e *gsttest.Element) {
			if err := Attach(e.Pointer(), bytesOf(data, 1000)); err != nil {
				t.Fatal(err)
			}
		})
		if !p.SetState(gsttest.Playing) {
			t.Fatalf("%d bytes: it does not start", n)
		}
		if m := p.Message(gsttest.MessageEOS|gsttest.MessageError, 10*time.Second); m == nil || m.Type != gsttest.MessageEOS {
			t.Fatalf("%d bytes: %+v", n, m)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes became %d: %v", n, len(got), err)
		}
	}
}

var errTest = errors.New("the test's own error")

// TestErrors proves that what goes wrong in a Reader fails the element with the
// Reader's own error, and ends no process.
func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		read func(ctx context.Context, p []byte, off int64) (int, error)
		want error
		text string
	}{
		"error":           {func(context.Context, []byte, int64) (int, error) { return 0, errTest }, errTest, errTest.Error()},
		"error midway":    {func(_ context.Context, p []byte, _ int64) (int, error) { return len(p) / 2, errTest }, errTest, errTest.Error()},
		"panic":           {func(context.Context, []byte, int64) (int, error) { panic("the test's own panic") }, ErrPanic, "the test's own panic"},
		"no progress":     {func(context.Context, []byte, int64) (int, error) { return 0, nil }, io.ErrNoProgress, io.ErrNoProgress.Error()},
		"more than asked": {func(_ context.Context, p []byte, _ int64) (int, error) { return len(p) + 1, nil }, ErrReader, "more than"},
		"less than none":  {func(context.Context, []byte, int64) (int, error) { return -1, nil }, ErrReader, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			e := reading(t, fake{1000, c.read})
			if _, flow := e.Range("src", 0, 100); flow != gsttest.FlowError {
				t.Fatalf("flow %d", flow)
			}
			if m := e.Message(gsttest.MessageError, time.Second); m == nil || !strings.Contains(m.Text, c.text) {
				t.Errorf("it said %+v", m)
			}
			if err := Err(e.Pointer()); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestFlush flushes while a read blocks, which ends it, and reads on.
func TestFlush(t *testing.T) {
	leak.Goroutines(t)
	data, began := numbered(1000), make(chan struct{})
	block := true
	e := reading(t, fake{1000, func(ctx context.Context, p []byte, off int64) (int, error) {
		if block {
			began <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return bytes.NewReader(data).ReadAt(p, off)
	}})
	for _, end := range []struct {
		name      string
		end, mend func()
	}{
		{"flush", func() { e.FlushStart("src") }, func() { e.FlushStop("src") }},
		{"shut", func() { e.Pull("src", false) }, func() { e.Pull("src", true) }},
	} {
		block = true
		flow := make(chan gsttest.Flow)
		go func() { _, f := e.Range("src", 0, 100); flow <- f }()
		<-began
		end.end()
		if f := <-flow; f != gsttest.FlowFlushing {
			t.Errorf("%s: flow %d", end.name, f)
		}
		if m := e.Message(gsttest.MessageError, 0); m != nil || Err(e.Pointer()) != nil {
			t.Errorf("%s: a flush is told as an error: %+v, %v", end.name, m, Err(e.Pointer()))
		}
		block = false
		end.mend()
		if got, f := e.Range("src", 500, 100); f != gsttest.FlowOK || !bytes.Equal(got, data[500:600]) {
			t.Errorf("%s: after it flow %d", end.name, f)
		}
	}
}

// TestNothingAttached proves that an element with nothing to read does not start.
func TestNothingAttached(t *testing.T) {
	e, err := gsttest.Make("readersrc")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if !e.SetState(gsttest.Ready) || e.Pull("src", true) {
		t.Error("it starts")
	}
	if m := e.Message(gsttest.MessageError, time.Second); m == nil || m.Text != "there is nothing to read from" {
		t.Errorf("it said %+v", m)
	}
}

func TestAnotherElement(t *testing.T) {
	e, err := gsttest.Make("identity")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := Attach(e.Pointer(), bytesOf(nil, 1)); !errors.Is(err, ErrNotElement) {
		t.Error(err)
	}
	if err := Err(e.Pointer()); !errors.Is(err, ErrNotElement) {
		t.Error(err)
	}
}

// TestFile reads a file that others move in, and one that shrinks.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film")
	data := numbered(1000)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read from
	if _, err := f.Seek(700, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	r, err := NewFile(f)
	if err != nil || r.Size() != 1000 {
		t.Fatalf("%d bytes: %v", r.Size(), err)
	}
	got := make([]byte, 100)
	if n, err := At(t.Context(), r).ReadAt(got, 300); n != 100 || err != nil || !bytes.Equal(got, data[300:400]) {
		t.Errorf("%d bytes: %v", n, err)
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 700 || err != nil {
		t.Errorf("the file's offset is %d: %v", at, err)
	}
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if _, err := r.ReadAt(gone, got, 0); !errors.Is(err, errTest) {
		t.Errorf("after the end: %v", err)
	}
	if err := f.Truncate(350); err != nil {
		t.Fatal(err)
	}
	e := reading(t, r)
	if got, flow := e.Range("src", 300, 100); flow != gsttest.FlowOK || !bytes.Equal(got, data[300:350]) {
		t.Errorf("of a file that shrank: %d bytes, flow %d", len(got), flow)
	}
	if _, flow := e.Range("src", 400, 100); flow != gsttest.FlowEOS {
		t.Errorf("behind the end of one that shrank: flow %d", flow)
	}
}
