package testmedia

import (
	"fmt"
	"image"
	"image/color"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// newFace returns a typeface of a size in pixels.
func newFace(ttf []byte, pixels float64) (font.Face, error) {
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("parse font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: pixels, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("size font: %w", err)
	}
	return face, nil
}

// write writes a line of text with its baseline starting at x, y.
func (c *canvas) write(face font.Face, x, y int, text string, k ink) {
	width := font.MeasureString(face, text).Ceil() + 2
	m := face.Metrics()
	mask := image.NewAlpha(image.Rect(-1, -m.Ascent.Ceil()-1, width, m.Descent.Ceil()+1))
	d := font.Drawer{Dst: mask, Src: image.NewUniform(color.Opaque), Face: face, Dot: fixed.P(0, 0)}
	d.DrawString(text)
	c.stamp(mask, x, y, k)
}

// stamp lays k over the canvas where mask is, mask's origin at x, y.
func (c *canvas) stamp(mask *image.Alpha, x, y int, k ink) {
	b := mask.Rect
	for my := b.Min.Y; my < b.Max.Y; my++ {
		row := mask.Pix[mask.PixOffset(b.Min.X, my):][:b.Dx()]
		for i, a := range row {
			if a > 0 {
				c.blend(x+b.Min.X+i, y+my, k, int(a)+int(a)>>7)
			}
		}
	}
}

// glyphs are characters drawn beforehand, for text that changes every frame.
type glyphs struct {
	masks   map[rune]*image.Alpha
	advance map[rune]int // pixels
	ascent  int          // pixels
}

func newGlyphs(face font.Face, characters string) *glyphs {
	g := &glyphs{masks: map[rune]*image.Alpha{}, advance: map[rune]int{}, ascent: face.Metrics().Ascent.Ceil()}
	for _, r := range characters {
		width := font.MeasureString(face, string(r)).Ceil()
		mask := image.NewAlpha(image.Rect(-1, -g.ascent, width+1, face.Metrics().Descent.Ceil()))
		d := font.Drawer{Dst: mask, Src: image.NewUniform(color.Opaque), Face: face, Dot: fixed.P(0, 0)}
		d.DrawString(string(r))
		g.masks[r], g.advance[r] = mask, width
	}
	return g
}

// width returns the width of text in pixels.
func (g *glyphs) width(text string) (pixels int) {
	for _, r := range text {
		pixels += g.advance[r]
	}
	return pixels
}

// draw writes text with its baseline starting at x, y.
func (g *glyphs) draw(c *canvas, x, y int, text string, k ink) {
	for _, r := range text {
		if mask := g.masks[r]; mask != nil {
			c.stamp(mask, x, y, k)
		}
		x += g.advance[r]
	}
}
