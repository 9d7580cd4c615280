package upscale

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// noise returns a frame of samples over the whole range, its rows padded to a
// multiple of align bytes that hold no sample.
func noise(l frame.Layout, align int) frame.Frame {
	f := frame.New(l, align)
	random := rand.New(rand.NewPCG(uint64(l.Width), uint64(l.Height)))
	for i := range l.Format.Planes() {
		samples, rows := l.PlaneSize(i)
		for y := range rows {
			for x := range samples {
				put(f, i, x, y, random.IntN(1<<l.Format.Bits()))
			}
		}
	}
	return f
}

// plain returns a frame of one luma level and grey chroma.
func plain(l frame.Layout, level int) frame.Frame {
	f := frame.New(l, 1)
	for i := range l.Format.Planes() {
		samples, rows := l.PlaneSize(i)
		for y := range rows {
			for x := range samples {
				put(f, i, x, y, map[bool]int{true: level, false: 1 << (l.Format.Bits() - 1)}[i == 0])
			}
		}
	}
	return f
}

// put writes sample x of row y of a plane.
func put(f frame.Frame, plane, x, y, v int) {
	p := f.Planes[plane]
	if f.Format.SampleBytes() == 1 {
		p.Data[y*p.Stride+x] = byte(v)
		return
	}
	binary.LittleEndian.PutUint16(p.Data[y*p.Stride+2*x:], uint16(v<<f.Format.Shift()))
}

// get reads sample x of row y of a plane.
func get(f frame.Frame, plane, x, y int) int {
	p := f.Planes[plane]
	if f.Format.SampleBytes() == 1 {
		return int(p.Data[y*p.Stride+x])
	}
	return int(binary.LittleEndian.Uint16(p.Data[y*p.Stride+2*x:])) >> f.Format.Shift()
}

// compare returns where got is off from want by more than slack, "" for nowhere.
// want is asked for each sample of the planes.
func compare(got frame.Frame, planes int, slack float64, want func(plane, x, y int) float64) string {
	for i := range planes {
		samples, rows := got.PlaneSize(i)
		for y := range rows {
			for x := range samples {
				if g, w := float64(get(got, i, x, y)), want(i, x, y); math.Abs(g-w) > slack {
					return fmt.Sprintf("plane %d, row %d, sample %d is %v, want %v", i, y, x, g, w)
				}
			}
		}
	}
	return ""
}

// capsOf returns caps for frames of a layout at 25 frames a second.
func capsOf(l frame.Layout) string {
	return fmt.Sprintf("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1", l.Format, l.Width, l.Height)
}

// layouts returns each format at even and odd sizes.
func layouts() []frame.Layout {
	var list []frame.Layout
	for _, format := range frame.Formats() {
		for _, size := range [][2]int{{64, 48}, {33, 21}, {1, 1}, {2, 7}} {
			list = append(list, frame.Layout{Format: format, Width: size[0], Height: size[1]})
		}
	}
	return list
}

func name(l frame.Layout) string { return fmt.Sprintf("%s-%dx%d", l.Format, l.Width, l.Height) }

// rig returns the element on the CPU with frames of layout l negotiated.
func rig(t testing.TB, model string, l frame.Layout, properties ...string) *gsttest.Rig {
	t.Helper()
	r := gsttest.NewRig(t, "upscale", append([]string{"model", model, "provider", "cpu", "threads", "1"}, properties...)...)
	if !r.Caps(capsOf(l)) {
		t.Fatalf("%s refused: %+v", capsOf(l), r.Message(gsttest.MessageError, 0))
	}
	return r
}

// at returns the time of the n-th frame at 25 frames a second.
func at(n int) time.Duration { return time.Duration(n) * 40 * time.Millisecond }
