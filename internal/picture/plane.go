package picture

import (
	"encoding/binary"
	"image"
	"image/draw"
	"math"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Plane is one channel of a picture: Width × Height samples, row after row
// without gaps. Samples are code values as they lie in video memory (0 to 255
// in 8 bits, 0 to 1023 in 10), not normalised, and need not be whole.
type Plane struct {
	Width  int
	Height int
	Pix    []float64
}

// NewPlane returns a plane of zeros. Both sides must be at least 1.
func NewPlane(width, height int) Plane {
	return Plane{Width: width, Height: height, Pix: make([]float64, width*height)}
}

// Row returns the samples of row y, not copied.
func (p Plane) Row(y int) []float64 { return p.Pix[y*p.Width : (y+1)*p.Width] }

// Round rounds every sample half up and clips it to 0 … peak, in place. It is
// what storing a plane in memory of peak's depth does.
func (p Plane) Round(peak float64) {
	for i, v := range p.Pix {
		p.Pix[i] = min(max(math.Floor(v+0.5), 0), peak)
	}
}

// Peak returns the largest code value of a format: 255 or 1023.
func Peak(f frame.Format) float64 { return float64(int(1)<<f.Bits() - 1) }

// samples tells where the samples of one channel of a frame lie.
type samples struct {
	plane         int // index into Frame.Planes
	first, step   int // bytes: of the first sample in a row, from one to the next
	width, height int // samples
	wide          bool
	shift         int
}

// at returns sample x of a row that begins with the channel's first sample.
func (s samples) at(row []byte, x int) uint16 {
	if s.wide {
		return binary.LittleEndian.Uint16(row[x*s.step:]) >> s.shift
	}
	return uint16(row[x*s.step])
}

func locate(l frame.Layout, channel int) samples {
	bytes := l.Format.SampleBytes()
	s := samples{
		plane: channel, step: bytes, width: l.Width, height: l.Height,
		wide: bytes == 2, shift: l.Format.Shift(),
	}
	switch {
	case l.Format == frame.RGB:
		s.plane, s.first, s.step = 0, channel*bytes, 3*bytes
	case channel > 0:
		s.width, s.height = (l.Width+1)/2, (l.Height+1)/2
		if l.Format.Planes() == 2 {
			s.plane, s.first, s.step = 1, (channel-1)*bytes, 2*bytes
		}
	}
	return s
}

// Channel returns a copy of channel 0, 1 or 2 of f: Y, U, V, or R, G, B. The
// chroma of subsampled formats comes at its own size. f must pass Check.
func Channel(f frame.Frame, channel int) Plane {
	s := locate(f.Layout, channel)
	p := NewPlane(s.width, s.height)
	for y := range s.height {
		row := f.Planes[s.plane].Data[y*f.Planes[s.plane].Stride+s.first:]
		for x, dst := 0, p.Row(y); x < len(dst); x++ {
			dst[x] = float64(s.at(row, x))
		}
	}
	return p
}

// Store writes p into channel 0, 1 or 2 of f, rounding half up and clipping to
// the depth of the format. It returns ErrSize unless p has the channel's size.
// f must pass Check.
func (p Plane) Store(f frame.Frame, channel int) error {
	s := locate(f.Layout, channel)
	if p.Width != s.width || p.Height != s.height {
		return sizes("channel", p, Plane{Width: s.width, Height: s.height})
	}
	peak := Peak(f.Format)
	for y := range s.height {
		row := f.Planes[s.plane].Data[y*f.Planes[s.plane].Stride+s.first:]
		for x, v := range p.Row(y) {
			code := uint16(min(max(v+0.5, 0), peak))
			if s.wide {
				binary.LittleEndian.PutUint16(row[x*s.step:], code<<s.shift)
			} else {
				row[x*s.step] = byte(code)
			}
		}
	}
	return nil
}

// Luma returns the luma of f: the Y channel as it is, or Studio of R, G and B.
func Luma(f frame.Frame) Plane {
	if f.Format == frame.RGB {
		return Studio([3]Plane{Channel(f, 0), Channel(f, 1), Channel(f, 2)})
	}
	return Channel(f, 0)
}

// RGB returns the red, green and blue of img in 8-bit code values. What is
// transparent is laid over black; grey is R = G = B.
func RGB(img image.Image) [3]Plane {
	b := img.Bounds()
	packed := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(packed, packed.Rect, img, b.Min, draw.Src)
	var out [3]Plane
	for c := range out {
		out[c] = NewPlane(b.Dx(), b.Dy())
		for i := range out[c].Pix {
			out[c].Pix[i] = float64(packed.Pix[4*i+c])
		}
	}
	return out
}

// Studio returns the luma of 8-bit R, G and B in limited range, unrounded:
// 16 + 65.481 R + 128.553 G + 24.966 B with R, G and B in 0 … 1. These are the
// BT.601 figures of MATLAB's rgb2ycbcr, in which super-resolution is scored.
func Studio(rgb [3]Plane) Plane {
	p := NewPlane(rgb[0].Width, rgb[0].Height)
	for i := range p.Pix {
		p.Pix[i] = 16 + (65.481*rgb[0].Pix[i]+128.553*rgb[1].Pix[i]+24.966*rgb[2].Pix[i])/255
	}
	return p
}

// Mean returns the mean luma, in code values, of the rectangle from x0, y0 up
// to x1, y1 of f, as far as it lies in the picture; 0 if none of it does. Of
// RGB it is the mean of green. f must pass Check.
func Mean(f frame.Frame, x0, y0, x1, y1 int) float64 {
	channel := 0
	if f.Format == frame.RGB {
		channel = 1
	}
	s := locate(f.Layout, channel)
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, s.width), min(y1, s.height)
	if x0 >= x1 || y0 >= y1 {
		return 0
	}
	var sum uint64
	for y := y0; y < y1; y++ {
		row := f.Planes[s.plane].Data[y*f.Planes[s.plane].Stride+s.first:]
		for x := x0; x < x1; x++ {
			sum += uint64(s.at(row, x))
		}
	}
	return float64(sum) / float64((x1-x0)*(y1-y0))
}
