package frame

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
)

func TestNewHoldsItsLayout(t *testing.T) {
	for _, format := range Formats() {
		for _, size := range [][2]int{{1, 1}, {2, 2}, {7, 5}, {64, 3}} {
			for _, align := range []int{1, 4, 32} {
				f := New(Layout{Format: format, Width: size[0], Height: size[1]}, align)
				if err := f.Check(); err != nil {
					t.Errorf("%s %v aligned to %d: %v", format, size, align, err)
				}
				for i := range format.Planes() {
					if stride := f.Planes[i].Stride; stride%align != 0 || stride-f.RowBytes(i) >= align {
						t.Errorf("%s %v aligned to %d: plane %d has a stride of %d", format, size, align, i, stride)
					}
					if f.Packed(i) != (f.Planes[i].Stride == f.RowBytes(i)) {
						t.Errorf("%s %v aligned to %d: plane %d packed: %v", format, size, align, i, f.Packed(i))
					}
				}
			}
		}
	}
}

func TestCheckOfPlanes(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*Frame)
		want  error
	}{
		{"whole", func(*Frame) {}, nil},
		{"last row without its padding", func(f *Frame) { f.Planes[0].Data = f.Planes[0].Data[:4*32+7] }, nil},
		{"last row one byte short", func(f *Frame) { f.Planes[0].Data = f.Planes[0].Data[:4*32+6] }, ErrPlane},
		{"no memory", func(f *Frame) { f.Planes[2].Data = nil }, ErrPlane},
		{"stride of no bytes", func(f *Frame) { f.Planes[1].Stride = 0 }, ErrPlane},
		{"stride less than a row", func(f *Frame) { f.Planes[1].Stride = 3 }, ErrPlane},
		{"negative stride", func(f *Frame) { f.Planes[1].Stride = -32 }, ErrPlane},
		{"stride that overflows", func(f *Frame) { f.Planes[0].Stride = math.MaxInt/2 + 1 }, ErrPlane},
		{"largest stride", func(f *Frame) { f.Planes[0].Stride = math.MaxInt }, ErrPlane},
		{"no size", func(f *Frame) { f.Width = 0 }, ErrSize},
		{"no format", func(f *Frame) { f.Format = 0 }, ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := New(Layout{Format: I420, Width: 7, Height: 5}, 32)
			test.spoil(&f)
			if err := f.Check(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	// One row needs no second: its stride says nothing about the memory.
	f := New(Layout{Format: RGB, Width: 3, Height: 1}, 1)
	f.Planes[0].Stride = 1 << 20
	if err := f.Check(); err != nil {
		t.Errorf("one row: %v", err)
	}
}

func TestCopyRows(t *testing.T) {
	for _, strides := range [][2]int{{4, 4}, {4, 7}, {9, 4}, {6, 5}} {
		t.Run(fmt.Sprint(strides), func(t *testing.T) {
			src := Plane{Data: bytes.Repeat([]byte{0xee}, 2*strides[0]+4), Stride: strides[0]}
			dst := Plane{Data: bytes.Repeat([]byte{0xdd}, 2*strides[1]+4), Stride: strides[1]}
			for r := range 3 {
				for x := range 4 {
					src.Data[r*src.Stride+x] = byte(10*r + x)
				}
			}
			CopyRows(dst, src, 4, 3)
			for i, got := range dst.Data {
				want := byte(0xdd)
				if r, x := i/dst.Stride, i%dst.Stride; x < 4 {
					want = byte(10*r + x)
				}
				if got != want {
					t.Errorf("byte %d: got %#x, want %#x", i, got, want)
				}
			}
		})
	}
}

// FuzzCheck proves that in a frame that passes Check every byte of every row
// can be reached, and that one that does not fails with a named error.
func FuzzCheck(f *testing.F) {
	f.Add(uint8(I420), 7, 5, 32, 4*32+7, 4, 12, 4, 12)
	f.Add(uint8(P010LE), 1, 1, math.MaxInt, 2, 4, 4, 0, 0)
	f.Add(uint8(NV12), 16384, 16384, math.MaxInt/2, 10, -1, 0, 0, 0)
	f.Fuzz(func(t *testing.T, format uint8, width, height, stride0, size0, stride1, size1, stride2, size2 int) {
		memory := func(stride, size int) Plane {
			return Plane{Data: make([]byte, min(max(size, 0), 1<<16)), Stride: stride}
		}
		frame := Frame{
			Layout: Layout{Format: Format(format), Width: width, Height: height},
			Planes: [3]Plane{memory(stride0, size0), memory(stride1, size1), memory(stride2, size2)},
		}
		if err := frame.Check(); err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSize) && !errors.Is(err, ErrPlane) {
				t.Fatalf("an error without a name: %v", err)
			}
			return
		}
		for i := range frame.Format.Planes() {
			p, n := frame.Planes[i], frame.RowBytes(i)
			_, rows := frame.PlaneSize(i)
			for r := range rows {
				_ = p.Data[r*p.Stride : r*p.Stride+n]
			}
		}
	})
}

// FuzzCopyRows copies between two strides and back.
func FuzzCopyRows(f *testing.F) {
	f.Add([]byte("some rows of bytes"), uint8(5), uint8(3), uint8(0), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, n, rows, gapA, gapB uint8) {
		if rows == 0 || len(data) < int(n)*int(rows) {
			return
		}
		padded := func(gap uint8) Plane {
			stride := int(n) + int(gap)
			return Plane{Data: bytes.Repeat([]byte{0xdd}, stride*int(rows)), Stride: stride}
		}
		src := Plane{Data: data, Stride: int(n)}
		a, b := padded(gapA), padded(gapB)
		back := Plane{Data: make([]byte, int(n)*int(rows)), Stride: int(n)}
		CopyRows(a, src, int(n), int(rows))
		CopyRows(b, a, int(n), int(rows))
		CopyRows(back, b, int(n), int(rows))
		if !bytes.Equal(back.Data, data[:len(back.Data)]) {
			t.Fatal("rows changed on the way")
		}
		for i, v := range b.Data {
			if i%b.Stride >= int(n) && v != 0xdd {
				t.Fatalf("byte %d between the rows was written", i)
			}
		}
	})
}

// FuzzParseFormat proves that only names of formats parse.
func FuzzParseFormat(f *testing.F) {
	f.Add("I420")
	f.Add("P010_10LE ")
	f.Fuzz(func(t *testing.T, name string) {
		if format, err := ParseFormat(name); err == nil && format.String() != name {
			t.Fatalf("%q parsed as %s", name, format)
		}
	})
}
