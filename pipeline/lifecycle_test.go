package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestManyPipelines proves that pipelines leave nothing behind: as many threads,
// goroutines and open files after a hundred as after twenty, and no more memory
// than noise. GLib keeps threads for later use, and may come to need two more.
func TestManyPipelines(t *testing.T) {
	in := ffmpeg(t, "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=0.4", "-f", "lavfi", "-i", "sine=d=0.4:r=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "in.mkv")
	s := spec()
	s.Model, s.Output = "nearest-x2", filepath.Join(t.TempDir(), "out.mkv")
	run := func(i int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m, err := Probe(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := NewPlan(m, s, Has)
		if err != nil {
			t.Fatal(err)
		}
		r := Runner{Log: slog.New(slog.DiscardHandler)}
		if i%4 == 3 { // given up in the middle
			cancel()
		}
		if _, err := r.Run(ctx, p); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		run(i)
	}
	before := takeStock(t)
	for i := range 100 {
		run(i)
	}
	after := takeStock(t)
	for i := 0; i < 5 && after.Goroutines > before.Goroutines; i++ { // the last may be on its way out
		after = takeStock(t)
	}
	t.Logf("before %+v, after %+v", before, after)
	if after.Goroutines > before.Goroutines || after.Threads > before.Threads+2 || after.files > before.files {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if grown := after.Resident - before.Resident; grown > 20<<20 {
		t.Errorf("%d MiB more memory after 100 pipelines", grown>>20)
	}
}

// stock is what a process holds, with its open files.
type stock struct {
	leak.Usage
	files int
}

// takeStock counts what a process holds, after what is unreachable was let go.
func takeStock(t *testing.T) stock {
	t.Helper()
	for range 3 { // finalizers run after a collection, and may make more unreachable
		runtime.GC()
		done := make(chan struct{})
		runtime.SetFinalizer(new([16]byte), func(*[16]byte) { close(done) })
		runtime.GC()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatal("finalizers do not run")
		}
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return stock{leak.Now(t), len(files)}
}

// TestManyLiveStreams proves that live streams leave nothing behind, whose pictures
// change their size midway and which are given up in the middle.
func TestManyLiveStreams(t *testing.T) {
	var small, large []block
	head, blocks := liveClip(t, 10, "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -c:a libopus")
	small = only(1, blocks)
	_, large = matroska(t, liveFile(t, testmedia.Spec{Width: 426, Height: 240, Frames: 10}, "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 2M -an in.mkv"))
	for i := range large {
		large[i].at += time.Second
	}
	n := 0
	leak.Flat(t, 60, 60, 32<<20, func() { // allocators settle late: of 480 streams one after the other the last 160 add nothing
		f := newFeed(t)
		s := liveSpec()
		s.Sound = LiveOpus
		h := f.hear(s)
		f.write(head)
		f.pour(time.Time{}, blocks)
		if n++; n%4 == 0 {
			h.opens()
			h.cancel(errEnough)
			if err := h.end(); !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
			return
		}
		f.pour(time.Time{}, large)
		f.pour(time.Time{}, small[:1])
		f.close()
		if err := h.end(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTakeDownKeepsWhatIsStuck: whoever does not wait any longer lets go of a pipeline
// that is still on its way to NULL, which then must not go before it is there.
func TestTakeDownKeepsWhatIsStuck(t *testing.T) {
	leak.Goroutines(t)
	func() {
		b, err := build(Graph{Mux: []Node{
			{Factory: "fakesrc", Stage: StageRead}, {Factory: "identity", Props: []Prop{{"sleep-time", "1000000"}}}, {Factory: "fakesink"},
		}}, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		for b.counters[StageRead].count() == 0 { // it sleeps, for a second
			runtime.Gosched()
		}
		if err := takeDown(b.pipe, time.Millisecond); !errors.Is(err, ErrStuck) {
			t.Errorf("it is down: %v", err)
		}
		b.free()
	}()
	leak.Now(t) // finalizers run
}
