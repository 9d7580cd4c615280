package picture

import (
	"errors"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// filled returns a frame in which channel c of pixel or chroma block x, y is
// value(c, x, y).
func filled(t *testing.T, l frame.Layout, align int, value func(c, x, y int) float64) frame.Frame {
	t.Helper()
	f := frame.New(l, align)
	for c := range 3 {
		p := Channel(f, c)
		for i := range p.Pix {
			p.Pix[i] = value(c, i%p.Width, i/p.Width)
		}
		if err := p.Store(f, c); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestChannelsOfEveryFormat(t *testing.T) {
	for _, format := range frame.Formats() {
		t.Run(format.String(), func(t *testing.T) {
			l := frame.Layout{Format: format, Width: 7, Height: 5}
			value := func(c, x, y int) float64 { return float64((100*c + 10*y + x) % 256) }
			f := filled(t, l, 32, value)
			for c := range 3 {
				p := Channel(f, c)
				for i, v := range p.Pix {
					if want := value(c, i%p.Width, i/p.Width); v != want {
						t.Fatalf("channel %d sample %d: got %v, want %v", c, i, v, want)
					}
				}
				if err := NewPlane(2, 2).Store(f, c); !errors.Is(err, ErrSize) {
					t.Errorf("a plane that does not fit: %v", err)
				}
			}
		})
	}
}

func TestStoreRoundsAndClips(t *testing.T) {
	for _, format := range []frame.Format{frame.I420, frame.P010LE} {
		f := frame.New(frame.Layout{Format: format, Width: 4, Height: 1}, 1)
		p := Plane{Width: 4, Height: 1, Pix: []float64{-3, 1.5, 1.49, 5000}}
		if err := p.Store(f, 0); err != nil {
			t.Fatal(err)
		}
		got := Channel(f, 0).Pix
		p.Round(Peak(format))
		for i, want := range []float64{0, 2, 1, Peak(format)} {
			if got[i] != want || p.Pix[i] != want {
				t.Errorf("%s sample %d: stored %v, rounded %v, want %v", format, i, got[i], p.Pix[i], want)
			}
		}
	}
}

func TestMean(t *testing.T) {
	for _, format := range frame.Formats() {
		f := filled(t, frame.Layout{Format: format, Width: 6, Height: 4}, 1, func(_, x, _ int) float64 { return float64(10 * x) })
		for _, test := range []struct {
			x0, y0, x1, y1 int
			want           float64
		}{{0, 0, 6, 4, 25}, {2, 1, 4, 3, 25}, {4, 0, 99, 99, 45}, {-9, -9, 1, 1, 0}, {3, 3, 3, 3, 0}, {7, 0, 9, 4, 0}} {
			if got := Mean(f, test.x0, test.y0, test.x1, test.y1); got != test.want {
				t.Errorf("%s %+v: got %v", format, test, got)
			}
		}
	}
}

func TestStudioLuma(t *testing.T) {
	img := image.NewNRGBA(image.Rect(3, 2, 6, 3))
	for x, c := range []color.NRGBA{{A: 255}, {R: 255, G: 255, B: 255, A: 255}, {R: 255, A: 255}} {
		img.Set(3+x, 2, c)
	}
	for i, want := range []float64{16, 235, 81.481} {
		if got := Studio(RGB(img)).Pix[i]; math.Abs(got-want) > 1e-9 {
			t.Errorf("pixel %d: got %v, want %v", i, got, want)
		}
	}
	f := frame.New(frame.Layout{Format: frame.RGB, Width: 1, Height: 1}, 1)
	f.Planes[0].Data[0] = 255
	if got := Luma(f).Pix[0]; math.Abs(got-81.481) > 1e-9 {
		t.Errorf("luma of a red frame: %v", got)
	}
}

// TestFrameScalerKeepsSites halves and doubles ramps: luma and chroma rise by
// one level a luma pixel, so after scaling they still have to agree about where
// in the picture they are.
func TestFrameScalerKeepsSites(t *testing.T) {
	const width, height = 96, 64
	for _, site := range []frame.ChromaSite{frame.SiteLeft, frame.SiteCenter, frame.SiteTopLeft} {
		for _, factor := range []float64{0.5, 2} {
			from := frame.Layout{Format: frame.I42010LE, Width: width, Height: height, Site: site}
			to := from
			to.Width, to.Height = int(width*factor), int(height*factor)
			dx, dy := site.Offset()
			src := filled(t, from, 1, func(c, x, y int) float64 {
				if c == 0 {
					return 100 + 2*(float64(x)+0.5) + 4*(float64(y)+0.5)
				}
				return 100 + 2*(2*float64(x)+1+dx) + 4*(2*float64(y)+1+dy)
			})
			s, err := NewFrameScaler(from, to, Bicubic())
			if err != nil {
				t.Fatal(err)
			}
			dst := frame.New(to, 16)
			if err := s.Scale(dst, src); err != nil {
				t.Fatal(err)
			}
			for c := 1; c < 3; c++ {
				p := Channel(dst, c)
				x, y := p.Width/2, p.Height/2
				want := 100 + 2*(2*float64(x)+1+dx)/factor + 4*(2*float64(y)+1+dy)/factor
				if got := p.Row(y)[x]; math.Abs(got-want) > 0.51 {
					t.Errorf("site %d, factor %g, channel %d: got %v, want %v", site, factor, c, got, want)
				}
			}
		}
	}
}

func TestFrameScalerRefuses(t *testing.T) {
	a := frame.Layout{Format: frame.I420, Width: 8, Height: 8}
	b := frame.Layout{Format: frame.NV12, Width: 4, Height: 4}
	if _, err := NewFrameScaler(a, b, Bicubic()); !errors.Is(err, ErrFormat) {
		t.Errorf("two formats: %v", err)
	}
	if _, err := NewFrameScaler(a, frame.Layout{Format: frame.I420}, Bicubic()); !errors.Is(err, frame.ErrSize) {
		t.Errorf("no size: %v", err)
	}
	half := a
	half.Width, half.Height = 4, 4
	s, err := NewFrameScaler(a, half, Bicubic())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Scale(frame.New(a, 1), frame.New(a, 1)); !errors.Is(err, ErrFormat) {
		t.Errorf("another layout: %v", err)
	}
	short := frame.New(a, 1)
	short.Planes[2].Data = short.Planes[2].Data[:3]
	if err := s.Scale(frame.New(half, 1), short); !errors.Is(err, frame.ErrPlane) {
		t.Errorf("a short plane: %v", err)
	}
}

// FuzzFrameScaler scales frames of any size and stride: flat ones stay flat,
// and no byte between the rows is touched.
func FuzzFrameScaler(f *testing.F) {
	f.Add(uint8(0), uint8(8), uint8(6), uint8(4), uint8(3), uint8(1), uint8(77))
	f.Add(uint8(3), uint8(1), uint8(1), uint8(9), uint8(7), uint8(16), uint8(255))
	f.Fuzz(func(t *testing.T, format, w, h, tw, th, align, level uint8) {
		formats := frame.Formats()
		from := frame.Layout{Format: formats[int(format)%len(formats)], Width: int(w), Height: int(h)}
		to := from
		to.Width, to.Height = int(tw), int(th)
		s, err := NewFrameScaler(from, to, Bicubic())
		if from.Check() != nil || to.Check() != nil {
			if err == nil {
				t.Fatal("a layout that fails Check was taken")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		src := filled(t, from, int(align)+1, func(_, _, _ int) float64 { return float64(level) })
		dst := frame.New(to, int(align)+1)
		const mark = 0xa5
		for i := range to.Format.Planes() {
			for k := range dst.Planes[i].Data {
				dst.Planes[i].Data[k] = mark
			}
		}
		if err := s.Scale(dst, src); err != nil {
			t.Fatal(err)
		}
		for c := range 3 {
			for i, v := range Channel(dst, c).Pix {
				if v != float64(level) {
					t.Fatalf("channel %d sample %d: %v", c, i, v)
				}
			}
		}
		for i := range to.Format.Planes() {
			for k, v := range dst.Planes[i].Data {
				if k%dst.Planes[i].Stride >= to.RowBytes(i) && v != mark {
					t.Fatalf("plane %d byte %d lies between the rows and was written", i, k)
				}
			}
		}
	})
}
