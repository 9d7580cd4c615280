package container

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestSizes(t *testing.T) {
	for _, size := range []int64{0, 1, 126, 127, 128, 1<<14 - 2, 1<<14 - 1, 1 << 21, 1<<56 - 2} {
		b := appendHeader(nil, idSegment, size)
		h, err := parseHeader(b)
		if err != nil || h.id != idSegment || h.size != size || h.width != len(b) {
			t.Errorf("size %d: % x read as %+v, %v", size, b, h, err)
		}
		for width := sizeWidth(size); width <= 8; width++ {
			b = appendSize(appendID(nil, idVoid), size, width)
			if h, err := parseHeader(b); err != nil || h.size != size || h.width != 1+width {
				t.Errorf("size %d in %d bytes: % x read as %+v, %v", size, width, b, h, err)
			}
		}
	}
}

func TestParseHeader(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want header
		err  error
	}{
		{"one byte each", []byte{0xEC, 0x81}, header{idVoid, 2, 1}, nil},
		{"unknown size", []byte{0x1F, 0x43, 0xB6, 0x75, 0xFF}, header{idCluster, 5, unknownSize}, nil},
		{"unknown size, wide", []byte{0xEC, 0x01, 255, 255, 255, 255, 255, 255, 255}, header{idVoid, 9, unknownSize}, nil},
		{"empty", nil, header{}, errBroken},
		{"no size", []byte{0xEC}, header{}, errBroken},
		{"cut size", []byte{0xEC, 0x40}, header{}, errBroken},
		{"five-byte ID", []byte{0x08, 0, 0, 0, 0, 0x81}, header{}, errBroken},
		{"nine-byte size", []byte{0xEC, 0, 0, 0, 0, 0, 0, 0, 0, 0}, header{}, errBroken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseHeader(test.in)
			if !errors.Is(err, test.err) || err == nil && got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestVoidFillsAnySizeButOne(t *testing.T) {
	for n := range 20000 {
		if n == 1 {
			continue
		}
		b := appendVoid(nil, n)
		if len(b) != n {
			t.Fatalf("%d bytes for %d", len(b), n)
		}
		for e, err := range children(b) {
			if err != nil || e.id != idVoid || len(e.raw) != n {
				t.Fatalf("%d bytes: %v, %v", n, e.id, err)
			}
		}
	}
}

func TestValues(t *testing.T) {
	if got := (element{data: []byte("film\x00\x00")}).asText(); got != "film" {
		t.Errorf("padded text read as %q", got)
	}
	if got := (element{data: bytes.Repeat([]byte{1}, 9)}).asUint(); got != 0 {
		t.Errorf("nine-byte integer read as %d", got)
	}
	for _, v := range []uint64{0, 255, 256, math.MaxUint64} {
		for e := range intact(appendUint(nil, idSeekID, v)) {
			if e.asUint() != v {
				t.Errorf("%d read as %d", v, e.asUint())
			}
		}
	}
	for in, want := range map[float64]float64{-90: 270, 450: 90, 0: 0, math.Inf(1): 0, math.NaN(): 0, -1e-300: 0} {
		if got := clockwise(in); got != want {
			t.Errorf("clockwise(%v) = %v", in, got)
		}
	}
}
