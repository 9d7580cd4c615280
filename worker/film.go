package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// film is what a worker plays.
type film struct {
	source   pipeline.Film
	media    pipeline.Media
	extent   pipeline.Extent
	timeline pipeline.Timeline
	spec     pipeline.PlaySpec // as it was set last
	live     bool              // a stream of which nothing but spec is known, and no run is played
	close    func()
}

// open takes the film's descriptor, and opens it on a goroutine of its own. An
// error breaks the connection.
func (w *worker) open(ctx context.Context, m wire.Open) error {
	kind, f, err := w.firstFilm()
	if err != nil {
		return err
	}
	w.start(func() {
		opened, err := w.take(ctx, m, kind, f)
		w.reply(wire.Reply{ID: m.ID, Error: public(err), Opened: opened})
	})
	return nil
}

// firstFilm takes the descriptor of a film, of which there is one.
func (w *worker) firstFilm() (wire.SourceKind, *os.File, error) {
	kind, f, err := wire.ReceiveSource(w.descriptors)
	if err != nil {
		return 0, nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opening {
		closeAll(f)
		return 0, nil, errors.New("the server opened a second film")
	}
	w.opening = true
	return kind, f, nil
}

// take opens a film. The descriptor is the film's from here on.
func (w *worker) take(ctx context.Context, m wire.Open, kind wire.SourceKind, file *os.File) (*wire.Opened, error) {
	if kind == wire.SourceStream {
		closeAll(file)
		return nil, fail(pipeline.CodeSpec, "a film that is played is sought in, which a stream is not")
	}
	reader, closer, err := w.reader(ctx, m.Size, kind, file)
	if err != nil {
		return nil, err
	}
	f := &film{source: pipeline.Film{Name: m.Name, Reader: reader}, close: closer}
	opened, err := w.look(ctx, f, m)
	if err != nil {
		closer()
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.film = f
	return opened, nil
}

// reader returns what reads a descriptor, and what ends that.
func (w *worker) reader(ctx context.Context, size int64, kind wire.SourceKind, file *os.File) (source.Reader, func(), error) {
	switch kind {
	case wire.SourceFile:
		r, err := source.NewFile(file)
		if err != nil {
			closeAll(file)
			return nil, nil, err
		}
		return r, func() { closeAll(file) }, nil
	case wire.SourceStream:
		s, err := source.NewStream(file, pipeline.StreamHead)
		if err != nil {
			return nil, nil, err
		}
		return s, func() { closeAll(s) }, nil
	case wire.SourceRanges:
	default:
		closeAll(file)
		return nil, nil, fmt.Errorf("the server sent a descriptor of kind %q in place of a film", kind)
	}
	conn, err := net.FileConn(file)
	closeAll(file)
	if err != nil {
		return nil, nil, err
	}
	client := ranges.NewClient(conn, size)
	ctx, cancel := context.WithCancel(ctx)
	w.start(func() { _ = client.Run(ctx) }) // its end fails every read, which tells why
	return remote{client}, func() { cancel(); closeAll(conn) }, nil
}

// remote is a source.Reader of what the server reads.
type remote struct{ *ranges.Client }

// ReadAt implements source.Reader. Errors are the server's, with their code.
func (r remote) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	n, err := r.ReadAtContext(ctx, p, off)
	var said *wire.Error
	if errors.As(err, &said) {
		return n, &pipeline.Error{Code: pipeline.Code(said.Code), Sentence: said.Sentence}
	}
	return n, err
}

// look finds out what a film holds and plans it.
func (w *worker) look(ctx context.Context, f *film, m wire.Open) (*wire.Opened, error) {
	var err error
	if f.media, err = pipeline.ProbeFilm(ctx, f.source); err != nil {
		return nil, err
	}
	if f.extent, err = pipeline.MeasureExtent(ctx, f.source, f.media); err != nil {
		return nil, err
	}
	f.timeline = pipeline.NewTimeline(f.media, f.extent, m.Segment)
	if f.spec, err = w.spec(m.Upscale, m.Video, m.Burn); err != nil {
		return nil, err
	}
	if m.Sound == wire.AudioOpus {
		f.spec.Sound = pipeline.SoundOpus
	}
	plan, err := f.plan(f.spec)
	if err != nil {
		return nil, err
	}
	return describe(plan, m.Costs), nil
}

// plan plans the film with a spec.
func (f *film) plan(s pipeline.PlaySpec) (pipeline.PlayPlan, error) {
	return pipeline.NewPlayPlan(f.media, f.timeline, f.extent, s, pipeline.Has)
}

// spec returns the wishes of the server as the pipeline has them.
func (w *worker) spec(u wire.Upscale, v wire.Video, burn int) (pipeline.PlaySpec, error) {
	scale, err := w.cfg.Models.Scale(u.Model)
	if err != nil {
		return pipeline.PlaySpec{}, err
	}
	cube, err := parseCube(u.Cube)
	if err != nil {
		return pipeline.PlaySpec{}, err
	}
	threads := w.cfg.Threads
	if u.Threads > 0 {
		threads.Upscale, threads.Encode = u.Threads, u.Threads
	}
	return pipeline.PlaySpec{
		Model: u.Model, Scale: scale, Provider: u.Provider, Device: u.Device, Strength: u.Strength,
		Filters: u.Filters, Cube: cube, Threads: threads,
		Height: v.Height, Quality: v.Quality, MaxRate: v.MaxRate, Burn: burn,
	}, nil
}

func parseCube(text []byte) (*filters.Cube, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // no table is no fault
	}
	cube, err := filters.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "lut: " + err.Error()}
	}
	return cube, nil
}

// closeFilm lets the film go, if there is one. No run is left.
func (w *worker) closeFilm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.film != nil {
		w.film.close()
	}
	if w.job != nil {
		w.job.close()
	}
}

// delivered returns the name of a codec of sound for the server.
func delivered(c pipeline.SoundCodec) wire.AudioMode {
	if c == pipeline.SoundOpus {
		return wire.AudioOpus
	}
	return wire.AudioAAC
}

// describe tells the server what was found and planned.
func describe(p pipeline.PlayPlan, costs *wire.Costs) *wire.Opened {
	m, t := p.Media, p.Timeline
	o := &wire.Opened{
		Container: m.Container,
		Duration:  t.End,
		Segment:   wire.Segment{Ticks: t.Ticks, Frames: t.Frames},
		Video: wire.VideoInfo{
			TimeScale: t.TimeScale, Rate: [2]int{t.Rate.Num, t.Rate.Den}, SourceSize: [2]int{m.Video.Width, m.Video.Height},
			Size: [2]int{p.Width, p.Height}, Aspect: [2]int{p.Aspect.Num, p.Aspect.Den}, Scale: p.Spec.Scale, MaxRate: p.Spec.MaxRate,
			Codec: m.Video.Type(), Decoder: m.Video.Decoder,
		},
		Plan: p.Notes,
	}
	if costs != nil {
		o.Cost = costs.Predict(o.Video)
	}
	for i, a := range p.Audio {
		o.Audio = append(o.Audio, wire.AudioInfo{
			Language: a.Language, Title: a.Title, Codec: a.Type(), Passed: a.Passed, Rate: a.Rate, Channels: a.Channels,
			FrameSamples: a.FrameSamples(), Delivered: delivered(a.Codec), First: a.First, Frames: a.Frames, BitRate: a.BitRate, Default: a.Facts.Flags.Default || i == 0,
		})
	}
	for _, t := range p.Text {
		o.Text = append(o.Text, wire.TextInfo{
			Language: t.Language, Title: t.Title, Codec: t.Type(), Bitmap: t.Bitmap, Forced: t.Facts.Flags.Forced, Default: t.Facts.Flags.Default,
		})
	}
	return bounded(o)
}
