package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// Costs are what the stages of a session take on this machine: core milliseconds
// for a million pixels, of the source for decoding and upscaling, of the result
// for encoding. GPU is the time of a graphics card, 0 where the model runs on the
// processor.
type Costs struct {
	Provider                     string // that ran the model
	Decode, Upscale, Encode, GPU float64
}

// The film by which the machine is measured: large enough that a picture costs
// what its pixels do, and long enough for clocks that tick 100 times a second.
const (
	costWidth  = 640
	costHeight = 360
	costFrames = 60
)

// MeasureCosts plays a film that is drawn here as a session would, and measures
// its stages from the first picture on. The process should do nothing else
// meanwhile. Errors are of type *Error, or ctx's cause.
func MeasureCosts(ctx context.Context, s PlaySpec) (Costs, error) {
	f, err := drawnFilm(ctx)
	if err != nil {
		return Costs{}, err
	}
	defer f.Close() //nolint:errcheck // it is memory
	reader, err := source.NewFile(f)
	if err != nil {
		return Costs{}, fail(CodeInternal, err, "the measure cannot be read")
	}
	film := Film{Name: "the measure", Reader: reader}
	plan, err := planMeasure(ctx, film, s)
	if err != nil {
		return Costs{}, err
	}
	out := &costOutput{}
	r, err := PlayVideo(film, plan, 0, out, PlayOptions{Log: slog.New(slog.DiscardHandler), Limit: math.MaxInt32, Stall: probeTimeout})
	if err != nil {
		return Costs{}, err
	}
	out.play = r
	if err := r.Run(ctx); err != nil {
		return Costs{}, err
	}
	return out.costs(plan), nil
}

// drawnFilm records a clip in memory.
func drawnFilm(ctx context.Context) (*os.File, error) {
	fd, err := unix.MemfdCreate("measure", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fail(CodeInternal, err, "there is no memory for the measure")
	}
	f := os.NewFile(uintptr(fd), "measure")
	clip, err := testmedia.NewDetail(testmedia.Spec{Width: costWidth, Height: costHeight, Frames: costFrames})
	if err == nil {
		err = Record(ctx, Recording{
			Path: fmt.Sprintf("/proc/self/fd/%d", fd), Layout: clip.Layout, Rate: Fraction{clip.Rate.Num, clip.Rate.Den}, Frames: costFrames, Quality: 23,
		}, clip)
	}
	if err != nil {
		_ = f.Close() // it is memory
		return nil, err
	}
	return f, nil
}

func planMeasure(ctx context.Context, f Film, s PlaySpec) (PlayPlan, error) {
	m, err := ProbeFilm(ctx, f)
	if err != nil {
		return PlayPlan{}, err
	}
	x, err := MeasureExtent(ctx, f, m)
	if err != nil {
		return PlayPlan{}, err
	}
	return NewPlayPlan(m, NewTimeline(m, x, time.Second), x, s, Has)
}

// costOutput reads the clocks of the stages while packets come.
type costOutput struct {
	play         *Play
	clocks       *clocks
	begin, since PlayStats // at the first packet, and at the last that was looked at
	packets      int
}

// Init implements Output.
func (o *costOutput) Init(StreamInit) error { return nil }

// Cue implements Output.
func (o *costOutput) Cue(Cue) error { return nil }

// Reached implements Output.
func (o *costOutput) Reached(time.Duration) error { return nil }

// Packet implements Output. What came before the first packet, such as the making
// of the upscaler, is not counted.
func (o *costOutput) Packet(Packet) error {
	o.packets++
	switch {
	case o.clocks == nil:
		o.begin, o.clocks = o.play.Stats(), newClocks()
	case o.packets%8 == 0:
		o.clocks.read()
		o.since = o.play.Stats()
	}
	return nil
}

func (o *costOutput) costs(p PlayPlan) Costs {
	cores := o.clocks.byStage()
	in, out := p.Media.Video.Width*p.Media.Video.Height, p.Width*p.Height
	per := func(d time.Duration, frames int64, pixels int) float64 {
		return d.Seconds() * 1e3 / float64(max(frames, 1)) / (float64(pixels) / 1e6)
	}
	m := o.since.Model
	c := Costs{
		Provider: m.Provider,

		Decode:  per(cores[StageDecode], o.since.Decoded-o.begin.Decoded, in),
		Upscale: per(cores[StageUpscale], o.since.Upscaled-o.begin.Upscaled, in),
		Encode:  per(cores[StageEncode], o.since.Encoded-o.begin.Encoded, out),
	}
	if m.Provider != "" && m.Provider != "cpu" {
		c.GPU = per(m.Median, 1, in)
	}
	return c
}
