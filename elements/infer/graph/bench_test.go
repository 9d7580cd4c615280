package graph_test

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// swift is the embedded default model, whose speed the wrapping is built for.
const swift = "../../../models/swift-s-x2.onnx"

// BenchmarkWrapping compares the network alone, from float32 to float32, with
// the wrapped graph, chroma included. They take turns, so that a busy machine
// slows both alike; the medians are reported.
func BenchmarkWrapping(b *testing.B) {
	data, err := os.ReadFile(swift)
	must(b, err)
	for _, threads := range []int{1, 2} {
		for _, size := range [][2]int{{640, 360}, {854, 480}, {960, 540}} {
			for _, format := range frame.Formats() {
				in := frame.Layout{Format: format, Width: size[0], Height: size[1]}
				for _, mix := range []bool{false, true} {
					name := fmt.Sprintf("threads=%d/%dx%d/%s/mix=%t", threads, in.Width, in.Height, format, mix)
					b.Run(name, func(b *testing.B) {
						w, p := wrap(b, data, testonnx.Spec{Scale: 2}, in, mix)
						r := newRunner(b, w, p, threads)
						drawn(r.in)
						compare(b, rawNetwork(b, data, in, 2, threads), func() { r.run(b) })
					})
				}
			}
		}
	}
}

// compare runs two functions in turns and reports the medians of the time that
// passed and of the time that cores worked, which a busy machine changes less.
func compare(b *testing.B, raw, wrapped func()) {
	b.Helper()
	var wall, cores [2][]float64 // ms
	for b.Loop() {
		for i, f := range []func(){raw, wrapped} {
			start, work := time.Now(), worked()
			f()
			wall[i] = append(wall[i], float64(time.Since(start).Microseconds())/1000)
			cores[i] = append(cores[i], float64((worked()-work).Microseconds())/1000)
		}
	}
	median := func(v []float64) float64 {
		slices.Sort(v)
		return v[len(v)/2]
	}
	b.ReportMetric(0, "ns/op") // of both together: says nothing
	b.ReportMetric(median(wall[0]), "raw-ms")
	b.ReportMetric(median(wall[1]), "wrapped-ms")
	b.ReportMetric(median(cores[0]), "raw-core-ms")
	b.ReportMetric(median(cores[1]), "wrapped-core-ms")
}

// worked returns the time that cores spent on this process.
func worked() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawNetwork returns a function that runs a luma network without wrapping.
func rawNetwork(b *testing.B, data []byte, in frame.Layout, scale, threads int) func() {
	b.Helper()
	m, err := graph.Parse(data)
	must(b, err)
	sig, err := m.Signature()
	must(b, err)
	options, err := ort.NewSessionOptions()
	must(b, err)
	defer options.Destroy()
	must(b, options.SetIntraOpNumThreads(threads))
	must(b, options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	x, err := ort.NewEmptyTensor[float32](ort.NewShape(1, 1, int64(in.Height), int64(in.Width)))
	must(b, err)
	y, err := ort.NewEmptyTensor[float32](ort.NewShape(1, 1, int64(scale*in.Height), int64(scale*in.Width)))
	must(b, err)
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{sig.Input}, []string{sig.Output}, options)
	must(b, err)
	b.Cleanup(func() {
		s.Destroy()
		x.Destroy()
		y.Destroy()
	})
	return func() { must(b, s.Run([]ort.Value{x}, []ort.Value{y})) }
}
