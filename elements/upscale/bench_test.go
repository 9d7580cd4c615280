package upscale

import (
	"fmt"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// BenchmarkGlue sends frames through the element around an upscaler that does
// nothing, and through GStreamer's identity: the difference is what the way
// from a pad into Go and back costs a frame. The picture is not touched, so its
// size plays no part.
func BenchmarkGlue(b *testing.B) {
	cfg := testConfig
	cfg.upscaler = (&fakes{}).new
	if err := Register(cfg); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = Register(testConfig) }() // it was taken before
	for _, factory := range []string{"identity", "upscale"} {
		b.Run(factory, func(b *testing.B) {
			var properties []string
			if factory == "upscale" {
				properties = []string{"model", "nearest-x2"}
			}
			r := gsttest.NewRig(b, factory, properties...)
			r.Caps(capsOf(small))
			r.Drop()
			r.Same(gsttest.Of(plain(small, 9), 0), 1) // what the first frame allocates
			b.ReportAllocs()
			b.ResetTimer()
			if flow := r.Same(gsttest.Of(plain(small, 9), 0), b.N); flow != gsttest.FlowOK {
				b.Fatal(flow)
			}
		})
	}
}

// BenchmarkElement upscales with the default model.
func BenchmarkElement(b *testing.B) {
	for _, size := range [][2]int{{640, 360}, {960, 540}} {
		l := frame.Layout{Format: frame.I420, Width: size[0], Height: size[1]}
		b.Run(fmt.Sprintf("%dx%d", l.Width, l.Height), func(b *testing.B) {
			r := gsttest.NewRig(b, "upscale", "provider", "cpu")
			r.Caps(capsOf(l))
			r.Drop()
			r.Same(gsttest.Of(noise(l, 1), 0), 2)
			b.ResetTimer()
			r.Same(gsttest.Of(noise(l, 1), 0), b.N)
			h, err := Of(r.Pointer())
			if err != nil {
				b.Fatal(err)
			}
			s := h.Stats()
			b.ReportMetric(float64(s.Busy.Nanoseconds())/float64(s.Upscaled), "ns-in-Run/op")
		})
	}
}
