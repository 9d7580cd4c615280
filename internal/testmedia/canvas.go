package testmedia

import (
	"encoding/binary"
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// ink is a colour as Y, U and V in 1/256 of an 8-bit code value of limited
// range: black is {16·256, 128·256, 128·256}.
type ink struct{ y, u, v uint16 }

// canvas is a picture in 4:4:4, which is what scenes paint on.
type canvas struct {
	width, height int
	pix           []ink
	kr, kb        float64
}

func newCanvas(l frame.Layout) canvas {
	kr, kb := l.Matrix.Coefficients(l.Height)
	return canvas{width: l.Width, height: l.Height, pix: make([]ink, l.Width*l.Height), kr: kr, kb: kb}
}

// sized returns an empty canvas of another size and the same colours.
func (c *canvas) sized(width, height int) canvas {
	n := *c
	n.width, n.height, n.pix = width, height, make([]ink, width*height)
	return n
}

// ink returns the colour of non-linear r, g and b, which are clipped to 0 … 1.
func (c *canvas) ink(r, g, b float64) ink {
	r, g, b = min(max(r, 0), 1), min(max(g, 0), 1), min(max(b, 0), 1)
	y := c.kr*r + (1-c.kr-c.kb)*g + c.kb*b
	u, v := (b-y)/(2*(1-c.kb)), (r-y)/(2*(1-c.kr))
	return ink{
		y: uint16(math.Round(256 * (16 + 219*y))),
		u: uint16(math.Round(256 * (128 + 224*u))),
		v: uint16(math.Round(256 * (128 + 224*v))),
	}
}

// grey returns the grey of non-linear brightness v in 0 … 1.
func (c *canvas) grey(v float64) ink { return c.ink(v, v, v) }

// opaque is the whole of an alpha value; alphas are 0 … opaque.
const opaque = 256

// mix returns a with alpha of b over it.
func mix(a, b ink, alpha int) ink {
	return ink{
		y: uint16(int(a.y) + (int(b.y)-int(a.y))*alpha>>8),
		u: uint16(int(a.u) + (int(b.u)-int(a.u))*alpha>>8),
		v: uint16(int(a.v) + (int(b.v)-int(a.v))*alpha>>8),
	}
}

// row returns the pixels of row y, not copied.
func (c *canvas) row(y int) []ink { return c.pix[y*c.width : (y+1)*c.width] }

// blend lays alpha of k over pixel x, y, if there is one.
func (c *canvas) blend(x, y int, k ink, alpha int) {
	if x < 0 || y < 0 || x >= c.width || y >= c.height || alpha <= 0 {
		return
	}
	p := &c.pix[y*c.width+x]
	*p = mix(*p, k, min(alpha, opaque))
}

// fill paints the rectangle from x0, y0 up to x1, y1, as far as it lies on the
// canvas.
func (c *canvas) fill(x0, y0, x1, y1 int, k ink) {
	x0, x1 = max(x0, 0), min(x1, c.width)
	for y := max(y0, 0); y < min(y1, c.height); y++ {
		row := c.row(y)
		for x := x0; x < x1; x++ {
			row[x] = k
		}
	}
}

// paste copies src to x0, y0, as far as it lies on the canvas.
func (c *canvas) paste(x0, y0 int, src *canvas) {
	for y := max(y0, 0); y < min(y0+src.height, c.height); y++ {
		from, to := max(x0, 0), min(x0+src.width, c.width)
		if from < to {
			copy(c.row(y)[from:to], src.row(y - y0)[from-x0:])
		}
	}
}

// shader returns the colour and the coverage, 0 … opaque, of the point x, y.
type shader func(x, y float64) (ink, int)

// shade paints all pixels of a rectangle around x, y by the colour that s has
// at their middles, relative to x, y.
func (c *canvas) shade(x, y, rx, ry float64, s shader) {
	y0, y1 := max(int(y-ry)-1, 0), min(int(y+ry)+2, c.height)
	x0, x1 := max(int(x-rx)-1, 0), min(int(x+rx)+2, c.width)
	for py := y0; py < y1; py++ {
		row := c.row(py)
		for px := x0; px < x1; px++ {
			if k, alpha := s(float64(px)+0.5-x, float64(py)+0.5-y); alpha > 0 {
				row[px] = mix(row[px], k, alpha)
			}
		}
	}
}

// line draws a straight line of a width in pixels, with smooth edges.
func (c *canvas) line(x0, y0, x1, y1, width float64, k ink) {
	dx, dy := x1-x0, y1-y0
	length := math.Hypot(dx, dy)
	if length == 0 {
		return
	}
	steep := math.Abs(dy) > math.Abs(dx)
	if steep { // walk along the longer axis, cross the shorter one
		x0, y0, x1, y1, dx, dy = y0, x0, y1, x1, dy, dx
	}
	if dx < 0 {
		x0, y0, x1 = x1, y1, x0
		dx, dy = -dx, -dy
	}
	slope, cos := dy/dx, dx/length
	across := (width/2 + 1) / cos
	for a := int(math.Floor(x0)); a <= int(math.Floor(x1)); a++ {
		along := min(max(math.Min(float64(a)+1, x1)-math.Max(float64(a), x0), 0), 1)
		mid := y0 + (float64(a)+0.5-x0)*slope
		for b := int(math.Floor(mid - across)); b <= int(math.Floor(mid+across)); b++ {
			distance := math.Abs(float64(b)+0.5-mid) * cos
			alpha := int(opaque * along * coverage(width/2-distance) * min(width, 1))
			if steep {
				c.blend(b, a, k, alpha)
			} else {
				c.blend(a, b, k, alpha)
			}
		}
	}
}

// coverage returns how much of a pixel lies inside an edge that is inset
// pixels away from its middle, inwards positive.
func coverage(inset float64) float64 { return min(max(inset+0.5, 0), 1) }

// store writes the canvas into f: the lines first, first+step … of every
// plane. 4:2:0 chroma is filtered to the left column of its block.
func (c *canvas) store(f frame.Frame, first, step int) {
	for y := first; y < c.height; y += step {
		out := f.Planes[0].Data[y*f.Planes[0].Stride:]
		for x, p := range c.row(y) {
			put(out, x, uint32(p.y), f.Format)
		}
	}
	_, rows := f.PlaneSize(1)
	for y := first; y < rows; y += step {
		// The chroma lines of one field lie between two lines of that field.
		top := 2*y - first
		c.chroma(f, y, min(top, c.height-1), min(top+step, c.height-1))
	}
}

// chroma writes chroma line y of f from the canvas lines a and b.
func (c *canvas) chroma(f frame.Frame, y, a, b int) {
	ra, rb := c.row(a), c.row(b)
	u := f.Planes[1].Data[y*f.Planes[1].Stride:]
	v := f.Planes[2].Data[y*f.Planes[2].Stride:]
	for x := 0; x < c.width; x += 2 {
		l, r := max(x-1, 0), min(x+1, c.width-1)
		su := uint32(ra[l].u) + 2*uint32(ra[x].u) + uint32(ra[r].u) + uint32(rb[l].u) + 2*uint32(rb[x].u) + uint32(rb[r].u)
		sv := uint32(ra[l].v) + 2*uint32(ra[x].v) + uint32(ra[r].v) + uint32(rb[l].v) + 2*uint32(rb[x].v) + uint32(rb[r].v)
		put(u, x/2, (su+4)>>3, f.Format)
		put(v, x/2, (sv+4)>>3, f.Format)
	}
}

// put rounds a value in 1/256 of an 8-bit code value to the depth of format
// and writes it as sample x.
func put(row []byte, x int, value uint32, format frame.Format) {
	if format == frame.I42010LE {
		binary.LittleEndian.PutUint16(row[2*x:], uint16((value+32)>>6))
		return
	}
	row[x] = byte((value + 128) >> 8)
}
