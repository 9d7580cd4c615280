package testmedia

import (
	"errors"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

func newDetail(t testing.TB, s Spec) *Clip {
	t.Helper()
	c, err := NewDetail(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSpec(t *testing.T) {
	c := newCounted(t, Spec{})
	if c.Width != 1280 || c.Height != 720 || c.Rate != (Ratio{24, 1}) || c.Frames != 240 || c.Format != frame.I420 {
		t.Errorf("defaults: %+v", c.Spec)
	}
	if c.Layout.Matrix != frame.BT709 || newCounted(t, Spec{Width: 720, Height: 576}).Layout.Matrix != frame.BT601 {
		t.Error("the matrix does not follow the height")
	}
	if got := c.PTS(36); got != 1500*time.Millisecond || c.Samples() != 480000 {
		t.Errorf("frame 36 at %v, %d samples", got, c.Samples())
	}
	for name, s := range map[string]Spec{
		"too small": {Width: 100, Height: 100}, "too large": {Width: 20000, Height: 720},
		"one side": {Width: 640}, "format": {Format: frame.RGB}, "rate": {Rate: Ratio{24, 0}},
		"pixel": {PixelAspect: Ratio{-1, 1}}, "frames": {Frames: -1}, "many frames": {Frames: 70000},
	} {
		if _, err := NewDetail(s); !errors.Is(err, ErrSpec) && !errors.Is(err, frame.ErrSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := frame.New(frame.Layout{Format: frame.I420, Width: 640, Height: 360}, 1)
	if err := c.Draw(0, other); !errors.Is(err, ErrLayout) {
		t.Errorf("a frame of another layout: %v", err)
	}
	broken := frame.New(c.Layout, 1)
	broken.Planes[2].Data = nil
	if err := c.Draw(0, broken); !errors.Is(err, frame.ErrPlane) {
		t.Errorf("a frame without memory: %v", err)
	}
}

// TestDetailIsTheSameEveryTime draws out of order, on two clips, into memory of
// different strides.
func TestDetailIsTheSameEveryTime(t *testing.T) {
	spec := Spec{Width: 320, Height: 180}
	a, b := newDetail(t, spec), newDetail(t, spec)
	drawn(t, a, 9)
	fa := drawn(t, a, 3)
	fb := frame.New(b.Layout, 1)
	if err := b.Draw(3, fb); err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		pa, pb := picture.Channel(fa, c), picture.Channel(fb, c)
		for i := range pa.Pix {
			if pa.Pix[i] != pb.Pix[i] {
				t.Fatalf("channel %d sample %d differs", c, i)
			}
		}
	}
}

// TestDetailLevels checks the limited range in both depths, that they are the
// same picture, and that the picture moves.
func TestDetailLevels(t *testing.T) {
	spec := Spec{Width: 480, Height: 270}
	eight := newDetail(t, spec)
	spec.Format = frame.I42010LE
	ten := newDetail(t, spec)
	f, g := drawn(t, eight, 7), drawn(t, ten, 7)
	for c := range 3 {
		top := 235.0
		if c > 0 {
			top = 240
		}
		p, q := picture.Channel(f, c), picture.Channel(g, c)
		for i, v := range p.Pix {
			if v < 16 || v > top || q.Pix[i] < 64 || q.Pix[i] > 4*top {
				t.Fatalf("channel %d sample %d is %v and %v", c, i, v, q.Pix[i])
			}
			if d := q.Pix[i] - 4*v; d < -2 || d > 2 {
				t.Fatalf("channel %d sample %d is %v in 8 bits and %v in 10", c, i, v, q.Pix[i])
			}
		}
	}
	db, err := picture.PSNR(picture.Luma(f), picture.Luma(drawn(t, eight, 8)), 255, 0)
	if err != nil || db > 40 || db < 15 {
		t.Errorf("PSNR of two neighbouring frames: %v dB, %v", db, err)
	}
}

// TestDetailHoldsDetail checks that the clip tells scalers apart: that halving
// and doubling loses a lot, and a better kernel visibly less.
func TestDetailHoldsDetail(t *testing.T) {
	c := newDetail(t, Spec{})
	full := drawn(t, c, 12)
	small := frame.New(Shrunk(c.Layout), 1)
	shrink, err := NewShrink(c.Layout)
	if err != nil {
		t.Fatal(err)
	}
	if err := shrink.Scale(small, full); err != nil {
		t.Fatal(err)
	}
	score := func(k picture.Kernel) float64 {
		db, err := picture.PSNR(picture.Luma(resized(t, small, 2, k)), picture.Luma(full), 255, 2)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	bicubic, lanczos := score(picture.Bicubic()), score(picture.Lanczos())
	t.Logf("bicubic %.2f dB, Lanczos %.2f dB", bicubic, lanczos)
	if bicubic < 20 || bicubic > 30 || lanczos < bicubic+0.3 {
		t.Errorf("bicubic %.2f dB, Lanczos %.2f dB", bicubic, lanczos)
	}
}

// FuzzDraw draws clips of any size; none of it leaves its rows.
func FuzzDraw(f *testing.F) {
	f.Add(uint16(0), uint16(0), uint16(0), false)
	f.Add(uint16(161), uint16(11), uint16(999), true)
	f.Fuzz(func(t *testing.T, w, h, i uint16, interlaced bool) {
		s := Spec{Width: minWidth + int(w)%200, Height: minHeight + int(h)%200, Interlaced: interlaced}
		for _, make := range []func(Spec) (*Clip, error){NewDetail, NewCounted} {
			c, err := make(s)
			if err != nil {
				t.Fatal(err)
			}
			dst := frame.New(c.Layout, 1)
			if err := c.Draw(int(i), dst); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkDetail(b *testing.B) {
	c := newDetail(b, Spec{})
	f := frame.New(c.Layout, 1)
	for i := 0; b.Loop(); i++ {
		if err := c.Draw(i, f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShrink(b *testing.B) {
	c := newDetail(b, Spec{})
	full, small := drawn(b, c, 0), frame.New(Shrunk(c.Layout), 1)
	s, err := NewShrink(c.Layout)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := s.Scale(small, full); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSound(b *testing.B) {
	c := newDetail(b, Spec{Width: 160, Height: 120})
	for i := 0; b.Loop(); i++ {
		c.Sound(int64(i)*2000, 2000)
	}
}
