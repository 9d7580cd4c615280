package infer

import (
	"errors"
	"fmt"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
)

func TestStarts(t *testing.T) {
	for _, c := range []struct {
		side, tile int
		want       []int
	}{
		{50, 64, []int{0}},
		{64, 64, []int{0}},
		{65, 64, []int{0, 2}},
		{100, 64, []int{0, 36}},
		{200, 64, []int{0, 48, 96, 136}},
		{101, 64, []int{0, 38}},
		{7, 2, []int{0, 2, 4, 6}},
		{7, 3, []int{0, 2, 4}},
	} {
		if got := starts(c.side, c.tile); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("a side of %d in tiles of %d: got %v, want %v", c.side, c.tile, got, c.want)
		}
	}
}

// FuzzStarts checks what the comment of starts promises.
func FuzzStarts(f *testing.F) {
	f.Add(uint16(854), uint16(256))
	f.Add(uint16(101), uint16(63))
	f.Fuzz(func(t *testing.T, s, l uint16) {
		side, tile := int(s)%4096+1, int(l)%1024+2
		list := starts(side, tile)
		for i, at := range list {
			if at%2 != 0 || at < 0 || i == 0 && at != 0 {
				t.Fatalf("tile %d of %v starts at an odd or wrong place", i, list)
			}
			if i > 0 && list[i-1]+tile-at < overlap(tile) {
				t.Fatalf("tiles %d and %d of %v share less than %d pixels", i-1, i, list, overlap(tile))
			}
		}
		if end := list[len(list)-1] + tile; end < side || len(list) > 1 && end > side+1 {
			t.Fatalf("the last tile of %v ends at %d of %d", list, end, side)
		}
	})
}

// TestTilingIsExact joins tiles that a network without a neighbourhood made:
// every sample must be what it makes of the whole frame.
func TestTilingIsExact(t *testing.T) {
	for _, format := range frame.Formats() {
		for _, size := range [][2]int{{200, 150}, {101, 77}, {33, 47}, {64, 64}, {65, 31}, {1, 1}, {3, 130}} {
			for _, scale := range []int{1, 2, 3} {
				for _, side := range []int{32, 63, 64} {
					name := fmt.Sprintf("%s/%dx%d/x%d/%d", format, size[0], size[1], scale, side)
					in := frame.Layout{Format: format, Width: size[0], Height: size[1]}
					tile := frame.Layout{Format: format, Width: side, Height: side}
					src, dst := frame.New(in, 32), frame.New(in.Scaled(scale), 32)
					scatter(src)
					tiles := newTiling(in, in.Scaled(scale), tile, scale)
					err := tiles.run(src, dst, func() error { repeat(tiles.tile, tiles.result, scale); return nil })
					if err != nil {
						t.Fatal(err)
					}
					want := frame.New(in.Scaled(scale), 1)
					repeat(src, want, scale)
					if at := differs(dst, want); at != "" {
						t.Fatalf("%s: %s", name, at)
					}
				}
			}
		}
	}
}

// TestSeamsAreSmooth joins tiles of different levels: over a seam the levels
// must climb evenly, and words keep their low bits clear.
func TestSeamsAreSmooth(t *testing.T) {
	for _, format := range frame.Formats() {
		in := frame.Layout{Format: format, Width: 160, Height: 150}
		tile := frame.Layout{Format: format, Width: 64, Height: 64}
		src, dst := frame.New(in, 1), frame.New(in, 1)
		tiles, n := newTiling(in, in, tile, 1), 0
		err := tiles.run(src, dst, func() error {
			n++
			paint(tiles.result, float64(20*n))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n != len(tiles.x)*len(tiles.y) || n < 9 {
			t.Fatalf("%s: %d tiles", format, n)
		}
		p := planeOf(in, 0)
		for y := range in.Height {
			for x := range in.Width - 1 {
				for c := range p.samples {
					step := p.level(dst.Planes[0], x+1, y, c) - p.level(dst.Planes[0], x, y, c)
					if step < -0.5 || step > 8 {
						t.Fatalf("%s: a step of %v at (%d, %d)", format, step, x, y)
					}
				}
			}
		}
		for i := 0; format == frame.P010LE && i < len(dst.Planes[0].Data); i += 2 {
			if dst.Planes[0].Data[i]&0x3f != 0 {
				t.Fatalf("the low bits of word %d are set", i/2)
			}
		}
	}
}

// TestTilingStopsAtAnError checks that no further tile runs.
func TestTilingStopsAtAnError(t *testing.T) {
	in := frame.Layout{Format: frame.RGB, Width: 100, Height: 100}
	tile := frame.Layout{Format: frame.RGB, Width: 32, Height: 32}
	tiles, n := newTiling(in, in, tile, 1), 0
	err := tiles.run(frame.New(in, 1), frame.New(in, 1), func() error {
		if n++; n == 3 {
			return ErrClosed
		}
		return nil
	})
	if !errors.Is(err, ErrClosed) || n != 3 {
		t.Errorf("got %v after %d tiles", err, n)
	}
}
