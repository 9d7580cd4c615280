package upscale

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// identityOf returns a network that changes nothing in a format: a luma
// network on RGB goes through Y and back.
func identityOf(f frame.Format) string {
	if f == frame.RGB {
		return "rgb-identity"
	}
	return "identity"
}

// TestIdentityIsExact takes frames in each format, size and way to lie in
// memory through a network that changes nothing.
func TestIdentityIsExact(t *testing.T) {
	for _, l := range layouts() {
		t.Run(name(l), func(t *testing.T) {
			r := rig(t, identityOf(l.Format), l)
			for n, in := range []gsttest.Buffer{
				{Frame: noise(l, 1)},              // GStreamer's own strides
				{Frame: noise(l, 1), Meta: true},  // none between the rows
				{Frame: noise(l, 34), Meta: true}, // odd ones for words, and planes apart
				{Frame: noise(l, 256), Meta: true},
			} {
				in.PTS = at(n)
				out := r.Through(in, l)
				if diff := compare(out.Frame, l.Format.Planes(), 0, func(plane, x, y int) float64 {
					return float64(get(in.Frame, plane, x, y))
				}); diff != "" {
					t.Errorf("frame %d: %s", n, diff)
				}
			}
		})
	}
}

// TestNearestIsExact repeats pixels at each scale: luma is exact, chroma, which
// is resampled, keeps a grey.
func TestNearestIsExact(t *testing.T) {
	for scale := 1; scale <= 4; scale++ {
		for _, l := range layouts() {
			if l.Format == frame.RGB {
				continue
			}
			t.Run(fmt.Sprintf("%s-x%d", name(l), scale), func(t *testing.T) {
				r := rig(t, fmt.Sprintf("nearest-x%d", scale), l)
				in := noise(l, 16)
				for i := 1; i < l.Format.Planes(); i++ {
					samples, rows := l.PlaneSize(i)
					for k := range samples * rows {
						put(in, i, k%samples, k/samples, 100)
					}
				}
				out := r.Through(gsttest.Buffer{Frame: in, Meta: true}, l.Scaled(scale))
				if diff := compare(out.Frame, l.Format.Planes(), 0, func(plane, x, y int) float64 {
					if plane > 0 {
						return 100
					}
					return float64(get(in, 0, x/scale, y/scale))
				}); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestRGBNetworkOnRGB repeats pixels of three channels.
func TestRGBNetworkOnRGB(t *testing.T) {
	l := frame.Layout{Format: frame.RGB, Width: 33, Height: 21}
	r := rig(t, "rgb-nearest", l)
	in := noise(l, 1)
	out := r.Through(gsttest.Of(in, 0), l.Scaled(2))
	if diff := compare(out.Frame, 1, 0, func(_, x, y int) float64 {
		return float64(get(in, 0, x/3/2*3+x%3, y/2))
	}); diff != "" {
		t.Error(diff)
	}
}

// convWeights returns the weights of a luma 3x3 convolution to scale × scale
// pixels that keeps the brightness of a plain picture.
func convWeights(scale int) (weights, bias []float32) {
	random := rand.New(rand.NewPCG(7, uint64(scale)))
	for range scale * scale {
		var w [9]float32
		rest := float32(1)
		for i := range 8 {
			w[i] = float32(random.NormFloat64()) / 12
			rest -= w[i]
		}
		w[8] = rest
		w[4], w[8] = w[8], w[4] // most of it in the middle
		weights, bias = append(weights, w[:]...), append(bias, float32(random.NormFloat64())/500)
	}
	return weights, bias
}

// TestKnownWeights compares a convolution with the same in float64.
func TestKnownWeights(t *testing.T) {
	for _, format := range []frame.Format{frame.I420, frame.NV12, frame.I42010LE, frame.P010LE} {
		for scale := 1; scale <= 4; scale++ {
			l := frame.Layout{Format: format, Width: 31, Height: 22}
			t.Run(fmt.Sprintf("%s-x%d", format, scale), func(t *testing.T) {
				r := rig(t, fmt.Sprintf("conv-x%d", scale), l)
				in := noise(l, 1)
				out := r.Through(gsttest.Of(in, 0), l.Scaled(scale))
				if diff := compare(out.Frame, 1, 1, func(_, x, y int) float64 { return convolved(in, scale, x, y) }); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// convolved is sample (x, y) of what the network of convWeights makes of in.
func convolved(in frame.Frame, scale, x, y int) float64 {
	weights, bias := convWeights(scale)
	k := y%scale*scale + x%scale
	white := float64(int(1)<<in.Format.Bits() - 1)
	sum := float64(bias[k])
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if sx, sy := x/scale+dx, y/scale+dy; sx >= 0 && sy >= 0 && sx < in.Width && sy < in.Height {
				sum += float64(weights[k*9+(dy+1)*3+dx+1]) * float64(get(in, 0, sx, sy)) / white
			}
		}
	}
	return math.Round(min(max(sum, 0), 1) * white)
}

// TestInputIsLeftAlone sends a picture twice from the same memory.
func TestInputIsLeftAlone(t *testing.T) {
	l := frame.Layout{Format: frame.NV12, Width: 40, Height: 30}
	r := rig(t, "nearest-x2", l)
	in := noise(l, 64)
	kept := bytes.Clone(in.Planes[0].Data)
	first := r.Through(gsttest.Buffer{Frame: in, Meta: true}, l.Scaled(2))
	second := r.Through(gsttest.Buffer{Frame: in, Meta: true}, l.Scaled(2))
	if !bytes.Equal(first.Planes[0].Data, second.Planes[0].Data) || !bytes.Equal(kept, in.Planes[0].Data) {
		t.Error("the same picture came out differently")
	}
}
