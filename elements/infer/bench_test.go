package infer

import (
	"fmt"
	"os"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// defaultModel is the network that the benchmarks run.
const defaultModel = "../../models/swift-s-x2.onnx"

// benchSizes are the sizes at which the CPU has to keep up with video.
var benchSizes = [][2]int{{640, 360}, {854, 480}, {960, 540}}

// BenchmarkRaw is the network alone: float32 to float32 through the binding,
// with the options and threads of an Upscaler.
func BenchmarkRaw(b *testing.B) {
	data, m := benchModel(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			run := rawNetwork(b, data, m, size[0], size[1])
			for b.Loop() {
				run()
			}
		})
	}
}

// BenchmarkUpscaler is Run on an I420 frame as a decoder makes it, with rows
// padded to 4 bytes.
func BenchmarkUpscaler(b *testing.B) {
	_, m := benchModel(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			run := wholeFrames(b, m, Config{In: frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}})
			for b.Loop() {
				run()
			}
		})
	}
}

// BenchmarkOverhead alternates the two, so that both meet the same load of the
// machine, and reports what Run costs over the network alone in percent.
func BenchmarkOverhead(b *testing.B) {
	data, m := benchModel(b)
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			raw := rawNetwork(b, data, m, size[0], size[1])
			whole := wholeFrames(b, m, Config{In: frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}})
			var alone, with timings
			for b.Loop() {
				alone.add(raw)
				with.add(whole)
			}
			b.ReportMetric(100*(with.median()/alone.median()-1), "%over-raw")
			b.ReportMetric(1e3*alone.median(), "ms-cpu/raw")
			b.ReportMetric(1e3*with.median(), "ms-cpu/frame")
		})
	}
}

func benchModel(b *testing.B) ([]byte, *Model) {
	b.Helper()
	data, err := os.ReadFile(defaultModel)
	if err != nil {
		b.Fatal(err)
	}
	return data, load(b, data)
}

// rawNetwork returns a run of the network as it is in the file.
func rawNetwork(b *testing.B, data []byte, m *Model, width, height int) func() {
	b.Helper()
	r, err := NewRaw(m, data, width, height, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	})
	return func() {
		if err := r.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// wholeFrames returns a Run of an Upscaler.
func wholeFrames(b *testing.B, m *Model, cfg Config) func() {
	b.Helper()
	u := open(b, m, cfg)
	in, out := frame.New(u.In(), 4), frame.New(u.Out(), 4)
	scatter(in)
	return func() {
		if err := u.Run(in, out, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrap is what it costs to make the planes of a frame ONNX Runtime's
// values and let go of them again, input and output.
func BenchmarkWrap(b *testing.B) {
	_, m := benchModel(b)
	u := open(b, m, Config{In: frame.Layout{Format: frame.I420, Width: 64, Height: 48}, Threads: 1})
	l := u.lanes[0]
	in, out := l.from.view(frame.New(u.In(), 1)), l.to.view(frame.New(u.Out(), 1))
	s := l.engine.(*session)
	for b.Loop() {
		var err error
		if s.in, err = s.wrap(s.in, in); err != nil {
			b.Fatal(err)
		}
		if s.out, err = s.wrap(s.out, out); err != nil {
			b.Fatal(err)
		}
		s.release()
	}
}

// BenchmarkBands compares two cores that share a frame in bands with two that
// share every node of the graph, in processor time.
func BenchmarkBands(b *testing.B) {
	_, m := benchModel(b)
	whole := *m
	whole.reach = -1 // keeps a frame in one piece
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			cfg := Config{In: frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}, Threads: 2}
			bands, nodes := wholeFrames(b, m, cfg), wholeFrames(b, &whole, cfg)
			var a, c timings
			for b.Loop() {
				a.add(bands)
				c.add(nodes)
			}
			b.ReportMetric(1e3*a.median(), "ms-cpu/bands")
			b.ReportMetric(1e3*c.median(), "ms-cpu/nodes")
		})
	}
}
