package worker

import (
	"context"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// customer has a film transcoded by a process. It implements pool.Handler.
type customer struct {
	viewer
	ended chan wire.Ended
}

// Ended implements pool.Handler.
func (c *customer) Ended(m wire.Ended) { c.ended <- m }

// transcode has a process prepare a film that comes through a pipe, and begin. It returns
// where the result comes out.
func (h *house) transcode(path string) (*customer, *os.File) {
	h.t.Helper()
	c := &customer{viewer: viewer{gone: make(chan error, 1)}, ended: make(chan wire.Ended, 1)}
	var err error
	if c.worker, err = h.Take(h.t.Context(), "ordered", c); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = c.worker.Close(context.Background()) }) // which is bounded by itself
	body, w := ends(h.t)
	in := file(h.t, path)
	fed := make(chan struct{})
	h.t.Cleanup(func() { _ = w.Close(); <-fed })
	go func() {
		defer close(fed)
		_, _ = io.Copy(w, in) // not to its end where the process ends
		_ = w.Close()
	}()
	p, err := c.worker.Prepare(h.t.Context(), streamed("mkv"), pool.Source{Kind: wire.SourceStream, File: body})
	_ = body.Close()
	if err != nil || p.Container != "Matroska" {
		h.t.Fatalf("%+v, %v", p, err)
	}
	r, out := ends(h.t)
	err = c.worker.Transcode(h.t.Context(), 1, out)
	_ = out.Close()
	if err != nil {
		h.t.Fatal(err)
	}
	return c, r
}

// TestProcessTranscodes makes a stream of a stream in a process of its own, and then
// kills one midway: whoever reads it sees it end, and is told that it is not whole.
func TestProcessTranscodes(t *testing.T) {
	h := employ(t, "plain")
	c, r := h.transcode(testFilm(t))
	path := into(t, r, "out.mkv")
	if m := <-c.ended; m.Error != nil || m.Halted {
		t.Errorf("it ended with %+v", m)
	}
	if got := packets(t, path, "v:0"); got != strconv.Itoa(filmFrames) {
		t.Errorf("%s pictures can be read, not %d", got, filmFrames)
	}
	if err := c.worker.Close(t.Context()); err != nil {
		t.Error(err)
	}

	c, r = h.transcode(testFilm(t))
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(c.worker.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if gone := c.lost(t); gone.Reason != pool.ReasonCrashed {
		t.Errorf("gone with %v", gone)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Error(err)
	}
	if len(c.ended) != 0 {
		t.Error("it ended in good order")
	}
}
