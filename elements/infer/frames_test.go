package infer

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// scatter fills a frame with samples over the whole range that differ
// everywhere, and the gaps between rows with 0xee.
func scatter(f frame.Frame) {
	for i := range f.Format.Planes() {
		p := planeOf(f.Layout, i)
		for k := range f.Planes[i].Data {
			f.Planes[i].Data[k] = 0xee
		}
		width, height := p.pixels(f.Layout)
		for y := range height {
			for x := range width {
				for c := range p.samples {
					p.set(f.Planes[i], x, y, c, float64(hash(x+100*c, y+1000*i)%1024)/4*0.999)
				}
			}
		}
	}
}

// paint fills a frame with one level.
func paint(f frame.Frame, level float64) {
	for i := range f.Format.Planes() {
		p := planeOf(f.Layout, i)
		width, height := p.pixels(f.Layout)
		for y := range height {
			for x := range width {
				for c := range p.samples {
					p.set(f.Planes[i], x, y, c, level)
				}
			}
		}
	}
}

// repeat upscales src to dst by repeating pixels.
func repeat(src, dst frame.Frame, scale int) {
	for i := range src.Format.Planes() {
		p := planeOf(src.Layout, i)
		width, height := p.pixels(dst.Layout)
		for y := range height {
			for x := range width {
				n := p.bytes()
				from := src.Planes[i].Data[y/scale*src.Planes[i].Stride+x/scale*n:]
				copy(dst.Planes[i].Data[y*dst.Planes[i].Stride+x*n:], from[:n])
			}
		}
	}
}

// differs returns where two frames first differ, or "".
func differs(got, want frame.Frame) string { return differsIn(got, want, want.Format.Planes()) }

// differsIn is differs for the first planes only.
func differsIn(got, want frame.Frame, planes int) string {
	for i := range planes {
		p := planeOf(want.Layout, i)
		width, height := p.pixels(want.Layout)
		for y := range height {
			for x := range width {
				for c := range p.samples {
					g, w := p.level(got.Planes[i], x, y, c), p.level(want.Planes[i], x, y, c)
					if g != w {
						return fmt.Sprintf("plane %d at (%d, %d), component %d: got level %v, want %v", i, x, y, c, g, w)
					}
				}
			}
		}
	}
	return ""
}
