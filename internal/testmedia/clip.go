package testmedia

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// The form of every clip's sound: interleaved signed 16-bit little-endian.
const (
	SampleRate  = 48000 // samples per second and channel
	Channels    = 2
	SampleBytes = 2 * Channels // of one moment, all channels
)

// Ratio is a rational number: a frame rate or the shape of a pixel.
type Ratio struct{ Num, Den int }

// Spec says how a clip is to be. The zero value of a field stands for its
// default.
type Spec struct {
	Width, Height int          // pixels; default 1280 × 720
	Rate          Ratio        // frames per second; default 24/1
	Frames        int          // default 240
	Format        frame.Format // frame.I420 (default) or frame.I42010LE

	// PixelAspect is the width of a pixel over its height; default 1/1. Counted
	// draws a circle that is round when it is shown with that shape.
	PixelAspect Ratio
	// Interlaced makes every frame of two fields, the upper lines half a frame
	// earlier than the lower ones.
	Interlaced bool
}

// Clip is a clip that draws itself. Draw uses scratch memory: one goroutine at
// a time. Everything else may be called from several.
type Clip struct {
	Spec
	Layout frame.Layout // of every frame: limited range, chroma sited left

	scene  scene
	canvas canvas
}

// scene is what a kind of clip has to know: its picture and its sound.
type scene interface {
	// draw paints the picture of a moment over all of c. frame counts whole
	// frames; moment is the time in frames, which differs between two fields.
	draw(c *canvas, frame int, moment float64)
	// sample returns the left and right sound, −1 to 1, of sample at.
	sample(at int64) (left, right float64)
}

// newClip fills in defaults and checks s; the scene is the caller's to set.
func newClip(s Spec) (*Clip, error) {
	if s.Width == 0 && s.Height == 0 {
		s.Width, s.Height = 1280, 720
	}
	if s.Rate == (Ratio{}) {
		s.Rate = Ratio{24, 1}
	}
	if s.Frames == 0 {
		s.Frames = 240
	}
	if s.Format == 0 {
		s.Format = frame.I420
	}
	if s.PixelAspect == (Ratio{}) {
		s.PixelAspect = Ratio{1, 1}
	}
	c := &Clip{Spec: s, Layout: frame.Layout{
		Format: s.Format, Width: s.Width, Height: s.Height, Matrix: frame.BT709,
	}}
	if s.Height <= 576 {
		c.Layout.Matrix = frame.BT601
	}
	if err := c.Layout.Check(); err != nil {
		return nil, err
	}
	if s.Format != frame.I420 && s.Format != frame.I42010LE {
		return nil, fmt.Errorf("%w: format %s", ErrSpec, s.Format)
	}
	if s.Width < minWidth || s.Height < minHeight {
		return nil, fmt.Errorf("%w: %d×%d is smaller than %d×%d", ErrSpec, s.Width, s.Height, minWidth, minHeight)
	}
	for _, r := range []Ratio{s.Rate, s.PixelAspect} {
		if r.Num < 1 || r.Den < 1 {
			return nil, fmt.Errorf("%w: ratio %d/%d", ErrSpec, r.Num, r.Den)
		}
	}
	if s.Frames < 1 || s.Frames > maxFrames {
		return nil, fmt.Errorf("%w: %d frames (1 to %d)", ErrSpec, s.Frames, maxFrames)
	}
	c.canvas = newCanvas(c.Layout)
	return c, nil
}

// The frame number has 16 bits, and its code needs room.
const (
	maxFrames = 1 << 16
	minWidth  = 160
	minHeight = 120
)

// Draw draws frame i into dst, which must have the clip's layout and hold its
// planes. i may be any number from 0; the clip itself ends after Frames.
func (c *Clip) Draw(i int, dst frame.Frame) error {
	if dst.Layout != c.Layout {
		return fmt.Errorf("%w: %+v instead of %+v", ErrLayout, dst.Layout, c.Layout)
	}
	if err := dst.Check(); err != nil {
		return err
	}
	c.scene.draw(&c.canvas, i, float64(i))
	if !c.Interlaced {
		c.canvas.store(dst, 0, 1)
		return nil
	}
	c.canvas.store(dst, 0, 2)
	c.scene.draw(&c.canvas, i, float64(i)+0.5)
	c.canvas.store(dst, 1, 2)
	return nil
}

// PTS returns the time at which frame i begins.
func (c *Clip) PTS(i int) time.Duration {
	return time.Duration(math.Round(float64(i) * float64(c.Rate.Den) / float64(c.Rate.Num) * float64(time.Second)))
}

// Samples returns the length of the clip's sound in samples per channel: that
// of its frames, rounded up.
func (c *Clip) Samples() int64 { return c.onset(c.Frames) }

// onset returns the first sample that is not before frame i.
func (c *Clip) onset(i int) int64 {
	num := int64(i) * int64(c.Rate.Den) * SampleRate
	return (num + int64(c.Rate.Num) - 1) / int64(c.Rate.Num)
}

// Sound returns n samples per channel from sample from on, as S16LE stereo.
// The sound goes on after the last frame, as the picture does.
func (c *Clip) Sound(from int64, n int) []byte {
	out := make([]byte, 0, n*SampleBytes)
	for i := range int64(n) {
		left, right := c.scene.sample(from + i)
		out = binary.LittleEndian.AppendUint16(out, quantise(left))
		out = binary.LittleEndian.AppendUint16(out, quantise(right))
	}
	return out
}

func quantise(v float64) uint16 {
	return uint16(int16(math.Round(min(max(v, -1), 1) * math.MaxInt16)))
}
