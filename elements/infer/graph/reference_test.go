package graph_test

import (
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testonnx"
)

// What follows says in float64, sample by sample and without any of the
// package's own means, what a wrapped graph has to compute.

// samples is one channel of a picture: [row][column].
type samples [][]float64

func newSamples(rows, columns int) samples {
	s := make(samples, rows)
	for r := range s {
		s[r] = make([]float64, columns)
	}
	return s
}

// at returns a sample, or the edge's where there is none.
func (s samples) at(r, c int) float64 {
	r = min(max(r, 0), len(s)-1)
	return s[r][min(max(c, 0), len(s[r])-1)]
}

func (s samples) each(f func(v float64) float64) samples {
	return build(len(s), len(s[0]), func(r, c int) float64 { return f(s[r][c]) })
}

func build(rows, columns int, f func(r, c int) float64) samples {
	s := newSamples(rows, columns)
	for r := range s {
		for c := range s[r] {
			s[r][c] = f(r, c)
		}
	}
	return s
}

// cubic is Catmull and Rom's filter.
func cubic(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return 1.5*x*x*x - 2.5*x*x + 1
	case x < 2:
		return -0.5*x*x*x + 2.5*x*x - 4*x + 2
	}
	return 0
}

// sampled returns s filtered at the position (x(column), y(row)), stretched by
// width.
func (s samples) sampled(rows, columns int, width float64, x, y func(i int) float64) samples {
	weighted := func(pos float64, get func(i int) float64) float64 {
		sum, total := 0.0, 0.0
		for i := int(math.Floor(pos - 2*width)); i <= int(math.Ceil(pos+2*width)); i++ {
			w := cubic((pos - float64(i)) / width)
			sum, total = sum+w*get(i), total+w
		}
		return sum / total
	}
	return build(rows, columns, func(r, c int) float64 {
		return weighted(y(r), func(i int) float64 {
			return weighted(x(c), func(j int) float64 { return s.at(i, j) })
		})
	})
}

// enlarged is a plain bicubic enlargement around the middle.
func (s samples) enlarged(scale int) samples {
	at := func(i int) float64 { return (float64(i)+0.5)/float64(scale) - 0.5 }
	return s.sampled(len(s)*scale, len(s[0])*scale, 1, at, at)
}

// channelsOf reads the code values of a frame: R, G, B or Y, Cb, Cr.
func channelsOf(f frame.Frame) []samples {
	var out []samples
	for i := range f.Format.Planes() {
		n, rows := f.PlaneSize(i)
		parts := components(f, i)
		for k := range parts {
			out = append(out, build(rows, n/parts, func(r, c int) float64 { return float64(code(f, i, r, c*parts+k)) }))
		}
	}
	return out
}

// components returns how many channels plane i interleaves.
func components(f frame.Frame, i int) int {
	switch {
	case f.Format == frame.RGB:
		return 3
	case f.Format.Planes() == 2 && i == 1:
		return 2
	default:
		return 1
	}
}

// network is a testonnx.Spec.Conv in float64.
type network struct {
	testonnx.Spec
	weights, bias []float32
}

// run takes and returns channels with white at 1.
func (n network) run(in []samples) []samples {
	scale, multiple, peak := max(n.Scale, 1), max(n.Multiple, 1), 1.0
	if n.Peak == 255 {
		peak = 255
	}
	rows, columns := len(in[0]), len(in[0][0])
	padded := func(n int) int { return (n + multiple - 1) / multiple * multiple }
	for i, s := range in { // edges to the size that the network takes
		in[i] = build(padded(rows), padded(columns), func(r, c int) float64 { return peak * s.at(r, c) })
	}
	channels := len(in)
	out := make([]samples, channels)
	for c := range out {
		out[c] = build(rows*scale, columns*scale, func(r, x int) float64 {
			o := ((r%scale)*scale+x%scale)*channels + c
			sum := float64(n.bias[o])
			for i, s := range in {
				for ky := range 3 {
					for kx := range 3 {
						y, x := r/scale+ky-1, x/scale+kx-1
						if y >= 0 && x >= 0 && y < len(s) && x < len(s[0]) {
							sum += float64(n.weights[((o*channels+i)*3+ky)*3+kx]) * s[y][x]
						}
					}
				}
			}
			return sum / peak
		})
	}
	return out
}

// upscaled returns the code values that the network makes of a frame.
func (n network) upscaled(f frame.Frame, strength float64) []samples {
	scale := max(n.Scale, 1)
	in := channelsOf(f)
	white := float64(int(255) << (f.Format.Bits() - 8))
	normal := func(s samples) samples { return s.each(func(v float64) float64 { return v / white }) }
	mixed := func(x, net samples) samples {
		plain := x.enlarged(scale)
		return build(len(net), len(net[0]), func(r, c int) float64 {
			return plain[r][c] + strength*(net[r][c]-plain[r][c])
		})
	}
	var out []samples
	switch {
	case n.Channels == 3 && f.Format == frame.RGB:
		for c, y := range n.run([]samples{normal(in[0]), normal(in[1]), normal(in[2])}) {
			out = append(out, mixed(normal(in[c]), y).each(func(v float64) float64 { return v * 255 }))
		}
	case n.Channels == 3:
		out = n.rgbOfYUV(f, in, mixed)
	case f.Format == frame.RGB:
		out = n.lumaOfRGB(f, in, strength)
	default:
		y := mixed(normal(in[0]), n.run([]samples{normal(in[0])})[0])
		out = append(out, y.each(func(v float64) float64 { return v * white }))
		for _, c := range in[1:] {
			out = append(out, chromaEnlarged(c, f.Layout, scale))
		}
	}
	top := float64(int(1)<<f.Format.Bits() - 1)
	for i := range out {
		out[i] = out[i].each(func(v float64) float64 { return math.RoundToEven(min(max(v, 0), top)) })
	}
	return out
}

// chromaEnlarged keeps the chroma samples' site. Positions are in luma pixels
// of the given picture, whose left edge is at 0 and whose first pixel's middle
// is at ½.
func chromaEnlarged(c samples, l frame.Layout, scale int) samples {
	ox, oy := l.Site.Offset()
	position := func(offset float64) func(j int) float64 {
		return func(j int) float64 {
			inOutput := 2*float64(j) + 1 + offset // of sample j, in pixels of the output
			return (inOutput/float64(scale) - 1 - offset) / 2
		}
	}
	out := l.Scaled(scale)
	return c.sampled((out.Height+1)/2, (out.Width+1)/2, 1, position(ox), position(oy))
}

// ycbcr are the ways between R'G'B' from 0 to 1 and code values (ITU-T H.273
// §8.3, Rec. ITU-R BT.709 §3).
type ycbcr struct {
	kr, kb, black, width, middle, chroma float64
}

func ycbcrOf(l frame.Layout) ycbcr {
	kr, kb := l.Matrix.Coefficients(l.Height)
	k := math.Pow(2, float64(l.Format.Bits()-8))
	if l.Range == frame.Full {
		top := math.Pow(2, float64(l.Format.Bits())) - 1
		return ycbcr{kr, kb, 0, top, 128 * k, top}
	}
	return ycbcr{kr, kb, 16 * k, 219 * k, 128 * k, 224 * k}
}

func (m ycbcr) toRGB(y, cb, cr float64) [3]float64 {
	y, cb, cr = (y-m.black)/m.width, (cb-m.middle)/m.chroma, (cr-m.middle)/m.chroma
	r := y + cr*2*(1-m.kr)
	b := y + cb*2*(1-m.kb)
	return [3]float64{r, (y - m.kr*r - m.kb*b) / (1 - m.kr - m.kb), b}
}

func (m ycbcr) fromRGB(r, g, b float64) [3]float64 {
	y := m.kr*r + (1-m.kr-m.kb)*g + m.kb*b
	cb, cr := (b-y)/(2*(1-m.kb)), (r-y)/(2*(1-m.kr))
	return [3]float64{m.black + m.width*y, m.middle + m.chroma*cb, m.middle + m.chroma*cr}
}

func (n network) rgbOfYUV(f frame.Frame, in []samples, mixed func(x, net samples) samples) []samples {
	ox, oy := f.Site.Offset()
	full := func(offset float64) func(i int) float64 { // chroma sample i lies at luma 2i + ½ + offset
		return func(i int) float64 { return (float64(i) - 0.5 - offset) / 2 }
	}
	cb := in[1].sampled(f.Height, f.Width, 1, full(ox), full(oy))
	cr := in[2].sampled(f.Height, f.Width, 1, full(ox), full(oy))
	m := ycbcrOf(f.Layout)
	var rgb, out [3]samples
	for c := range rgb {
		rgb[c] = build(f.Height, f.Width, func(r, x int) float64 {
			return min(max(m.toRGB(in[0][r][x], cb[r][x], cr[r][x])[c], 0), 1)
		})
	}
	net := n.run([]samples{rgb[0], rgb[1], rgb[2]})
	for c := range net {
		net[c] = mixed(rgb[c], net[c])
	}
	for c := range out {
		out[c] = build(len(net[0]), len(net[0][0]), func(r, x int) float64 {
			return m.fromRGB(net[0][r][x], net[1][r][x], net[2][r][x])[c]
		})
	}
	half := func(offset float64) func(j int) float64 {
		return func(j int) float64 { return 2*float64(j) + 0.5 + offset }
	}
	rows, columns := (len(net[0])+1)/2, (len(net[0][0])+1)/2
	return []samples{
		out[0],
		out[1].sampled(rows, columns, 2, half(ox), half(oy)),
		out[2].sampled(rows, columns, 2, half(ox), half(oy)),
	}
}

// lumaOfRGB replaces Y in Y, Cb and Cr of the full range.
func (n network) lumaOfRGB(f frame.Frame, in []samples, strength float64) []samples {
	kr, kb := f.Matrix.Coefficients(f.Height)
	m := ycbcr{kr, kb, 0, 1, 0, 1}
	var yuv, out [3]samples
	for c := range yuv {
		yuv[c] = build(f.Height, f.Width, func(r, x int) float64 {
			return m.fromRGB(in[0][r][x]/255, in[1][r][x]/255, in[2][r][x]/255)[c]
		})
	}
	scale := max(n.Scale, 1)
	plain, cb, cr := yuv[0].enlarged(scale), yuv[1].enlarged(scale), yuv[2].enlarged(scale)
	net := n.run([]samples{yuv[0]})[0]
	for c := range out {
		out[c] = build(len(net), len(net[0]), func(r, x int) float64 {
			y := plain[r][x] + strength*(net[r][x]-plain[r][x])
			return 255 * m.toRGB(y, cb[r][x], cr[r][x])[c]
		})
	}
	return out[:]
}
