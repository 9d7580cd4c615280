package picture

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// FrameScaler scales whole frames of one layout to another of the same format.
// Chroma keeps its site: it is sampled where the site of the layouts puts it
// in both sizes. It holds scratch memory: one goroutine at a time.
type FrameScaler struct {
	from, to frame.Layout
	channels [3]*Scaler
}

// NewFrameScaler returns a scaler between two layouts, which must have one
// format and one chroma site, else ErrFormat is returned.
func NewFrameScaler(from, to frame.Layout, k Kernel) (*FrameScaler, error) {
	for _, l := range []frame.Layout{from, to} {
		if err := l.Check(); err != nil {
			return nil, err
		}
	}
	if from.Format != to.Format || from.Site != to.Site {
		return nil, fmt.Errorf("%w: from %s to %s", ErrFormat, from.Format, to.Format)
	}
	s := &FrameScaler{from: from, to: to}
	offX, offY := from.Site.Offset()
	for c := range s.channels {
		in, out := locate(from, c), locate(to, c)
		x := Axis{In: in.width, Out: out.width, Step: float64(from.Width) / float64(to.Width)}
		y := Axis{In: in.height, Out: out.height, Step: float64(from.Height) / float64(to.Height)}
		if c > 0 && from.Format.Subsampled() {
			x.Shift, y.Shift = siting(offX, x.Step), siting(offY, y.Step)
		}
		var err error
		if s.channels[c], err = NewScaler(x, y, k); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// siting returns the shift of a chroma axis. A chroma sample k lies at
// 2k + 1 + offset luma pixels in either size; step is source pixels per
// destination pixel, so destination sample i wants source sample
// (i + 0.5) step − 0.5 + (step − 1) offset / 2.
func siting(offset, step float64) float64 { return (step - 1) * offset / 2 }

// Scale scales src into dst. Both must have the layouts that the scaler was
// made for and hold their planes.
func (s *FrameScaler) Scale(dst, src frame.Frame) error {
	if src.Layout != s.from || dst.Layout != s.to {
		return fmt.Errorf("%w: scaler from %+v to %+v got %+v and %+v", ErrFormat, s.from, s.to, src.Layout, dst.Layout)
	}
	for _, f := range []frame.Frame{src, dst} {
		if err := f.Check(); err != nil {
			return err
		}
	}
	for c, scaler := range s.channels {
		p, err := scaler.Scale(Channel(src, c))
		if err != nil {
			return err
		}
		if err := p.Store(dst, c); err != nil {
			return err
		}
	}
	return nil
}
