package frame

import "fmt"

// Format is a raw pixel format. Its names are GStreamer's.
type Format uint8

// The formats that the element negotiates.
const (
	I420     Format = iota + 1 // 8-bit Y, U, V planes, 4:2:0
	NV12                       // 8-bit Y plane and interleaved UV plane, 4:2:0
	I42010LE                   // 10-bit Y, U, V planes in the low bits of little-endian 16-bit words, 4:2:0
	P010LE                     // 10-bit Y plane and interleaved UV plane in the high bits of little-endian 16-bit words, 4:2:0
	RGB                        // 8-bit R, G, B packed in one plane
)

var formatNames = map[Format]string{
	I420: "I420", NV12: "NV12", I42010LE: "I420_10LE", P010LE: "P010_10LE", RGB: "RGB",
}

// Formats lists every format in the order of preference of a negotiation.
func Formats() []Format { return []Format{I420, NV12, I42010LE, P010LE, RGB} }

// String returns GStreamer's name of the format.
func (f Format) String() string {
	if s, ok := formatNames[f]; ok {
		return s
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// ParseFormat returns the format with GStreamer's name s.
func ParseFormat(s string) (Format, error) {
	for f, name := range formatNames {
		if name == s {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%w: %q", ErrFormat, s)
}

// Bits returns the significant bits of a sample: 8 or 10.
func (f Format) Bits() int {
	if f == I42010LE || f == P010LE {
		return 10
	}
	return 8
}

// SampleBytes returns the bytes that one sample takes in memory: 1 or 2.
func (f Format) SampleBytes() int { return (f.Bits() + 7) / 8 }

// Shift returns how many bits the samples are shifted left in their words:
// 6 for P010LE, else 0.
func (f Format) Shift() int {
	if f == P010LE {
		return 6
	}
	return 0
}

// Subsampled reports whether chroma has half the width and height of luma.
func (f Format) Subsampled() bool { return f != RGB }

// Planes returns the number of planes: 1, 2 or 3.
func (f Format) Planes() int {
	switch f {
	case I420, I42010LE:
		return 3
	case NV12, P010LE:
		return 2
	default:
		return 1
	}
}

// Layout is what is negotiated once for a stream: the size of a frame in
// pixels, how its samples lie in memory and what colours they stand for.
type Layout struct {
	Format Format
	Width  int // pixels, 1 to MaxSide; may be odd
	Height int // pixels, 1 to MaxSide; may be odd
	Matrix Matrix
	Range  Range
	Site   ChromaSite
}

// MaxSide is the largest width or height of a frame, in pixels.
const MaxSide = 16384

// Check returns an error that wraps ErrFormat or ErrSize when l cannot be the
// layout of a frame.
func (l Layout) Check() error {
	if _, ok := formatNames[l.Format]; !ok {
		return fmt.Errorf("%w: %s", ErrFormat, l.Format)
	}
	if l.Width < 1 || l.Height < 1 || l.Width > MaxSide || l.Height > MaxSide {
		return fmt.Errorf("%w: %dx%d", ErrSize, l.Width, l.Height)
	}
	return nil
}

// Scaled returns l with both sides multiplied by scale.
func (l Layout) Scaled(scale int) Layout {
	l.Width *= scale
	l.Height *= scale
	return l
}

// PlaneSize returns the size of plane i: its rows, and the samples in a row
// over all its components (a UV plane has 2 components, an RGB plane 3).
func (l Layout) PlaneSize(i int) (samples, rows int) {
	switch {
	case l.Format == RGB:
		return 3 * l.Width, l.Height
	case i == 0:
		return l.Width, l.Height
	case l.Format.Planes() == 2:
		return 2 * ((l.Width + 1) / 2), (l.Height + 1) / 2
	default:
		return (l.Width + 1) / 2, (l.Height + 1) / 2
	}
}

// RowBytes returns the bytes of a row of plane i that hold samples.
func (l Layout) RowBytes(i int) int {
	samples, _ := l.PlaneSize(i)
	return samples * l.Format.SampleBytes()
}
