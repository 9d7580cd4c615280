package picture

import (
	"errors"
	"math"
	"testing"
)

// pattern is a plane of whole code values that any language can make again.
func pattern(width, height, seed int) Plane {
	p := NewPlane(width, height)
	for i := range p.Pix {
		x, y := i%width, i/width
		p.Pix[i] = float64((x*x*7 + y*13*seed + x*y*seed) % 256)
	}
	return p
}

func TestPSNR(t *testing.T) {
	flat := func(v float64) Plane {
		p := NewPlane(9, 7)
		for i := range p.Pix {
			p.Pix[i] = v
		}
		return p
	}
	edge := flat(100)
	for x := range edge.Width {
		edge.Row(0)[x] = 0 // differs on the border alone
	}
	tests := []struct {
		name   string
		a, b   Plane
		peak   float64
		border int
		want   float64
	}{
		{"one level of 8 bits", flat(100), flat(101), 255, 0, 20 * math.Log10(255)},
		{"four levels of 10 bits", flat(400), flat(404), 1023, 2, 20 * math.Log10(1023.0/4)},
		{"equal", flat(3), flat(3), 255, 0, math.Inf(1)},
		{"equal inside the border", flat(100), edge, 255, 1, math.Inf(1)},
		{"one row of seven differs", flat(100), edge, 255, 0, 10 * math.Log10(255*255/(1e4/7))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := PSNR(test.a, test.b, test.peak, test.border)
			if err != nil || got != test.want && math.Abs(got-test.want) > 1e-9 {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

// TestSSIM compares with figures of a direct evaluation of the formula in
// double precision, every window on its own.
func TestSSIM(t *testing.T) {
	a, b := pattern(40, 31, 1), pattern(40, 31, 2)
	for _, border := range []int{0, 2} {
		got, err := SSIM(a, b, 255, border)
		if err != nil {
			t.Fatal(err)
		}
		if want := directSSIM(a, b, 255, border); math.Abs(got-want) > 1e-9 {
			t.Errorf("border %d: got %.12f, want %.12f", border, got, want)
		}
	}
	if same, err := SSIM(a, a, 255, 0); err != nil || math.Abs(same-1) > 1e-12 {
		t.Errorf("a plane with itself: got %v, %v; want 1", same, err)
	}
}

func directSSIM(a, b Plane, peak float64, border int) float64 {
	c1, c2 := 0.0001*peak*peak, 0.0009*peak*peak
	var total, n float64
	for y := border + 5; y < a.Height-border-5; y++ {
		for x := border + 5; x < a.Width-border-5; x++ {
			var w, ma, mb float64
			each := func(f func(g, va, vb float64)) {
				for dy := -5; dy <= 5; dy++ {
					for dx := -5; dx <= 5; dx++ {
						f(math.Exp(-float64(dx*dx+dy*dy)/4.5), a.Row(y + dy)[x+dx], b.Row(y + dy)[x+dx])
					}
				}
			}
			each(func(g, va, vb float64) { w, ma, mb = w+g, ma+g*va, mb+g*vb })
			ma, mb = ma/w, mb/w
			var va2, vb2, cov float64
			each(func(g, va, vb float64) {
				va2, vb2, cov = va2+g*(va-ma)*(va-ma), vb2+g*(vb-mb)*(vb-mb), cov+g*(va-ma)*(vb-mb)
			})
			total += (2*ma*mb + c1) * (2*cov/w + c2) / ((ma*ma + mb*mb + c1) * (va2/w + vb2/w + c2))
			n++
		}
	}
	return total / n
}

func TestMetricsRefuseSizes(t *testing.T) {
	for _, test := range []struct {
		name   string
		a, b   Plane
		border int
	}{
		{"different sizes", NewPlane(20, 20), NewPlane(20, 21), 0},
		{"all border", NewPlane(20, 20), NewPlane(20, 20), 10},
		{"negative border", NewPlane(20, 20), NewPlane(20, 20), -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := PSNR(test.a, test.b, 255, test.border); !errors.Is(err, ErrSize) {
				t.Errorf("PSNR: %v", err)
			}
			if _, err := SSIM(test.a, test.b, 255, test.border); !errors.Is(err, ErrSize) {
				t.Errorf("SSIM: %v", err)
			}
		})
	}
	if _, err := SSIM(NewPlane(10, 40), NewPlane(10, 40), 255, 0); !errors.Is(err, ErrSize) {
		t.Errorf("SSIM without a window: %v", err)
	}
}

func BenchmarkPSNR(b *testing.B) {
	x, y := pattern(1280, 720, 1), pattern(1280, 720, 3)
	for b.Loop() {
		if _, err := PSNR(x, y, 255, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSSIM(b *testing.B) {
	x, y := pattern(1280, 720, 1), pattern(1280, 720, 3)
	for b.Loop() {
		if _, err := SSIM(x, y, 255, 2); err != nil {
			b.Fatal(err)
		}
	}
}
