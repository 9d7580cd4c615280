package pipeline

import (
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// TestStagesSumUp proves that the processor time of the stages is that of the
// process, but for what Go and the tests take. It does not run beside others.
func TestStagesSumUp(t *testing.T) {
	in := counted(t, testmedia.Spec{Width: 640, Height: 360, Frames: 72}, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "in.mkv")
	m, err := Probe(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range []VideoCodec{H264, HEVC} {
		s := spec()
		s.Output = in + ".out.mkv"
		s.Codec, s.Threads, s.Model = codec, ShareCores(2), "swift-s-x2"
		p, err := NewPlan(m, s, Has)
		if err != nil {
			t.Fatal(err)
		}
		before := processTime(t)
		res, err := Runner{Log: slog.New(slog.DiscardHandler)}.Run(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		process, sum := processTime(t)-before, time.Duration(0)
		for _, d := range res.Cores {
			sum += d
		}
		if share := sum.Seconds() / process.Seconds(); share < 0.8 || share > 1.05 {
			t.Errorf("%s: the stages took %s of the process's %s: %v", codec, sum, process, res.Cores)
		}
		if res.Cores[StageUpscale] == 0 || res.Cores[StageEncode] == 0 || res.Cores[StageDecode] == 0 {
			t.Errorf("%s: %v", codec, res.Cores)
		}
	}
}

// processTime returns the processor time of this process so far.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
