package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer/graph"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// knownNetwork returns a convolution with weights from a seed that keeps most
// values in their range and sends some out of it.
func knownNetwork(s testonnx.Spec) network {
	random := rand.New(rand.NewPCG(4, uint64(s.Channels)))
	channels, scale := max(s.Channels, 1), max(s.Scale, 1)
	out := scale * scale * channels
	n := network{Spec: s, weights: make([]float32, out*channels*9), bias: make([]float32, out)}
	for i := range n.weights {
		n.weights[i] = float32(random.NormFloat64()) * 0.1
	}
	for o := range out {
		n.weights[(o*channels+o%channels)*9+4] += 0.8
		n.bias[o] = float32(random.NormFloat64() * 0.05 * max(s.Peak, 1))
	}
	return n
}

// drawn fills f with shapes and noise as video has them: smooth, with edges.
func drawn(f frame.Frame) {
	random := rand.New(rand.NewPCG(9, 9))
	top := float64(int(1)<<f.Format.Bits() - 1)
	for i := range f.Format.Planes() {
		n, rows := f.PlaneSize(i)
		for r := range rows {
			for s := range n {
				v := 0.5 + 0.3*math.Sin(float64(s)/4+float64(i))*math.Cos(float64(r)/3) + 0.05*random.NormFloat64()
				if (r/7+s/9)%5 == 0 {
					v += 0.35
				}
				setCode(f, i, r, s, int(math.Round(min(max(v, 0), 1)*top)))
			}
		}
	}
}

// TestAgainstReference runs a network of known weights on every format and
// compares each sample with the same computed in float64.
func TestAgainstReference(t *testing.T) {
	layouts := map[string]frame.Layout{
		"601 limited left":  {Width: 45, Height: 31, Matrix: frame.BT601},
		"709 full center":   {Width: 44, Height: 30, Matrix: frame.BT709, Range: frame.Full, Site: frame.SiteCenter},
		"2020 top left":     {Width: 33, Height: 28, Matrix: frame.BT2020, Site: frame.SiteTopLeft},
		"240M full":         {Width: 30, Height: 17, Matrix: frame.SMPTE240M, Range: frame.Full},
		"fcc small":         {Width: 3, Height: 2, Matrix: frame.FCC, Site: frame.SiteCenter},
		"one pixel unnamed": {Width: 1, Height: 1},
	}
	specs := map[string]testonnx.Spec{
		"luma 1":            {},
		"luma 2":            {Scale: 2},
		"luma 3":            {Scale: 3},
		"luma 4 peak 255":   {Scale: 4, Peak: 255},
		"luma 2 multiple 4": {Scale: 2, Multiple: 4},
		"rgb 1":             {Channels: 3},
		"rgb 2":             {Channels: 3, Scale: 2},
		"rgb 3 last":        {Channels: 3, Scale: 3, ChannelsLast: true},
		"rgb 2 of 255 by 4": {Channels: 3, Scale: 2, Multiple: 4, Peak: 255},
	}
	for specName, spec := range specs {
		for layoutName, layout := range layouts {
			for _, layout.Format = range frame.Formats() {
				t.Run(fmt.Sprintf("%s %s %s", specName, layoutName, layout.Format), func(t *testing.T) {
					n := knownNetwork(spec)
					s := spec
					s.Peak = 0 // not clipped by the network
					w, p := wrap(t, s.Conv(n.weights, n.bias), spec, layout, false)
					r := newRunner(t, w, p, 1)
					drawn(r.in)
					r.run(t)
					agree(t, channelsOf(r.out), n.upscaled(r.in, 1))
				})
			}
		}
	}
}

// TestPortable runs the forms of 10-bit output that other tests leave out.
func TestPortable(t *testing.T) {
	for _, format := range []frame.Format{frame.I42010LE, frame.P010LE} {
		layout := frame.Layout{Format: format, Width: 21, Height: 18}
		for name, test := range map[string]struct {
			portable bool
			opset    int
		}{"portable": {true, 17}, "old opset": {false, graph.MinOpset}, "new opset": {false, 21}} {
			t.Run(fmt.Sprint(format, " ", name), func(t *testing.T) {
				spec := testonnx.Spec{Scale: 2, Opset: test.opset}
				n := knownNetwork(spec)
				m, err := graph.Parse(spec.Conv(n.weights, n.bias))
				must(t, err)
				p := graph.Plan{In: layout, Out: layout.Scaled(2), Portable: test.portable}
				w, err := graph.Wrap(m, factsOf(t, m, spec), p)
				must(t, err)
				r := newRunner(t, w, p, 1)
				drawn(r.in)
				r.run(t)
				agree(t, channelsOf(r.out), n.upscaled(r.in, 1))
			})
		}
	}
}

func TestMix(t *testing.T) {
	for specName, spec := range map[string]testonnx.Spec{
		"luma 1": {}, "luma 2": {Scale: 2}, "luma 3 multiple 4": {Scale: 3, Multiple: 4}, "rgb 2": {Channels: 3, Scale: 2},
	} {
		for _, format := range frame.Formats() {
			layout := frame.Layout{Format: format, Width: 35, Height: 26}
			n := knownNetwork(spec)
			w, p := wrap(t, spec.Conv(n.weights, n.bias), spec, layout, true)
			r := newRunner(t, w, p, 1)
			drawn(r.in)
			for _, strength := range []float32{0, 0.5, 1} {
				t.Run(fmt.Sprintf("%s %s %g", specName, format, strength), func(t *testing.T) {
					r.mix(t, strength)
					r.run(t)
					agree(t, channelsOf(r.out), n.upscaled(r.in, float64(strength)))
				})
			}
		}
	}
}

// agree demands that no sample is more than one level off, and that few are:
// float32 may round what is a tie in float64 the other way, nothing more.
func agree(t *testing.T, got, want []samples) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d channels, want %d", len(got), len(want))
	}
	for i := range want {
		off, all := 0, 0
		for r := range want[i] {
			for c := range want[i][r] {
				d := math.Abs(got[i][r][c] - want[i][r][c])
				if d > 1 {
					t.Fatalf("channel %d, row %d, column %d: got %g, want %g", i, r, c, got[i][r][c], want[i][r][c])
				}
				if d > 0 {
					off++
				}
				all++
			}
		}
		if off > 1+all/100 {
			t.Errorf("channel %d: %d of %d samples are one level off", i, off, all)
		}
	}
}

// smooth fills f with slow waves within the codes that colours have.
func smooth(f frame.Frame) {
	top := float64(int(1)<<f.Format.Bits() - 1)
	for i := range f.Format.Planes() {
		n, rows := f.PlaneSize(i)
		for r := range rows {
			for s := range n {
				v := 0.5 + 0.15*math.Sin(float64(s/components(f, i))/12)*math.Cos(float64(r)/10)
				setCode(f, i, r, s, int(math.Round(v*top)))
			}
		}
	}
}

func psnr(a, b samples, bits int) float64 {
	sum, n := 0.0, 0
	for r := range a {
		for c := range a[r] {
			d := a[r][c] - b[r][c]
			sum, n = sum+d*d, n+1
		}
	}
	return 20*math.Log10(float64(int(1)<<bits-1)) - 10*math.Log10(sum/float64(n))
}
