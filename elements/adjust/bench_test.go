package adjust

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// BenchmarkFilter measures what a frame costs with one filter, with several, and
// with GStreamer's own elements where it has one: processor time of one thread,
// without what it takes to copy the frame for the next round.
func BenchmarkFilter(b *testing.B) {
	for _, height := range []int{720, 1080} {
		in := landscape(b, height)
		for _, test := range benchmarks(b) {
			b.Run(fmt.Sprintf("%s/%dp", test.name, height), func(b *testing.B) {
				r := gsttest.NewRig(b, test.factory, test.properties...)
				if test.factory == "adjust" {
					set(b, r, test.settings, test.cube)
				}
				r.Caps(capsOf(in.Layout))
				r.Drop()
				measure(b, r, gsttest.Of(in, 0))
			})
		}
	}
}

// measure reports the processor time of a frame in place of the time of a round.
func measure(b *testing.B, r *gsttest.Rig, in gsttest.Buffer) {
	b.Helper()
	r.Own(in, 2) // what the first frame touches
	b.ResetTimer()
	busy, flow := r.Own(in, b.N)
	if flow != gsttest.FlowOK {
		b.Fatal(flow)
	}
	b.ReportMetric(busy.Seconds()*1e3/float64(b.N), "ms/frame")
	b.ReportMetric(0, "ns/op") // hides it: it holds the copying
}

type benchmark struct {
	name, factory string
	properties    []string
	settings      filters.Settings
	cube          *filters.Cube
}

func benchmarks(b *testing.B) []benchmark {
	b.Helper()
	look := cube(b, 33, func(r, g, b float64) [3]float64 { return [3]float64{r * r, math.Sqrt(g), b} })
	list := []benchmark{
		{name: "videobalance", factory: "videobalance", properties: []string{"brightness", "0.1", "contrast", "1.2", "saturation", "1.3"}},
		{name: "gamma", factory: "gamma", properties: []string{"gamma", "1.3"}},
		{name: "lut", factory: "adjust", settings: filters.Neutral(), cube: look},
	}
	for _, one := range []struct {
		name   string
		change func(*filters.Settings)
	}{
		{"none", func(*filters.Settings) {}},
		{"brightness,contrast,saturation,gamma", func(s *filters.Settings) { s.Brightness, s.Contrast, s.Saturation, s.Gamma = 0.1, 1.2, 1.3, 1.3 }},
		{"temperature", func(s *filters.Settings) { s.Temperature = 5000 }},
		{"tint", func(s *filters.Settings) { s.ShadowHue, s.ShadowTint = 190, 0.2 }},
		{"sharpness", func(s *filters.Settings) { s.Sharpness = 1 }},
		{"vignette", func(s *filters.Settings) { s.Vignette = 1 }},
		{"grain", func(s *filters.Settings) { s.Grain = 10 }},
		{"denoise", func(s *filters.Settings) { s.Denoise = 5 }},
		{"everything", func(s *filters.Settings) { *s = everything() }},
	} {
		list = append(list, benchmark{name: one.name, factory: "adjust", settings: with(one.change)})
	}
	return list
}

// landscape returns a picture of the kind that films have.
func landscape(b *testing.B, height int) frame.Frame {
	b.Helper()
	clip, err := testmedia.NewDetail(testmedia.Spec{Width: height * 16 / 9, Height: height, Frames: 1})
	if err != nil {
		b.Fatal(err)
	}
	f := frame.New(clip.Layout, 1)
	if err := clip.Draw(0, f); err != nil {
		b.Fatal(err)
	}
	f.Matrix = frame.BT709
	return f
}

// BenchmarkSet measures a change of settings while frames of 1280 × 720 flow.
func BenchmarkSet(b *testing.B) {
	l := frame.Layout{Format: frame.I420, Width: 1280, Height: 720, Matrix: frame.BT709}
	for _, test := range benchmarks(b) {
		if test.factory != "adjust" {
			continue
		}
		b.Run(test.name, func(b *testing.B) {
			r := rig(b, l, filters.Neutral(), nil)
			r.Push(gsttest.Of(frame.New(l, 1), 0))
			begin := time.Now()
			for range b.N {
				set(b, r, test.settings, test.cube)
			}
			b.ReportMetric(time.Since(begin).Seconds()*1e3/float64(b.N), "ms/set")
			b.ReportMetric(0, "ns/op")
		})
	}
}
