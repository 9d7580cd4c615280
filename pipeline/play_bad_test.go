package pipeline

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// watched is a reader that does what a test wants of it.
type watched struct {
	source.Reader
	reads atomic.Int64
	read  func(ctx context.Context, n int64) // before read n is made; from 1
}

func (w *watched) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	w.read(ctx, w.reads.Add(1))
	return w.Reader.ReadAt(ctx, p, off)
}

// reacts is an output that does what a test wants of it at each packet and cue.
type reacts struct {
	collector
	do func(n int)
}

func (o *reacts) Packet(p Packet) error {
	err := o.collector.Packet(p)
	o.do(len(o.packets))
	return err
}

// threeSeconds is a film of three segments.
func threeSeconds(t testing.TB) Film {
	t.Helper()
	return opened(t, counted(t, testmedia.Spec{Width: 160, Height: 120, Frames: 72},
		strings.Fields("-c:v libx264 -preset ultrafast -g 24 -c:a libmp3lame in.mkv")...))
}

// waits waits until a run is at its limit.
func waits(t testing.TB, r *Play) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !r.Stats().Waiting; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not wait at its limit")
		}
	}
}

// TestPlayCancel ends a run in each of its parts: it gives the reason, soon, and
// leaves no goroutine, no thread, no file and no memory.
func TestPlayCancel(t *testing.T) {
	f := threeSeconds(t)
	p := playPlan(t, f, playSpec())
	why := errors.New("the viewer has left")
	stages := map[string]func(ctx context.Context, t *testing.T, cancel func()) error{
		"before it begins": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			cancel()
			return run(ctx, t, f, p, 1, &collector{}, playOptions())
		},
		"while the film is read": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			hangs := Film{Name: "film", Reader: &watched{Reader: f.Reader, read: func(ctx context.Context, n int64) {
				if n == 3 {
					cancel()
					<-ctx.Done()
				}
			}}}
			return run(ctx, t, hangs, p, 1, &collector{}, playOptions())
		},
		"at the first packet": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			return run(ctx, t, f, p, 0, &reacts{do: func(int) { cancel() }}, playOptions())
		},
		"midway": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			return run(ctx, t, f, p, 1, &reacts{do: func(n int) {
				if n == 30 {
					cancel()
				}
			}}, playOptions())
		},
		"at its limit": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			o := playOptions()
			o.Limit = 1
			r, err := PlayVideo(f, p, 0, &collector{}, o)
			if err != nil {
				t.Fatal(err)
			}
			go func() { waits(t, r); cancel() }()
			return r.Run(ctx)
		},
		"sound at its limit": func(ctx context.Context, t *testing.T, cancel func()) error {
			t.Helper()
			o := playOptions()
			o.Limit = 1
			r, err := PlaySound(f, p, 0, 0, &collector{}, o)
			if err != nil {
				t.Fatal(err)
			}
			go func() { waits(t, r); cancel() }()
			return r.Run(ctx)
		},
	}
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			files := openFiles(t)
			leak.Flat(t, 3, 5, 16<<20, func() {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var left atomic.Int64 // when it was cancelled
				err := stage(ctx, t, func() {
					if left.CompareAndSwap(0, time.Now().UnixNano()) {
						cancel(why)
					}
				})
				if took := time.Since(time.Unix(0, left.Load())); !errors.Is(err, why) || took > prompt {
					t.Errorf("%v, %s after it", err, took)
				}
			})
			if n := openFiles(t); n > files {
				t.Errorf("%d files were open before and %d after", files, n)
			}
		})
	}
}

// run makes the picture from a segment on.
func run(ctx context.Context, t testing.TB, f Film, p PlayPlan, segment int, out Output, o PlayOptions) error {
	t.Helper()
	r, err := PlayVideo(f, p, segment, out, o)
	if err != nil {
		t.Fatal(err)
	}
	return r.Run(ctx)
}

func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestPlayFaults has each part that is not GStreamer's fail: the run ends with a
// code, and the process plays on.
func TestPlayFaults(t *testing.T) {
	t.Parallel()
	f := threeSeconds(t)
	p := playPlan(t, f, playSpec())
	refusing := errors.New("no more")
	for _, c := range []struct {
		name string
		run  func() error
		code Code
		is   error
	}{
		{"the reader panics", func() error {
			bad := &watched{Reader: f.Reader, read: func(_ context.Context, n int64) {
				if n > 4 {
					panic("no film")
				}
			}}
			return run(t.Context(), t, Film{"film", bad}, p, 0, &collector{}, playOptions())
		}, CodeInternal, source.ErrPanic},
		{"the output panics", func() error {
			return run(t.Context(), t, f, p, 0, &reacts{do: func(int) { panic("no room") }}, playOptions())
		}, CodeInternal, nil},
		{"the output refuses", func() error {
			return run(t.Context(), t, f, p, 0, &refuses{err: refusing}, playOptions())
		}, "", refusing},
		{"the model fails", func() error {
			s := playSpec()
			s.Model = "small-only"
			return run(t.Context(), t, f, playPlan(t, f, s), 0, &collector{}, playOptions())
		}, CodeModel, nil},
	} {
		err := c.run()
		if err == nil || CodeOf(err) != c.code && c.code != "" || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v (code %s), want code %s of %v", c.name, err, CodeOf(err), c.code, c.is)
		}
	}
	if got := playVideo(t, f, p, 2); len(got.packets) != 24 {
		t.Errorf("afterwards %d pictures of 24", len(got.packets))
	}
}

// refuses is an output that takes nothing.
type refuses struct {
	collector
	err error
}

func (o *refuses) Packet(Packet) error { return o.err }

// TestPlayStuck has a read not come back whatever is told to it: the run ends all
// the same, with a code, and says that it has left a thread behind.
func TestPlayStuck(t *testing.T) {
	f := threeSeconds(t)
	p := playPlan(t, f, playSpec())
	release := make(chan struct{})
	stuck := &watched{Reader: f.Reader, read: func(_ context.Context, n int64) {
		if n == 5 {
			<-release
		}
	}}
	o := playOptions()
	o.Stall = time.Second
	r, err := PlayVideo(Film{"film", stuck}, p, 0, &collector{}, o)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = r.Run(t.Context())
	if took := time.Since(begin); CodeOf(err) != CodeStalled || !errors.Is(err, ErrStuck) || took > prompt {
		t.Errorf("%v (code %s) after %s", err, CodeOf(err), took)
	}
	close(release)
	if err := r.built.close(); err != nil { // now it can be let go
		t.Error(err)
	}
	r.built = nil // the handle that the thread might have called by keeps r
}

// TestPlayRests proves that a run at its limit works no more: in a second the
// process takes next to no time of a processor.
func TestPlayRests(t *testing.T) {
	f := threeSeconds(t)
	o := playOptions()
	o.Limit = 1
	r, err := PlayVideo(f, playPlan(t, f, playSpec()), 0, &collector{}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	waits(t, r)
	least := time.Hour
	for range 5 { // queues fill up first
		before := processorTime(t)
		<-time.After(time.Second)
		if least = min(least, processorTime(t)-before); least < 10*time.Millisecond {
			break
		}
	}
	if least >= 10*time.Millisecond {
		t.Errorf("it takes %s a second", least)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
