package score

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

// Model is what is scored.
type Model struct {
	Name  string
	Scale int  // 1 or more
	RGB   bool // wants frame.RGB instead of frame.I420

	// Upscale fills out with in, Scale times as large. Frames are RGB, full range,
	// or I420, BT.601 in limited range with grey chroma, of which only luma is
	// looked at. Their memory is valid during the call. Sizes differ from call to
	// call and may be odd; calls do not overlap.
	Upscale func(in, out frame.Frame) error
}

// Run scores a model on the pairs of a folder (see Pairs), in order. Each is
// told to progress, which may be nil, as soon as it is known. The error wraps
// an error of this package, of the model, or the cause of ctx.
func Run(ctx context.Context, folder fs.FS, m Model, progress func(Score)) (Report, error) {
	if m.Scale < 1 {
		return Report{}, fmt.Errorf("%w: scale %d", ErrSize, m.Scale)
	}
	pairs, err := Pairs(folder, m.Scale)
	if err != nil {
		return Report{}, err
	}
	report := Report{Model: m.Name, Scale: m.Scale, Border: m.Scale}
	for _, p := range pairs {
		if err := context.Cause(ctx); err != nil {
			return Report{}, err
		}
		s, err := one(folder, p, m)
		if err != nil {
			return Report{}, fmt.Errorf("%s: %w", p.Name, err)
		}
		report.Pictures = append(report.Pictures, s)
		if progress != nil {
			progress(s)
		}
	}
	report.Mean = mean(report.Pictures)
	return report, nil
}

// one scores a model on one pair.
func one(folder fs.FS, p Pair, m Model) (Score, error) {
	low, err := decode(folder, p.Low)
	if err != nil {
		return Score{}, err
	}
	high, err := decode(folder, p.High)
	if err != nil {
		return Score{}, err
	}
	if err := fits(low[0], high[0], m.Scale); err != nil {
		return Score{}, err
	}
	want := picture.Studio(high)
	s := Score{Name: p.Name, Width: want.Width, Height: want.Height}
	restored, err := m.restore(low)
	if err != nil {
		return Score{}, err
	}
	if s.Model, err = compare(restored, want, m.Scale); err != nil {
		return Score{}, err
	}
	for _, plain := range []struct {
		kernel picture.Kernel
		figure *Figure
	}{{picture.Bicubic(), &s.Bicubic}, {picture.Lanczos(), &s.Lanczos}} {
		scaled, err := scale(low, want.Width, want.Height, plain.kernel)
		if err != nil {
			return Score{}, err
		}
		if *plain.figure, err = compare(scaled, want, m.Scale); err != nil {
			return Score{}, err
		}
	}
	return s, nil
}

// fits returns ErrSize unless high is exactly scale times low.
func fits(low, high picture.Plane, scale int) error {
	if high.Width == low.Width*scale && high.Height == low.Height*scale {
		return nil
	}
	hint := ""
	if high.Width%scale != 0 || high.Height%scale != 0 {
		hint = fmt.Sprintf("; crop the original to a multiple of %d before it is shrunk", scale)
	}
	return fmt.Errorf("%w: %d×%d is not %d times %d×%d%s", ErrSize, high.Width, high.Height, scale, low.Width, low.Height, hint)
}

// restore runs the model on 8-bit R, G and B and returns the luma of its output.
func (m Model) restore(low [3]picture.Plane) (picture.Plane, error) {
	l := frame.Layout{
		Format: frame.I420, Width: low[0].Width, Height: low[0].Height,
		Matrix: frame.BT601, Site: frame.SiteCenter,
	}
	channels := []picture.Plane{picture.Studio(low)}
	if m.RGB {
		l.Format, l.Range = frame.RGB, frame.Full
		channels = low[:]
	}
	in, out := frame.New(l, 1), frame.New(l.Scaled(m.Scale), 1)
	for c, p := range channels {
		if err := p.Store(in, c); err != nil {
			return picture.Plane{}, err
		}
	}
	for _, grey := range in.Planes[1:in.Format.Planes()] {
		for i := range grey.Data {
			grey.Data[i] = 128
		}
	}
	if err := m.Upscale(in, out); err != nil {
		return picture.Plane{}, fmt.Errorf("upscale: %w", err)
	}
	return picture.Luma(out), nil
}

// scale scales 8-bit R, G and B by a plain kernel and returns the luma.
func scale(low [3]picture.Plane, width, height int, k picture.Kernel) (picture.Plane, error) {
	s, err := picture.NewScaler(
		picture.Axis{In: low[0].Width, Out: width, Edge: picture.Cut},
		picture.Axis{In: low[0].Height, Out: height, Edge: picture.Cut}, k)
	if err != nil {
		return picture.Plane{}, err
	}
	var out [3]picture.Plane
	for c := range out {
		if out[c], err = s.ScaleStored(low[c], 255); err != nil {
			return picture.Plane{}, err
		}
	}
	return picture.Studio(out), nil
}

// compare measures a restored luma against the original's.
func compare(got, want picture.Plane, border int) (Figure, error) {
	psnr, err := picture.PSNR(got, want, 255, border)
	if err != nil {
		return Figure{}, err
	}
	ssim, err := picture.SSIM(got, want, 255, border)
	if err != nil {
		return Figure{}, err
	}
	return Figure{PSNR: Decibel(psnr), SSIM: ssim}, nil
}

// decode reads a PNG file as 8-bit R, G and B.
func decode(folder fs.FS, name string) ([3]picture.Plane, error) {
	fail := func(err error) ([3]picture.Plane, error) {
		return [3]picture.Plane{}, fmt.Errorf("%w: %s: %w", ErrPicture, name, err)
	}
	// The header is looked at first, because it alone says how much memory the
	// whole picture would take.
	var img image.Image
	for _, read := range []func(io.Reader) error{
		func(r io.Reader) error {
			head, err := png.DecodeConfig(r)
			if err != nil {
				return err
			}
			return frame.Layout{Format: frame.RGB, Width: head.Width, Height: head.Height}.Check()
		},
		func(r io.Reader) (err error) {
			img, err = png.Decode(r)
			return err
		},
	} {
		f, err := folder.Open(name)
		if err != nil {
			return fail(err)
		}
		if err := errors.Join(read(f), f.Close()); err != nil {
			return fail(err)
		}
	}
	return picture.RGB(img), nil
}
