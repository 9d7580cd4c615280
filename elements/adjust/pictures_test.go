package adjust

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/filters"
)

// film is the layout of most tests: large enough for statistics.
var film = frame.Layout{Format: frame.I420, Width: 192, Height: 128, Matrix: frame.BT709}

// pixel is a place of a picture and its colour.
type pixel struct{ y, cb, cr int }

// draw returns a picture of a layout, its rows padded to a multiple of align.
// Chroma is that of the top left pixel of each block.
func draw(l frame.Layout, align int, colour func(x, y int) pixel) frame.Frame {
	f := frame.New(l, align)
	for y := range l.Height {
		for x := range l.Width {
			p := colour(x, y)
			f.Planes[0].Data[y*f.Planes[0].Stride+x] = byte(p.y)
			if x%2 == 0 && y%2 == 0 {
				cb, cr := chromaAt(f, x, y)
				*cb, *cr = byte(p.cb), byte(p.cr)
			}
		}
	}
	return f
}

// chromaAt returns the chroma samples of a pixel.
func chromaAt(f frame.Frame, x, y int) (cb, cr *byte) {
	if p := f.Planes[1]; f.Format == frame.NV12 {
		i := y/2*p.Stride + x/2*2
		return &p.Data[i], &p.Data[i+1]
	}
	return &f.Planes[1].Data[y/2*f.Planes[1].Stride+x/2], &f.Planes[2].Data[y/2*f.Planes[2].Stride+x/2]
}

// at returns a pixel.
func at(f frame.Frame, x, y int) pixel {
	cb, cr := chromaAt(f, x, y)
	return pixel{int(f.Planes[0].Data[y*f.Planes[0].Stride+x]), int(*cb), int(*cr)}
}

// flat returns a picture of one colour.
func flat(l frame.Layout, p pixel) frame.Frame {
	return draw(l, 1, func(int, int) pixel { return p })
}

// scene returns a picture of many colours, tones and edges, the same each time.
func scene(l frame.Layout, align int) frame.Frame {
	random := rand.New(rand.NewPCG(3, 4))
	return draw(l, align, func(x, y int) pixel {
		edge := 40 * ((x/16 + y/16) % 2)
		return pixel{
			40 + 120*x/l.Width + edge + random.IntN(4),
			128 + 50*(y-l.Height/2)/l.Height, 128 - 60*(x-l.Width/2)/l.Width,
		}
	})
}

// noisy returns grey with noise of a standard deviation, a darker and a lighter
// half beside each other.
func noisy(l frame.Layout, deviation float64) frame.Frame {
	random := rand.New(rand.NewPCG(5, 6))
	return draw(l, 1, func(x, _ int) pixel {
		level := 80.0
		if x >= l.Width/2 {
			level = 180
		}
		return pixel{int(math.Round(level + deviation*random.NormFloat64())), 128, 128}
	})
}

// statistics returns mean and standard deviation of luma within columns x0 to x1.
func statistics(f frame.Frame, x0, x1 int) (mean, deviation float64) {
	var sum, squares, n float64
	for y := range f.Height {
		for x := x0; x < x1; x++ {
			v := float64(at(f, x, y).y)
			sum, squares, n = sum+v, squares+v*v, n+1
		}
	}
	mean = sum / n
	return mean, math.Sqrt(squares/n - mean*mean)
}

// capsOf returns caps for frames of a layout at 25 frames a second.
func capsOf(l frame.Layout) string {
	caps := fmt.Sprintf("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1", l.Format, l.Width, l.Height)
	switch {
	case l.Matrix == frame.MatrixUnknown:
		return caps
	case l.Range == frame.Full:
		return caps + ",colorimetry=1:3:5:1" // full range, BT.709 in each
	case l.Matrix == frame.BT601:
		return caps + ",colorimetry=bt601"
	default:
		return caps + ",colorimetry=bt709"
	}
}

// rig returns the element, PLAYING, with settings and caps.
func rig(t testing.TB, l frame.Layout, s filters.Settings, cube *filters.Cube) *gsttest.Rig {
	t.Helper()
	r := gsttest.NewRig(t, "adjust")
	set(t, r, s, cube)
	if !r.Caps(capsOf(l)) {
		t.Fatalf("%s refused: %+v", capsOf(l), r.Message(gsttest.MessageError, 0))
	}
	return r
}

func set(t testing.TB, r *gsttest.Rig, s filters.Settings, cube *filters.Cube) {
	t.Helper()
	e, err := Of(r.Pointer())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Set(s, cube); err != nil {
		t.Fatal(err)
	}
}

// through returns what settings make of a picture.
func through(t testing.TB, f frame.Frame, s filters.Settings, cube *filters.Cube) frame.Frame {
	t.Helper()
	return rig(t, f.Layout, s, cube).Through(gsttest.Of(f, 0), f.Layout).Frame
}

// with returns neutral settings with a change.
func with(change func(*filters.Settings)) filters.Settings {
	s := filters.Neutral()
	change(&s)
	return s
}

// preset returns the settings of a preset.
func preset(t testing.TB, id string) filters.Settings {
	t.Helper()
	s, err := filters.Resolve(id, filters.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// same reports whether two pictures are the same in every sample.
func same(a, b frame.Frame) bool {
	for y := range a.Height {
		for x := range a.Width {
			if at(a, x, y) != at(b, x, y) {
				return false
			}
		}
	}
	return true
}

// layouts returns both formats at even and odd sizes.
func layouts() []frame.Layout {
	var list []frame.Layout
	for _, format := range []frame.Format{frame.I420, frame.NV12} {
		for _, size := range [][2]int{{64, 48}, {63, 47}, {33, 22}, {1, 1}, {2, 1}, {1, 2}, {3, 5}, {600, 3}} {
			list = append(list, frame.Layout{Format: format, Width: size[0], Height: size[1], Matrix: frame.BT709})
		}
	}
	return list
}

func name(l frame.Layout) string { return fmt.Sprintf("%s-%dx%d", l.Format, l.Width, l.Height) }

// time of the n-th frame at 25 frames a second.
func moment(n int) time.Duration { return time.Duration(n) * 40 * time.Millisecond }
