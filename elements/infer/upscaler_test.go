package infer

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// open makes an Upscaler on the CPU that must be good.
func open(t testing.TB, m *Model, cfg Config) *Upscaler {
	t.Helper()
	if cfg.Provider == "" {
		cfg.Provider = ProviderCPU
	}
	u, err := New(runtimeForTest, m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	return u
}

// upscale runs one scattered frame with rows padded to align bytes.
func upscale(t testing.TB, u *Upscaler, align int, strength float32) (in, out frame.Frame) {
	t.Helper()
	in, out = frame.New(u.In(), align), frame.New(u.Out(), align)
	scatter(in)
	for i := range out.Planes {
		for k := range out.Planes[i].Data {
			out.Planes[i].Data[k] = 0xcc
		}
	}
	if err := u.Run(in, out, strength); err != nil {
		t.Fatal(err)
	}
	return in, out
}

// TestIdentityIsExact takes a network that changes nothing through every
// format, with odd sizes and rows with and without gaps.
func TestIdentityIsExact(t *testing.T) {
	m := load(t, testonnx.Spec{}.Identity())
	for _, format := range frame.Formats() {
		for _, size := range [][2]int{{64, 48}, {33, 21}, {1, 1}, {2, 7}} {
			if format == frame.RGB {
				continue // goes through Y and back; see TestRGBIdentityIsExact
			}
			u := open(t, m, Config{In: frame.Layout{Format: format, Width: size[0], Height: size[1]}})
			for _, align := range []int{1, 4, 34} {
				in, out := upscale(t, u, align, 1)
				if at := differs(out, in); at != "" {
					t.Errorf("%s %dx%d, rows aligned to %d: %s", format, size[0], size[1], align, at)
				}
				gaps(t, out)
			}
		}
	}
}

// gaps fails unless the bytes between rows are as upscale left them.
func gaps(t testing.TB, f frame.Frame) {
	t.Helper()
	for i := range f.Format.Planes() {
		_, rows := f.PlaneSize(i)
		for r := range rows - 1 {
			for k := f.RowBytes(i); k < f.Planes[i].Stride; k++ {
				if f.Planes[i].Data[r*f.Planes[i].Stride+k] != 0xcc {
					t.Fatalf("plane %d: a byte after row %d was written", i, r)
				}
			}
		}
	}
}

func TestRGBIdentityIsExact(t *testing.T) {
	for name, data := range map[string][]byte{
		"float32": testonnx.Spec{Channels: 3}.Identity(),
		"float16": testonnx.Spec{Channels: 3, Type: testonnx.Float16}.Identity(),
		"last":    testonnx.Spec{Channels: 3, ChannelsLast: true, Peak: 255}.Identity(),
	} {
		m := load(t, data)
		for _, size := range [][2]int{{64, 48}, {33, 21}} {
			u := open(t, m, Config{In: frame.Layout{Format: frame.RGB, Width: size[0], Height: size[1]}})
			in, out := upscale(t, u, 4, 1)
			if at := differs(out, in); at != "" {
				t.Errorf("%s %dx%d: %s", name, size[0], size[1], at)
			}
		}
	}
}

// TestUnalignedWords feeds 16-bit planes at odd addresses.
func TestUnalignedWords(t *testing.T) {
	m := load(t, testonnx.Spec{}.Identity())
	u := open(t, m, Config{In: frame.Layout{Format: frame.P010LE, Width: 30, Height: 20}})
	aligned := frame.New(u.In(), 1)
	scatter(aligned)
	odd, out := aligned, frame.New(u.In(), 1)
	for i := range odd.Format.Planes() {
		data := append([]byte{0}, aligned.Planes[i].Data...)
		odd.Planes[i].Data = data[1:]
	}
	if err := u.Run(odd, out, 1); err != nil {
		t.Fatal(err)
	}
	if at := differs(out, aligned); at != "" {
		t.Error(at)
	}
}

// TestFixedShapeIsExact runs networks of one size over larger and smaller
// frames, cut into tiles.
func TestFixedShapeIsExact(t *testing.T) {
	for _, scale := range []int{1, 2} {
		m := load(t, testonnx.Spec{Scale: scale, Width: 48, Height: 40}.Nearest())
		for _, format := range []frame.Format{frame.I420, frame.NV12, frame.I42010LE, frame.P010LE} {
			for _, size := range [][2]int{{48, 40}, {130, 90}, {131, 91}, {20, 10}, {21, 100}, {1, 1}} {
				u := open(t, m, Config{In: frame.Layout{Format: format, Width: size[0], Height: size[1]}})
				in, out := upscale(t, u, 16, 1)
				want := frame.New(u.Out(), 1)
				repeat(in, want, scale)
				planes := format.Planes()
				if scale > 1 {
					planes = 1 // chroma is resampled
				}
				if at := differsIn(out, want, planes); at != "" {
					t.Errorf("%s %dx%d x%d: %s", format, size[0], size[1], scale, at)
				}
				gaps(t, out)
			}
		}
	}
}

// TestTilesHaveNoSeams compares a blur in tiles with the same of the whole
// frame, chroma too. The sides are even: on an odd one the last tile sees an
// edge pixel where this network, over the whole frame, sees black padding.
func TestTilesHaveNoSeams(t *testing.T) {
	weights := make([]float32, 4*9)
	for i := range weights {
		weights[i] = 1.0 / 9
	}
	m := load(t, testonnx.Spec{Scale: 2}.Conv(weights, make([]float32, 4)))
	for _, format := range []frame.Format{frame.I420, frame.P010LE, frame.RGB} {
		layout := frame.Layout{Format: format, Width: 202, Height: 134}
		whole, tiled := open(t, m, Config{In: layout}), open(t, m, Config{In: layout, Tile: 64})
		_, want := upscale(t, whole, 1, 1)
		_, got := upscale(t, tiled, 1, 1)
		mean, largest := difference(got, want, 0)
		if largest > 1 {
			t.Errorf("%s: tiles are off by %.3f levels on average and %v at most", format, mean, largest)
		}
	}
}

// TestPiecesKeepTheMatrix takes an RGB network over a frame so high that its
// unknown matrix is BT.709, in bands and in tiles that by themselves would be
// BT.601.
func TestPiecesKeepTheMatrix(t *testing.T) {
	weights := make([]float32, 3*3*9)
	for c := range 3 {
		weights[c*27+(2-c)*9+4] = 1 // swaps red and blue
	}
	m := load(t, testonnx.Spec{Channels: 3}.Conv(weights, make([]float32, 3)))
	layout := frame.Layout{Format: frame.I420, Width: 64, Height: 800}
	known := layout
	known.Matrix = frame.BT709
	in, want := testFrame(layout), frame.New(layout, 1)
	if err := open(t, m, Config{In: known, Threads: 1}).Run(in, want, 1); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"whole": {In: layout, Threads: 1}, "bands": {In: layout, Threads: 2}, "tiles": {In: layout, Tile: 64},
	} {
		got := frame.New(layout, 1)
		if err := open(t, m, cfg).Run(in, got, 1); err != nil {
			t.Fatal(err)
		}
		if mean, largest := difference(got, want, 0); largest > 0 {
			t.Errorf("%s: off by %.2f levels on average and %v at most", name, mean, largest)
		}
	}
}

// TestStrength mixes the network's picture with bicubic in proportion.
func TestStrength(t *testing.T) {
	m := load(t, testonnx.Spec{Scale: 2}.Gain(0.96, 0))
	layout := frame.Layout{Format: frame.I420, Width: 40, Height: 30}
	u := open(t, m, Config{In: layout, Mix: true})
	in, out := frame.New(u.In(), 1), frame.New(u.Out(), 1)
	paint(in, 200)
	for _, c := range []struct {
		strength float32
		level    float64
	}{{1, 192}, {0, 200}, {0.5, 196}, {0.25, 198}, {0.25, 198}, {7, 192}, {-1, 200}} {
		if err := u.Run(in, out, c.strength); err != nil {
			t.Fatal(err)
		}
		if got := planeOf(u.Out(), 0).level(out.Planes[0], 40, 30, 0); got != c.level {
			t.Errorf("at strength %v the level is %v, want %v", c.strength, got, c.level)
		}
	}
}

func TestRunRefusesWrongFrames(t *testing.T) {
	u := open(t, load(t, testonnx.Spec{Scale: 2}.Nearest()), Config{In: frame.Layout{Format: frame.I420, Width: 32, Height: 24}})
	good, out := frame.New(u.In(), 1), frame.New(u.Out(), 1)
	other := u.In()
	other.Width = 30
	short := good
	short.Planes[2].Data = short.Planes[2].Data[1:]
	for name, c := range map[string]struct {
		in, out frame.Frame
		want    error
	}{
		"another input size": {frame.New(other, 1), out, ErrFrame},
		"output not scaled":  {good, good, ErrFrame},
		"a short plane":      {short, out, frame.ErrPlane},
		"no frame":           {frame.Frame{}, out, ErrFrame},
	} {
		if err := u.Run(c.in, c.out, 1); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if s := u.Stats(); s.Frames != 0 {
		t.Errorf("%d frames are counted", s.Frames)
	}
}

func TestNewRefusesBadConfigs(t *testing.T) {
	m := load(t, testonnx.Spec{Scale: 4}.Nearest())
	good := frame.Layout{Format: frame.I420, Width: 32, Height: 24}
	for want, cfg := range map[string]Config{
		"provider: must be auto, tensorrt, cuda, openvino, webgpu or cpu (got \"gpu\")": {In: good, Provider: "gpu"},
		"precision: must be auto, fp32 or fp16 (got \"int8\")":                          {In: good, Precision: "int8"},
		"device: must be at least 0 (got -1)":                                           {In: good, Device: -1},
		"threads: must be 0 to 256 (got 999)":                                           {In: good, Threads: 999},
		"tile: must be 0 or 32 to 16384 (got 8)":                                        {In: good, Tile: 8},
	} {
		_, err := New(runtimeForTest, m, cfg)
		if !errors.Is(err, ErrConfig) || err.Error() != ErrConfig.Error()+": "+want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, l := range []frame.Layout{{}, {Format: frame.I420, Width: 5000, Height: 24}} {
		if _, err := New(runtimeForTest, m, Config{In: l}); !errors.Is(err, frame.ErrFormat) && !errors.Is(err, frame.ErrSize) {
			t.Errorf("%+v: got %v", l, err)
		}
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	u := open(t, load(t, testonnx.Spec{}.Identity()), Config{In: frame.Layout{Format: frame.NV12, Width: 32, Height: 24}})
	for range 3 {
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Run(frame.New(u.In(), 1), frame.New(u.Out(), 1), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestUpscalersAtOnce runs two Upscalers of one Model on goroutines of their
// own, while others read their figures.
func TestUpscalersAtOnce(t *testing.T) {
	m := load(t, testonnx.Spec{Scale: 2}.Nearest())
	var group sync.WaitGroup
	for n := range 2 {
		u := open(t, m, Config{In: frame.Layout{Format: frame.I420, Width: 64 + 16*n, Height: 48}, Threads: 2})
		group.Go(func() {
			in, out, want := frame.New(u.In(), 1), frame.New(u.Out(), 1), frame.New(u.Out(), 1)
			scatter(in)
			repeat(in, want, 2)
			for range 20 {
				if err := u.Run(in, out, 1); err != nil {
					t.Error(err)
				}
				if at := differsIn(out, want, 1); at != "" {
					t.Error(at)
				}
			}
		})
		group.Go(func() {
			for u.Stats().Frames < 20 && !t.Failed() {
				u.Stats()
			}
		})
	}
	group.Wait()
}

// testTime is the time of the i-th frame.
func testTime(i int) time.Duration { return time.Duration(i+1) * time.Millisecond }

func TestStats(t *testing.T) {
	var m meter
	if s := m.read(); s != (Stats{}) {
		t.Errorf("before the first frame: %+v", s)
	}
	for i := range 1000 {
		m.done(testTime(i))
	}
	m.failed()
	s := m.read()
	if s.Frames != 1000 || s.Failed != 1 || s.Last != testTime(999) {
		t.Errorf("got %+v", s)
	}
	if s.P50 < testTime(860) || s.P50 > testTime(880) || s.P95 < testTime(980) || s.P95 >= testTime(999) {
		t.Errorf("the percentiles of the last %d are %v and %v", statsWindow, s.P50, s.P95)
	}
}

// TestThirdPartyModel upscales with a network that nobody here made.
func TestThirdPartyModel(t *testing.T) {
	m := thirdPartyModel(t)
	for _, format := range []frame.Format{frame.I420, frame.P010LE, frame.RGB} {
		u := open(t, m, Config{In: frame.Layout{Format: format, Width: 101, Height: 67}})
		in, out := testFrame(u.In()), frame.New(u.Out(), 1)
		if err := u.Run(in, out, 1); err != nil {
			t.Fatal(err)
		}
		if mean, largest := drift(in, out, 2); mean > 3 || largest > 20 {
			t.Errorf("%s: the picture is off by %.1f levels on average and %.1f at most", format, mean, largest)
		}
	}
}
