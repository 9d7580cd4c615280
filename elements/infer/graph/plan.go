package graph

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// MaxScale is the largest scale of a network.
const MaxScale = 4

// Kind tells what a network's channels are.
type Kind uint8

// The kinds of network.
const (
	Luma Kind = iota + 1 // one channel: Y as it is coded, limited range staying limited
	RGB                  // three channels: R', G', B' of the full range
)

// String returns "luma" or "rgb".
func (k Kind) String() string {
	switch k {
	case Luma:
		return "luma"
	case RGB:
		return "rgb"
	default:
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
}

// channels returns the number of channels that a network of the kind has.
func (k Kind) channels() int {
	if k == RGB {
		return 3
	}
	return 1
}

// Facts are what is known of a model once it has been run.
type Facts struct {
	Signature
	Kind      Kind
	Scale     int     // 1 to MaxScale
	Peak      float64 // the value of white at input and output: 1 or 255
	MultipleW int     // the width must be a multiple of this; at least 1
	MultipleH int     // the height must be a multiple of this; at least 1
}

// Plan says for which frames a model is wrapped.
type Plan struct {
	In  frame.Layout
	Out frame.Layout // In.Scaled(Scale)
	Mix bool         // adds the input StrengthInput
	// Portable leaves out operators that only the CPU provider has, so that a
	// graph on another one need not come back for them. 10-bit planes are
	// somewhat slower on the CPU for it.
	Portable bool
}

// StrengthInput is the name of the input that Plan.Mix adds: a float32 scalar
// s from 0 to 1. The picture is then bicubic + s · (network − bicubic).
const StrengthInput = "strength"

// check returns an error that wraps ErrPlan or an error of package frame
// unless a model of these facts can be wrapped for p.
func (p Plan) check(f Facts) error {
	for _, l := range []frame.Layout{p.In, p.Out} {
		if err := l.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrPlan, err)
		}
	}
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrPlan, fmt.Sprintf(format, args...))
	}
	switch {
	case f.Kind != Luma && f.Kind != RGB:
		return refuse("unknown %s", f.Kind)
	case f.InChannels != 0 && f.InChannels != f.Kind.channels():
		return refuse("a %s network has %d channels, the model has %d", f.Kind, f.Kind.channels(), f.InChannels)
	case f.InType < Float32 || f.InType > Uint8 || f.OutType < Float32 || f.OutType > Uint8:
		return refuse("no network takes %s and gives %s", f.InType, f.OutType)
	case f.Scale < 1 || f.Scale > MaxScale:
		return refuse("scale %d is not from 1 to %d", f.Scale, MaxScale)
	case f.Peak != 1 && f.Peak != 255:
		return refuse("white is %g; 1 and 255 are taken", f.Peak)
	case f.Peak == 1 && (f.InType == Uint8 || f.OutType == Uint8):
		return refuse("uint8 values cannot have white at 1")
	case f.MultipleW < 1 || f.MultipleH < 1:
		return refuse("the size multiple %dx%d is not positive", f.MultipleW, f.MultipleH)
	case p.Out != p.In.Scaled(f.Scale):
		return refuse("%dx%d %s is not %d times %dx%d %s of the same colour",
			p.Out.Width, p.Out.Height, p.Out.Format, f.Scale, p.In.Width, p.In.Height, p.In.Format)
	case f.Width != 0 && f.Width != p.In.Width || f.Height != 0 && f.Height != p.In.Height:
		return refuse("its input is fixed to %dx%d (0 is any), the frame is %dx%d",
			f.Width, f.Height, p.In.Width, p.In.Height)
	case f.Width%f.MultipleW != 0 || f.Height%f.MultipleH != 0:
		return refuse("its fixed size %dx%d is no multiple of %dx%d", f.Width, f.Height, f.MultipleW, f.MultipleH)
	}
	return nil
}
