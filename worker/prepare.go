package worker

import (
	"cmp"
	"context"
	"os"
	"slices"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// prepare takes the descriptor of a film that is to be transcoded, and looks at it on
// a goroutine of its own. An error breaks the connection.
func (w *worker) prepare(ctx context.Context, m wire.Prepare) error {
	kind, f, err := w.firstFilm()
	if err != nil {
		return err
	}
	w.start(func() {
		prepared, err := w.makeJob(ctx, m, kind, f)
		w.reply(wire.Reply{ID: m.ID, Error: public(err), Prepared: prepared})
	})
	return nil
}

// makeJob plans a transcode. The descriptor is its own from here on.
func (w *worker) makeJob(ctx context.Context, m wire.Prepare, kind wire.SourceKind, file *os.File) (*wire.Prepared, error) {
	reader, closer, err := w.reader(ctx, m.Size, kind, file)
	if err != nil {
		return nil, err
	}
	film := pipeline.Film{Name: m.Name, Reader: reader}
	plan, err := w.planJob(ctx, film, m)
	if err != nil {
		closer()
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = &job{plan: plan.From(film), close: closer}
	return describeJob(plan, m.Costs), nil
}

// planJob plans without a look at the film what can be refused so.
func (w *worker) planJob(ctx context.Context, f pipeline.Film, m wire.Prepare) (pipeline.Plan, error) {
	spec, err := w.jobSpec(m)
	if err != nil {
		return pipeline.Plan{}, err
	}
	media, err := pipeline.ProbeFilm(ctx, f)
	if err != nil {
		return pipeline.Plan{}, err
	}
	return pipeline.NewPlan(media, spec, pipeline.Has)
}

// jobSpec returns the wishes of the server as the pipeline has them.
func (w *worker) jobSpec(m wire.Prepare) (pipeline.Spec, error) {
	u, o := m.Upscale, m.Output
	scale, err := w.cfg.Models.Scale(u.Model)
	if err != nil {
		return pipeline.Spec{}, err
	}
	cube, err := parseCube(u.Cube)
	if err != nil {
		return pipeline.Spec{}, err
	}
	threads := w.cfg.Threads
	if u.Threads > 0 {
		threads.Upscale, threads.Encode = u.Threads, u.Threads
	}
	s := pipeline.Spec{
		Container: pipeline.Container(o.Container), Stream: o.Stream,
		Model: u.Model, Scale: scale, Provider: u.Provider, Device: u.Device, Strength: u.Strength, Filters: &u.Filters, Cube: cube, Threads: threads,
		Height: o.Height, Codec: pipeline.VideoCodec(o.VideoCodec), Quality: o.Quality, Speed: cmp.Or(pipeline.Speed(o.Speed), pipeline.Balanced),
		Audio: pipeline.AudioMode(o.Audio), Track: o.Track + 1, Start: o.Start, Duration: o.Duration,
	}
	return s, s.Check()
}

// describeJob tells the server what was found and planned. Costs are those of sessions,
// whose encoder is the fastest: see wire.Prepared.
func describeJob(p pipeline.Plan, costs *wire.Costs) *wire.Prepared {
	m, v := p.Media, p.Media.Video
	d := &wire.Prepared{
		Container: m.Container, Duration: m.Duration, Encoding: p.Encoding, Plan: sentences(slices.Concat(p.Kept, p.Changed, lost(p.Lost))),
		Video: wire.VideoInfo{
			Rate: [2]int{v.Rate.Num, v.Rate.Den}, SourceSize: [2]int{v.Width, v.Height}, Size: [2]int{p.Width, p.Height},
			Scale: p.Spec.Scale, Codec: v.Type(), Decoder: v.Decoder,
		},
	}
	aspect := p.Aspect()
	d.Video.Aspect = [2]int{aspect.Num, aspect.Den}
	if costs != nil {
		d.Cost = costs.Predict(d.Video)
	}
	return d
}

// lost marks what is lost among sentences of other kinds.
func lost(sentences []string) []string {
	var marked []string
	for _, s := range sentences {
		marked = append(marked, "lost: "+s)
	}
	return marked
}
