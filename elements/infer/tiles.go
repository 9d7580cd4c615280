package infer

import (
	"encoding/binary"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// maxOverlap is how many pixels of the input neighbouring tiles share, in tiles
// that are large enough: a quarter of it each side is thrown away, because a
// network that pads its input with zeros is wrong there, and the rest is
// blended. Small upscaling networks look 6 to 12 pixels around.
const maxOverlap = 48

// tiling cuts a frame into overlapping tiles of one size, and joins the
// upscaled tiles without a seam. Tiles start at even coordinates, so that
// their chroma samples are the frame's. A tile that would reach beyond the frame
// is shifted inward; where the frame is smaller than a tile, or ends on an
// odd coordinate, the tile is filled up with the edge's pixels.
type tiling struct {
	in, out frame.Layout // of the whole frames
	scale   int
	tile    frame.Frame // the input of the tile in work, packed
	result  frame.Frame // its output, packed
	row     frame.Frame // a row of tiles that have been joined, as wide as out
	x, y    []int       // where tiles start in the input
}

func newTiling(in, out, tile frame.Layout, scale int) *tiling {
	strip := out
	strip.Height = tile.Height * scale
	return &tiling{
		in: in, out: out, scale: scale,
		tile:   frame.New(tile, 1),
		result: frame.New(tile.Scaled(scale), 1),
		row:    frame.New(strip, 1),
		x:      starts(in.Width, tile.Width),
		y:      starts(in.Height, tile.Height),
	}
}

// starts returns where tiles of length tile begin along a side: even, in
// order, the first at 0 and the last ending at the side's end or one pixel
// beyond it, each sharing overlap(tile) pixels or more with the one before.
func starts(side, tile int) []int {
	if side <= tile {
		return []int{0}
	}
	step := max((tile-overlap(tile))&^1, 1)
	var list []int
	for at := 0; at+tile < side; at += step {
		list = append(list, at)
	}
	return append(list, (side-tile+1)&^1)
}

// overlap returns how many pixels tiles of length tile share at the least.
func overlap(tile int) int { return min(maxOverlap, tile/4) &^ 1 }

// run upscales src to dst, tile by tile; upscale turns t.tile into t.result.
func (t *tiling) run(src, dst frame.Frame, upscale func() error) error {
	for j, y := range t.y {
		for i, x := range t.x {
			t.cut(src, x, y)
			if err := upscale(); err != nil {
				return err
			}
			t.joinRow(i)
		}
		t.joinColumn(dst, j)
	}
	return nil
}

// cut copies the tile that starts at pixel (x, y) of src.
func (t *tiling) cut(src frame.Frame, x, y int) {
	for i := range src.Format.Planes() {
		p := planeOf(src.Layout, i)
		width, height := p.pixels(src.Layout)
		columns, rows := p.pixels(t.tile.Layout)
		size := p.bytes()
		from := x / p.sub * size
		n := min(columns, width-x/p.sub) * size
		for r := range rows {
			source := src.Planes[i].Data[min(y/p.sub+r, height-1)*src.Planes[i].Stride:]
			row := t.tile.Planes[i].Data[r*t.tile.Planes[i].Stride:][:columns*size]
			copy(row, source[from:from+n])
			for at := n; at < len(row); at += size {
				copy(row[at:], row[n-size:n])
			}
		}
	}
}

// joinRow adds the result of tile i of a row to the row, blended with the tile
// before it.
func (t *tiling) joinRow(i int) {
	for k := range t.out.Format.Planes() {
		p := planeOf(t.out, k)
		width, _ := p.pixels(t.row.Layout)
		columns, rows := p.pixels(t.result.Layout)
		at := t.x[i] * t.scale / p.sub
		from, to := t.seam(t.x, i, t.tile.Width, p.sub)
		columns = min(columns, width-at)
		for r := range rows {
			line := t.row.Planes[k].Data[r*t.row.Planes[k].Stride:]
			made := t.result.Planes[k].Data[r*t.result.Planes[k].Stride:]
			for x := from; x < to; x++ {
				p.mix(line[x*p.bytes():], made[(x-at)*p.bytes():], p.samples, x-from+1, to-from+1)
			}
			copy(line[to*p.bytes():(at+columns)*p.bytes()], made[(to-at)*p.bytes():])
		}
	}
}

// joinColumn adds row j of tiles to dst, blended with the row before it.
func (t *tiling) joinColumn(dst frame.Frame, j int) {
	for k := range t.out.Format.Planes() {
		p := planeOf(t.out, k)
		width, height := p.pixels(t.out)
		_, rows := p.pixels(t.row.Layout)
		at := t.y[j] * t.scale / p.sub
		from, to := t.seam(t.y, j, t.tile.Height, p.sub)
		for y := from; y < min(at+rows, height); y++ {
			line := dst.Planes[k].Data[y*dst.Planes[k].Stride:][:width*p.bytes()]
			made := t.row.Planes[k].Data[(y-at)*t.row.Planes[k].Stride:][:width*p.bytes()]
			if y < to {
				p.mix(line, made, width*p.samples, y-from+1, to-from+1)
			} else {
				copy(line, made)
			}
		}
	}
}

// seam returns the stretch of the output, in pixels of a plane subsampled by
// sub, over which tile i takes over from the tile before it: the middle half of
// what they share. Before it the earlier tile holds, from its end the later.
func (t *tiling) seam(at []int, i, tile, sub int) (from, to int) {
	if i == 0 {
		return 0, 0
	}
	begin, shared := at[i], at[i-1]+tile-at[i]
	margin := shared / 4
	return (begin + margin) * t.scale / sub, (begin + shared - margin) * t.scale / sub
}

// plane says how the samples of one plane lie in memory.
type plane struct {
	sub     int  // luma pixels to a pixel of the plane, each way
	samples int  // to a pixel
	wide    bool // 16-bit little-endian words
	shift   int  // of the significant bits in the word
}

func planeOf(l frame.Layout, i int) plane {
	p := plane{sub: 1, samples: 1, wide: l.Format.SampleBytes() == 2, shift: l.Format.Shift()}
	switch {
	case l.Format == frame.RGB:
		p.samples = 3
	case i > 0:
		p.sub = 2
		p.samples = 4 - l.Format.Planes() // U and V lie together where there are two planes
	}
	return p
}

// pixels returns the size of the plane in a frame of layout l.
func (p plane) pixels(l frame.Layout) (width, height int) {
	return (l.Width + p.sub - 1) / p.sub, (l.Height + p.sub - 1) / p.sub
}

// bytes returns the bytes of a pixel.
func (p plane) bytes() int {
	if p.wide {
		return 2 * p.samples
	}
	return p.samples
}

// mix moves n samples of dst the part part/whole of the way to src, rounded
// to nearest.
func (p plane) mix(dst, src []byte, n, part, whole int) {
	if !p.wide {
		dst, src = dst[:n], src[:n]
		for i, a := range dst {
			dst[i] = byte((int(a)*(whole-part) + int(src[i])*part + whole/2) / whole)
		}
		return
	}
	for i := 0; i < 2*n; i += 2 {
		a := int(binary.LittleEndian.Uint16(dst[i:]) >> p.shift)
		b := int(binary.LittleEndian.Uint16(src[i:]) >> p.shift)
		v := (a*(whole-part) + b*part + whole/2) / whole
		binary.LittleEndian.PutUint16(dst[i:], uint16(v<<p.shift))
	}
}
