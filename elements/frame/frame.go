package frame

import "fmt"

// Plane is the memory of one plane. Row r starts at Data[r*Stride].
type Plane struct {
	Data   []byte
	Stride int // bytes from one row to the next, at least the row's own bytes
}

// Frame is one picture in memory that somebody else owns. It is valid only as
// long as that memory is; it is passed by value and never kept.
type Frame struct {
	Layout
	Planes [3]Plane // the first Format.Planes() are used
}

// New returns a frame with memory of its own, every row padded to a multiple
// of align bytes (1 for none). The layout must pass Check.
func New(l Layout, align int) Frame {
	f := Frame{Layout: l}
	for i := range l.Format.Planes() {
		_, rows := l.PlaneSize(i)
		stride := (l.RowBytes(i) + align - 1) / align * align
		f.Planes[i] = Plane{Data: make([]byte, stride*rows), Stride: stride}
	}
	return f
}

// Check returns an error that wraps ErrFormat, ErrSize or ErrPlane unless
// every sample of f can be reached inside its planes.
func (f Frame) Check() error {
	if err := f.Layout.Check(); err != nil {
		return err
	}
	for i := range f.Format.Planes() {
		_, rows := f.PlaneSize(i)
		p, row := f.Planes[i], f.RowBytes(i)
		if p.Stride < row {
			return fmt.Errorf("%w: plane %d has a stride of %d bytes for rows of %d", ErrPlane, i, p.Stride, row)
		}
		if p.Stride > len(p.Data) && rows > 1 || len(p.Data) < p.Stride*(rows-1)+row {
			return fmt.Errorf("%w: plane %d has %d bytes for %d rows with a stride of %d", ErrPlane, i, len(p.Data), rows, p.Stride)
		}
	}
	return nil
}

// Packed reports whether the rows of plane i follow each other without gaps.
func (f Frame) Packed(i int) bool { return f.Planes[i].Stride == f.RowBytes(i) }

// CopyRows copies rows of n bytes each between two planes that may have
// different strides. Both must hold that many rows.
func CopyRows(dst, src Plane, n, rows int) {
	if dst.Stride == n && src.Stride == n {
		copy(dst.Data[:n*rows], src.Data[:n*rows])
		return
	}
	for r := range rows {
		copy(dst.Data[r*dst.Stride:r*dst.Stride+n], src.Data[r*src.Stride:r*src.Stride+n])
	}
}
