package infer

import (
	"encoding/binary"
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// testFrame draws the picture that a session is proven with: waves that differ
// each way and in each plane, with a little noise, in colours that every
// conversion keeps. A pixel depends on its place alone, so the test frame of a
// smaller layout is a corner of that of a larger one.
func testFrame(l frame.Layout) frame.Frame {
	f := frame.New(l, 1)
	for i := range l.Format.Planes() {
		p := planeOf(l, i)
		width, height := p.pixels(l)
		for c := range p.samples {
			across, down := testWaves(i, c, width, height, p.sub)
			for y := range height {
				for x := range width {
					level := across[x] + down[y]
					if i == 0 {
						level += float64(hash(x, y)%9) - 4
					}
					p.set(f.Planes[i], x, y, c, level)
				}
			}
		}
	}
	return f
}

// testWaves returns the two parts whose sum is component c of plane i, by
// column and by row of the plane. Chroma has small ones, so that R, G and B stay
// in range.
func testWaves(i, c, width, height, sub int) (across, down []float64) {
	base, high, wide, phase := 126.0, 28.0, 18.0, float64(i+c)
	if i > 0 {
		base, high, wide = 128, 10, 8
	}
	across, down = make([]float64, width), make([]float64, height)
	for x := range across {
		across[x] = base + high*math.Sin(float64(x*sub)*0.09+phase)
	}
	for y := range down {
		down[y] = wide * math.Cos(float64(y*sub)*0.06-phase)
	}
	return across, down
}

// edge is how far from the border, in pixels, a network's picture is judged: it
// knows nothing of what lies outside.
const edge = 8

// drift returns how far the mean of the pixels that out has for one of in is
// from that one, in levels of 8 bits: on average over the plane that is worst,
// and at most. Of tall frames some 250 rows are judged. Frames without a middle
// have none.
func drift(in, out frame.Frame, scale int) (mean, largest float64) {
	for i := range in.Format.Planes() {
		p := planeOf(in.Layout, i)
		width, height := p.pixels(in.Layout)
		sum, n := 0.0, 0
		for y := edge; y < height-edge; y += 1 + height/256 {
			for x := edge; x < width-edge; x++ {
				for c := range p.samples {
					d := math.Abs(p.mean(out.Planes[i], x*scale, y*scale, c, scale) - p.level(in.Planes[i], x, y, c))
					sum += d
					largest = max(largest, d)
					n++
				}
			}
		}
		mean = max(mean, sum/float64(max(n, 1)))
	}
	return mean, largest
}

// difference returns how far a is from b on average and at most, in levels of
// 8 bits, over the part of b that is in a. Where b is cut off a, margin pixels
// before the cut do not count.
func difference(a, b frame.Frame, margin int) (mean, largest float64) {
	sum, n := 0.0, 0
	for i := range b.Format.Planes() {
		p := planeOf(b.Layout, i)
		width, height := p.pixels(b.Layout)
		if b.Width < a.Width {
			width -= margin / p.sub
		}
		if b.Height < a.Height {
			height -= margin / p.sub
		}
		for y := range height {
			for x := range width {
				for c := range p.samples {
					d := math.Abs(p.level(a.Planes[i], x, y, c) - p.level(b.Planes[i], x, y, c))
					sum += d
					largest = max(largest, d)
					n++
				}
			}
		}
	}
	return sum / float64(max(n, 1)), largest
}

// level returns a sample in levels of 8 bits, 0 to 255 and fractions of them.
func (p plane) level(m frame.Plane, x, y, c int) float64 {
	at := y*m.Stride + x*p.bytes()
	if !p.wide {
		return float64(m.Data[at+c])
	}
	return float64(binary.LittleEndian.Uint16(m.Data[at+2*c:])>>p.shift) / 4
}

// set stores a sample given in levels of 8 bits.
func (p plane) set(m frame.Plane, x, y, c int, level float64) {
	at := y*m.Stride + x*p.bytes()
	if !p.wide {
		m.Data[at+c] = byte(math.Round(level))
		return
	}
	binary.LittleEndian.PutUint16(m.Data[at+2*c:], uint16(math.Round(4*level))<<p.shift)
}

// mean returns the mean level of a square of pixels.
func (p plane) mean(m frame.Plane, x, y, c, side int) float64 {
	sum := 0.0
	for dy := range side {
		for dx := range side {
			sum += p.level(m, x+dx, y+dy, c)
		}
	}
	return sum / float64(side*side)
}
