package testmedia

import (
	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

// Shrunk returns the layout of a frame that Shrink makes: half of both sides,
// rounded down, at least 1.
func Shrunk(l frame.Layout) frame.Layout {
	l.Width, l.Height = max(l.Width/2, 1), max(l.Height/2, 1)
	return l
}

// NewShrink returns a scaler that halves frames of layout l by Keys' cubic
// kernel (a = −0.5), stretched so that nothing aliases: the low-resolution
// source of a full-size original. Even sides shrink by exactly 2. Chroma keeps
// its site.
func NewShrink(l frame.Layout) (*picture.FrameScaler, error) {
	return picture.NewFrameScaler(l, Shrunk(l), picture.Bicubic())
}
