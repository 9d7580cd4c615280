package picture

import (
	"fmt"
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Kernel is an interpolation kernel: even, zero from Radius on. Its weights
// are normalised where they are used, so it need not sum to 1.
type Kernel struct {
	Radius float64 // samples of the coarser grid
	Weight func(x float64) float64
}

// Bicubic returns Keys' cubic kernel with a = −0.5, MATLAB's bicubic.
func Bicubic() Kernel {
	return Kernel{Radius: 2, Weight: func(x float64) float64 {
		const a = -0.5
		switch x = math.Abs(x); {
		case x <= 1:
			return (a+2)*x*x*x - (a+3)*x*x + 1
		case x < 2:
			return a*x*x*x - 5*a*x*x + 8*a*x - 4*a
		default:
			return 0
		}
	}}
}

// Lanczos returns the Lanczos kernel with three lobes.
func Lanczos() Kernel {
	const lobes = 3
	return Kernel{Radius: lobes, Weight: func(x float64) float64 {
		switch x = math.Abs(x) * math.Pi; {
		case x == 0:
			return 1
		case x < lobes*math.Pi:
			return lobes * math.Sin(x) * math.Sin(x/lobes) / (x * x)
		default:
			return 0
		}
	}}
}

// Axis says how one side of a plane is scaled. Out sample i is taken from
// around In sample (i + 0.5) Step − 0.5 + Shift.
type Axis struct {
	In, Out int     // samples
	Step    float64 // In samples per Out sample; 0 stands for In / Out
	Shift   float64 // In samples, at most the larger of Step and 1 either way
	Edge    Edge
}

func (a Axis) ok() bool {
	return a.In >= 1 && a.Out >= 1 && a.In <= frame.MaxSide && a.Out <= frame.MaxSide &&
		a.Step >= 0 && a.Step <= frame.MaxSide && math.Abs(a.Shift) <= max(a.step(), 1)
}

func (a Axis) step() float64 {
	if a.Step == 0 {
		return float64(a.In) / float64(a.Out)
	}
	return a.Step
}

// Edge says what a kernel finds beyond the first and the last sample.
type Edge uint8

// The two ways with an edge that well-known scalers have.
const (
	Mirror Edge = iota // the mirror image, edge samples doubled (MATLAB's imresize)
	Cut                // nothing: the weights inside are normalised alone (Pillow)
)

// Scaler scales planes of one size to another by a separable kernel, which is
// stretched over the finer grid when a side shrinks (no aliasing). It holds
// scratch memory: one goroutine at a time.
type Scaler struct {
	x, y taps
	wide []float64 // one source row with its mirrored margins
	half Plane     // scaled horizontally only
}

// NewScaler returns a scaler from x.In × y.In to x.Out × y.Out samples.
func NewScaler(x, y Axis, k Kernel) (*Scaler, error) {
	for _, a := range []Axis{x, y} {
		if !a.ok() {
			return nil, fmt.Errorf("%w: %d samples to %d in steps of %g from %g", ErrSize, a.In, a.Out, a.Step, a.Shift)
		}
	}
	s := &Scaler{x: newTaps(x, k), y: newTaps(y, k), half: NewPlane(x.Out, y.In)}
	s.wide = make([]float64, x.In+s.x.before+s.x.after)
	return s, nil
}

// Scale returns src scaled; src must have the size the scaler was made for,
// else ErrSize is returned.
func (s *Scaler) Scale(src Plane) (Plane, error) { return s.scale(src, func(Plane) {}) }

// ScaleStored scales like Scale, but rounds to whole code values of 0 … peak
// after each of the two passes (across, then down), as scalers do that keep
// their intermediate picture in memory of that depth.
func (s *Scaler) ScaleStored(src Plane, peak float64) (Plane, error) {
	return s.scale(src, func(p Plane) { p.Round(peak) })
}

func (s *Scaler) scale(src Plane, store func(Plane)) (Plane, error) {
	if src.Width != s.x.in || src.Height != s.y.in {
		return Plane{}, sizes("scaler and plane", Plane{Width: s.x.in, Height: s.y.in}, src)
	}
	for y := range src.Height {
		s.across(s.half.Row(y), src.Row(y))
	}
	store(s.half)
	dst := NewPlane(s.half.Width, s.y.out)
	for y := range dst.Height {
		s.down(dst.Row(y), y)
	}
	store(dst)
	return dst, nil
}

func (s *Scaler) across(dst, src []float64) {
	for i := range s.x.before {
		s.wide[i] = src[mirror(i-s.x.before, len(src))]
	}
	copy(s.wide[s.x.before:], src)
	for i := range s.x.after {
		s.wide[s.x.before+len(src)+i] = src[mirror(len(src)+i, len(src))]
	}
	for i := range dst {
		weights := s.x.weights[i*s.x.n : (i+1)*s.x.n]
		from := s.wide[s.x.first[i]+s.x.before:]
		from = from[:len(weights)]
		var sum float64
		for j, w := range weights {
			sum += w * from[j]
		}
		dst[i] = sum
	}
}

func (s *Scaler) down(dst []float64, y int) {
	clear(dst)
	for j := range s.y.n {
		w := s.y.weights[y*s.y.n+j]
		if w == 0 {
			continue
		}
		for x, v := range s.half.Row(mirror(s.y.first[y]+j, s.y.in)) {
			dst[x] += w * v
		}
	}
}

// taps are the weights of one axis: out sample i is the sum of weights[i*n+j]
// times in sample first[i]+j, which may lie up to before samples ahead of the
// first and after samples behind the last.
type taps struct {
	in, out       int
	n             int
	before, after int
	first         []int
	weights       []float64
}

func newTaps(a Axis, k Kernel) taps {
	step := a.step()
	stretch := max(step, 1)
	reach := k.Radius * stretch
	t := taps{in: a.In, out: a.Out, n: int(math.Ceil(2*reach)) + 1}
	t.first = make([]int, t.out)
	t.weights = make([]float64, t.out*t.n)
	for i := range t.out {
		centre := (float64(i)+0.5)*step - 0.5 + a.Shift
		t.first[i] = int(math.Ceil(centre - reach))
		var sum float64
		weights := t.weights[i*t.n : (i+1)*t.n]
		for j := range weights {
			if at := t.first[i] + j; a.Edge == Mirror || at >= 0 && at < a.In {
				weights[j] = k.Weight((centre - float64(at)) / stretch)
				sum += weights[j]
			}
		}
		for j := range weights {
			weights[j] /= sum
		}
		t.before = max(t.before, -t.first[i])
		t.after = max(t.after, t.first[i]+t.n-t.in)
	}
	return t
}

// mirror returns the sample of 0 … n−1 that stands for sample i of a row that
// is continued by its mirror image on both sides, edge samples doubled.
func mirror(i, n int) int {
	i %= 2 * n
	if i < 0 {
		i += 2 * n
	}
	if i >= n {
		i = 2*n - 1 - i
	}
	return i
}

// Resize scales p to width × height.
func Resize(p Plane, width, height int, k Kernel) (Plane, error) {
	s, err := NewScaler(Axis{In: p.Width, Out: width}, Axis{In: p.Height, Out: height}, k)
	if err != nil {
		return Plane{}, err
	}
	return s.Scale(p)
}
