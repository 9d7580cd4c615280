package picture

import (
	"errors"
	"math"
	"testing"
)

func TestResizeKeepsFlatPlanes(t *testing.T) {
	for _, k := range []Kernel{Bicubic(), Lanczos()} {
		for _, size := range [][2]int{{1, 1}, {3, 2}, {8, 8}, {16, 5}, {5, 33}} {
			src := NewPlane(8, 6)
			for i := range src.Pix {
				src.Pix[i] = 77
			}
			dst, err := Resize(src, size[0], size[1], k)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range dst.Pix {
				if math.Abs(v-77) > 1e-9 {
					t.Fatalf("to %v: sample %v", size, v)
				}
			}
		}
	}
}

func TestResizeToOwnSizeIsExact(t *testing.T) {
	src := pattern(13, 9, 3)
	for _, k := range []Kernel{Bicubic(), Lanczos()} {
		dst, err := Resize(src, 13, 9, k)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range dst.Pix {
			if math.Abs(v-src.Pix[i]) > 1e-9 {
				t.Fatalf("sample %d: got %v, want %v", i, v, src.Pix[i])
			}
		}
	}
}

// TestBicubicWeights checks single weights against Keys' polynomial by hand:
// doubling takes samples at −0.25 and 0.25, halving stretches the kernel by 2.
func TestBicubicWeights(t *testing.T) {
	impulse := func(n, at int) Plane {
		p := NewPlane(n, 1)
		p.Pix[at] = 1
		return p
	}
	tests := []struct {
		name    string
		in, out int
		at      int // of the impulse
		want    map[int]float64
	}{
		// w(0.25) = 111/128, w(0.75) = 29/128, w(1.25) = −9/128, w(1.75) = −3/128.
		{"double", 8, 16, 4, map[int]float64{
			5: -3. / 128, 6: -9. / 128, 7: 29. / 128, 8: 111. / 128, 9: 111. / 128, 10: 29. / 128, 11: -9. / 128, 12: -3. / 128, 4: 0, 13: 0,
		}},
		// Output 4 is centred at 8.5, a quarter of a coarse sample from the
		// impulse; 3 at 6.5, three quarters; 5 at 10.5 and 2 at 4.5 beyond one.
		{"halve", 16, 8, 8, map[int]float64{
			2: -3. / 256, 3: 29. / 256, 4: 111. / 256, 5: -9. / 256, 1: 0, 6: 0,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dst, err := Resize(impulse(test.in, test.at), test.out, 1, Bicubic())
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range test.want {
				if math.Abs(dst.Pix[i]-want) > 1e-12 {
					t.Errorf("sample %d: got %v, want %v", i, dst.Pix[i], want)
				}
			}
		})
	}
}

func TestHalvingRemovesWhatCannotBeKept(t *testing.T) {
	src := NewPlane(64, 4)
	for i := range src.Pix {
		src.Pix[i] = 128 + 100*math.Cos(math.Pi*0.9*float64(i%64)) // 0.45 cycles per sample
	}
	dst, err := Resize(src, 32, 2, Lanczos())
	if err != nil {
		t.Fatal(err)
	}
	for x, v := range dst.Row(1)[4:28] {
		if math.Abs(v-128) > 6 {
			t.Errorf("sample %d is %v after a frequency that cannot be kept", x+4, v)
		}
	}
}

func TestEdges(t *testing.T) {
	for i, want := range map[int]int{-4: 2, -3: 2, -2: 1, -1: 0, 0: 0, 2: 2, 3: 2, 4: 1, 5: 0, 6: 0, 9: 2} {
		if got := mirror(i, 3); got != want {
			t.Errorf("mirror(%d, 3) = %d, want %d", i, got, want)
		}
	}
	ramp := Plane{Width: 4, Height: 1, Pix: []float64{10, 20, 30, 40}}
	for edge, want := range map[Edge]float64{
		// Output 0 lies at −0.25: samples −2 … 1 by −3, −9… of TestBicubicWeights.
		Mirror: (10*111 + 20*-9 + 10*29 + 20*-3) / 128.,
		Cut:    (10*111 + 20*-9) / 102.,
	} {
		s, err := NewScaler(Axis{In: 4, Out: 8, Edge: edge}, Axis{In: 1, Out: 1}, Bicubic())
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Scale(ramp)
		if err != nil || math.Abs(got.Pix[0]-want) > 1e-9 {
			t.Errorf("edge %d: got %v, %v; want %v", edge, got.Pix[0], err, want)
		}
	}
}

func TestScalerRefusesSizes(t *testing.T) {
	for _, a := range []Axis{{In: 0, Out: 4}, {In: 4, Out: 0}, {In: 4, Out: 1 << 20}, {In: 4, Out: 4, Step: -1}, {In: 4, Out: 4, Shift: 9}} {
		if _, err := NewScaler(a, Axis{In: 4, Out: 4}, Bicubic()); !errors.Is(err, ErrSize) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	s, err := NewScaler(Axis{In: 4, Out: 8}, Axis{In: 4, Out: 8}, Bicubic())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Scale(NewPlane(5, 4)); !errors.Is(err, ErrSize) {
		t.Errorf("a plane of another size: %v", err)
	}
}

func BenchmarkDoubleTo720p(b *testing.B) {
	src := pattern(640, 360, 1)
	for name, k := range map[string]Kernel{"bicubic": Bicubic(), "lanczos": Lanczos()} {
		s, err := NewScaler(Axis{In: 640, Out: 1280}, Axis{In: 360, Out: 720}, k)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Scale(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
