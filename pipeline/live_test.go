package pipeline

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// liveFeed is a live stream that a program writes into a pipe.
type liveFeed struct {
	t      testing.TB
	stream *source.Stream
	in     *os.File // what the stream is written to, by who has no program
}

// newFeed returns a stream whose other end is the test's.
func newFeed(t testing.TB) *liveFeed {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s, err := source.NewStream(out, 4096)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), in.Close() }) // both may be closed already
	return &liveFeed{t, s, in}
}

// ffmpeg has ffmpeg write the stream, and closes it at the end.
func (f *liveFeed) ffmpeg(args ...string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "ffmpeg", append([]string{"-v", "error", "-nostdin"}, append(args, "pipe:1")...)...)
	cmd.Stdout, cmd.Stderr = f.in, os.Stderr
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		_ = cmd.Wait() // of a stream that is broken off it has much to say
		_ = f.in.Close()
	})
	f.t.Cleanup(done.Wait)
}

// heard is what came of a live stream.
type heard struct {
	picture, sound collector
	opened         chan PlayPlan
	live           *Live
	ended          chan error
	cancel         context.CancelCauseFunc
}

func liveSpec() LiveSpec {
	return LiveSpec{PlaySpec: playSpec(), Sound: LiveAAC, KeyFrames: time.Second}
}

// hear begins to make a live stream.
func (f *liveFeed) hear(s LiveSpec) *heard {
	f.t.Helper()
	h := &heard{opened: make(chan PlayPlan, 1), ended: make(chan error, 1)}
	out := LiveOutput{Opened: func(p PlayPlan) error { h.opened <- p; return nil }, Picture: &h.picture, Sound: &h.sound}
	var err error
	if h.live, err = NewLive(Film{Name: "the stream", Reader: f.stream}, s, out, playOptions()); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(f.t.Context())
	h.cancel = cancel
	var done sync.WaitGroup
	done.Go(func() { h.ended <- h.live.Run(ctx) })
	f.t.Cleanup(func() { cancel(nil); done.Wait() })
	return h
}

// end waits for the end.
func (h *heard) end(t testing.TB) {
	t.Helper()
	select {
	case err := <-h.ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestLive makes streams that come in real time.
func TestLive(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{
		"mkv": "-f matroska -live 1 -flush_packets 1 -cluster_time_limit 100", "ts": "-f mpegts -flush_packets 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := counted(t, testmedia.Spec{Width: 320, Height: 180, Frames: 96}, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "24", "-c:a", "aac", "in.mkv")
			f := newFeed(t)
			h := f.hear(liveSpec())
			f.ffmpeg(append([]string{"-re", "-i", in, "-c", "copy"}, strings.Fields(args)...)...)
			h.end(t)
			numbers := h.picture.numbers(t, 2)
			s := h.live.Stats()
			t.Logf("%d pictures %v, %d sounds, %+v, %+v", len(numbers), numbers, len(h.sound.packets), s, <-h.opened)
			if !slices.IsSorted(numbers) || numbers[len(numbers)-1] != 95 {
				t.Errorf("%v", numbers)
			}
		})
	}
}
