package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

// demoCommand shows the whole path on a clip that it draws, or on a file of
// the user's.
type demoCommand struct {
	Source  string `help:"Upscale this file instead of a drawn clip." placeholder:"FILE"`
	Dir     string `default:"demo" help:"Folder for the drawn clip and its upscaled version."`
	Seconds int    `default:"10" help:"Length of the drawn clip."`
}

// Run draws, upscales, measures.
func (c *demoCommand) Run(ctx context.Context, a *app) error {
	if err := a.open(); err != nil {
		return job.WithCode(err)
	}
	show := newDisplay(a, false)
	if c.Source != "" {
		done, err := a.transcode(ctx, demoRequest(c.Source, ""), show)
		if err == nil {
			fmt.Fprintf(a.stdout, "%s\n", done.job.Output)
		}
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	clip, err := testmedia.NewDetail(testmedia.Spec{Frames: 24 * c.Seconds})
	if err != nil {
		return err
	}
	source := filepath.Join(c.Dir, "clip.mkv")
	fmt.Fprintf(a.stderr, "drawing %s: %d frames of %d×%d at half their size\n", source, clip.Frames, clip.Width, clip.Height)
	if err := recordHalf(ctx, source, clip, discQuality); err != nil {
		return err
	}
	done, err := a.transcode(ctx, demoRequest(source, filepath.Join(c.Dir, "clip.upscaled.mkv")), show)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stderr, "measuring against the drawing at its full size …")
	report, err := compare(ctx, clip, source, done.job.Output)
	if err != nil {
		return err
	}
	report.frames = done.result.Encoded
	report.fps = done.fps()
	report.print(a, done.job.Output)
	return nil
}

func demoRequest(source, output string) job.Request {
	return job.Request{
		Input: source, Output: output, Force: output != "", Model: models.Default, Quality: -1, Speed: pipeline.Fast, Strength: 1,
		Threads: threads(),
	}
}

// half is a clip at half its size, by the antialiased bicubic filter that the
// usual test sets are made with.
type half struct {
	*testmedia.Clip
	full   frame.Frame
	shrink *picture.FrameScaler
}

func newHalf(clip *testmedia.Clip) (*half, error) {
	s, err := testmedia.NewShrink(clip.Layout)
	if err != nil {
		return nil, err
	}
	return &half{Clip: clip, full: frame.New(clip.Layout, 1), shrink: s}, nil
}

// Draw draws frame i and shrinks it into dst.
func (h *half) Draw(i int, dst frame.Frame) error {
	if err := h.Clip.Draw(i, h.full); err != nil {
		return err
	}
	return h.shrink.Scale(dst, h.full)
}

// discQuality is x264's quantizer for the drawn source: good, as a disc is, but
// not without loss.
const discQuality = 16

func recordHalf(ctx context.Context, path string, clip *testmedia.Clip, quality int) error {
	h, err := newHalf(clip)
	if err != nil {
		return err
	}
	return pipeline.Record(ctx, pipeline.Recording{
		Path: path, Layout: testmedia.Shrunk(clip.Layout), Rate: pipeline.Fraction{Num: clip.Rate.Num, Den: clip.Rate.Den},
		Frames: clip.Frames, Quality: quality,
	}, h)
}

// comparison is the luma PSNR of three ways to the full size, each the mean of
// the frames' figures in dB, against the drawing. The plain filters work on the
// decoded source and are not encoded; the model's figure is that of the file
// that was written, with what the encoder cost it.
type comparison struct {
	frames                  int64
	fps                     float64
	model, bicubic, lanczos float64
	source, written         int // frames decoded of the two files
}

// compare decodes the source and the upscaled file beside a new drawing.
func compare(ctx context.Context, clip *testmedia.Clip, source, upscaled string) (comparison, error) {
	var c comparison
	full := frame.New(clip.Layout, 1)
	plain := frame.New(clip.Layout, 1)
	small := testmedia.Shrunk(clip.Layout)
	scalers := map[*float64]*picture.FrameScaler{}
	for sum, k := range map[*float64]picture.Kernel{&c.bicubic: picture.Bicubic(), &c.lanczos: picture.Lanczos()} {
		s, err := picture.NewFrameScaler(small, clip.Layout, k)
		if err != nil {
			return c, err
		}
		scalers[sum] = s
	}
	measure := func(f frame.Frame, sum *float64) error {
		db, err := picture.PSNR(picture.Luma(full), picture.Luma(f), picture.Peak(f.Format), 2)
		*sum += db
		return err
	}
	err := pipeline.Frames(ctx, source, func(p pipeline.Picture) error {
		if err := clip.Draw(c.source, full); err != nil {
			return err
		}
		p.Frame.Layout = small
		for sum, s := range scalers {
			if err := s.Scale(plain, p.Frame); err != nil {
				return err
			}
			if err := measure(plain, sum); err != nil {
				return err
			}
		}
		c.source++
		return nil
	})
	if err != nil {
		return c, err
	}
	err = pipeline.Frames(ctx, upscaled, func(p pipeline.Picture) error {
		if err := clip.Draw(c.written, full); err != nil {
			return err
		}
		c.written++
		return measure(p.Frame, &c.model)
	})
	c.model /= float64(max(c.written, 1))
	c.bicubic /= float64(max(c.source, 1))
	c.lanczos /= float64(max(c.source, 1))
	return c, err
}

func (c comparison) print(a *app, path string) {
	fmt.Fprintf(a.stdout, "%s\n", path)
	fmt.Fprintf(a.stdout, "  frames   %d in the source, %d in the file\n", c.source, c.written)
	fmt.Fprintf(a.stdout, "  speed    %.1f fps end to end\n", c.fps)
	fmt.Fprintf(a.stdout, "  PSNR-Y   %.2f dB %s, as written; %.2f dB bicubic and %.2f dB Lanczos of the same file\n",
		c.model, models.Default, c.bicubic, c.lanczos)
}
