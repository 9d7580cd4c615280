package graph

import (
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Plain resampling is Catmull-Rom's cubic: it goes through its samples, so
// that at scale 1, and wherever an output sample falls on an input sample,
// nothing changes (Mitchell's, the other usual choice, blurs there).

// catmullRom is the cubic with B = 0, C = 1/2 of Mitchell and Netravali,
// "Reconstruction Filters in Computer Graphics", 1988.
func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	default:
		return 0
	}
}

// axis is an enlargement along one dimension: output sample j lies at
// j/scale + phase among the input samples.
type axis struct {
	scale int
	phase float64
}

// lumaAxis enlarges samples so that the picture's middle stays where it is.
func lumaAxis(scale int) axis {
	return axis{scale, 0.5/float64(scale) - 0.5}
}

// chromaAxes enlarge chroma samples of 4:2:0 so that they have the same site
// in the enlarged picture as in the given one. Sample i lies at luma position
// 2i + ½ + o of the given picture (o from ChromaSite.Offset), sample j at
// 2j + ½ + o of the enlarged one, and luma position p becomes
// scale·(p + ½) − ½.
func chromaAxes(scale int, site frame.ChromaSite) (x, y axis) {
	ox, oy := site.Offset()
	shrink := 1 - 1/float64(scale)
	return axis{scale, -(1 + ox) / 2 * shrink}, axis{scale, -(1 + oy) / 2 * shrink}
}

// chromaToLuma enlarge chroma samples of 4:2:0 to the positions of luma.
func chromaToLuma(site frame.ChromaSite) (x, y axis) {
	ox, oy := site.Offset()
	return axis{2, -(0.5 + ox) / 2}, axis{2, -(0.5 + oy) / 2}
}

// polyphase is an axis written as a convolution over blocks: of input blocks
// first to first+len−1 around each block of n samples come n·scale outputs.
type polyphase struct {
	block int         // n
	first int         // blocks before the one in the middle, ≤ 0
	taps  [][]float64 // [output of the block][input of the blocks from first on]
}

// blocks returns how many input blocks the outputs of one are made of.
func (p polyphase) blocks() int { return len(p.taps[0]) / p.block }

// pads returns how many samples to repeat before and after a row of length
// samples for the convolution to reach all of them.
func (p polyphase) pads(length int) (before, after int) {
	outputs := (length + p.block - 1) / p.block
	before = -p.first * p.block
	return before, (outputs+p.blocks()-1)*p.block - before - length
}

// over writes a as a convolution over blocks of n samples.
func (a axis) over(n int) polyphase {
	at := func(j int) float64 { return float64(j)/float64(a.scale) + a.phase }
	outputs := n * a.scale
	low, high := 0, n-1
	for j := range outputs {
		// Samples that an output is made of lie within 2 of it.
		for i := int(math.Floor(at(j))) - 1; i <= int(math.Ceil(at(j)))+1; i++ {
			if catmullRom(at(j)-float64(i)) != 0 {
				low, high = min(low, i), max(high, i)
			}
		}
	}
	first, last := floorDiv(low, n), floorDiv(high, n)
	p := polyphase{block: n, first: first}
	for j := range outputs {
		taps := make([]float64, (last-first+1)*n)
		for i := range taps {
			taps[i] = catmullRom(at(j) - float64(first*n+i))
		}
		p.taps = append(p.taps, taps)
	}
	return p
}

func floorDiv(a, b int) int { return int(math.Floor(float64(a) / float64(b))) }

// halving are the taps that make one chroma sample of 4:2:0 from luma
// positions: Catmull-Rom's cubic stretched over twice the distance. Sample j
// is made of the positions 2j+first and following.
func halving(offset float64) (taps []float64, first int) {
	sum := 0.0
	for i := -4; i <= 5; i++ {
		w := catmullRom((float64(i) - 0.5 - offset) / 2)
		if w == 0 && len(taps) == 0 {
			continue
		}
		if len(taps) == 0 {
			first = i
		}
		taps = append(taps, w)
		sum += w
	}
	for taps[len(taps)-1] == 0 {
		taps = taps[:len(taps)-1]
	}
	for i := range taps {
		taps[i] /= sum
	}
	return taps, first
}

// blockFor returns the size of the input blocks for which an enlargement by
// scale runs fastest: 16 outputs fill one vector register of float32, which is
// how the CPU provider lays out channels.
func blockFor(scale int) int {
	if scale == 2 {
		return 2
	}
	return 1
}

// picture is an image whose pixels may still lie in the channels: value is
// [N, block²·C, H/block, W/block] and pixels(value, block) is [N, C, H, W].
type picture struct {
	value
	block int
}

// resample enlarges the [N, C, H, W] in x. The output has
// ceil(W/block)·block·scale columns, of which the first W·scale count; rows
// likewise.
func (b *builder) resample(x value, horizontal, vertical axis, block int) picture {
	h, v := horizontal.over(block), vertical.over(block)
	top, bottom := v.pads(x.shape[2])
	left, right := h.pads(x.shape[3])
	x = b.pad(x, top, left, bottom, right)
	channels := x.shape[1]
	return picture{b.conv(b.cells(x, block), joint(h, v, channels)), block * horizontal.scale}
}

// joint returns the convolution that applies h to the columns and v to the
// rows of every channel on its own. Both ends count channels fastest, as cells
// does.
func joint(h, v polyphase, channels int) kernel {
	n := h.block
	in := n * n * channels
	k := kernel{out: len(v.taps) * len(h.taps) * channels, height: v.blocks(), width: h.blocks()}
	k.weights = make([]float64, k.out*in*k.height*k.width)
	for oy := range v.taps {
		for ox := range h.taps {
			for iy, wy := range v.taps[oy] {
				for ix, wx := range h.taps[ox] {
					for c := range channels {
						to := (oy*len(h.taps)+ox)*channels + c
						from := ((iy%n)*n+ix%n)*channels + c
						k.weights[((to*in+from)*k.height+iy/n)*k.width+ix/n] = wy * wx
					}
				}
			}
		}
	}
	return k
}
