package worker

import (
	"context"
	"errors"
	"os"

	"github.com/upscaled-media/upscaled/elements/source"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// relayHead is how much of a live stream tells what it is.
const relayHead = 4096

// relay takes a live stream's descriptor, and makes the stream on a goroutine of its
// own. An error breaks the connection.
func (w *worker) relay(ctx context.Context, m wire.Relay) error {
	kind, f, err := w.firstFilm()
	if err != nil {
		return err
	}
	if kind != wire.SourceStream {
		closeAll(f)
		return errors.New("the server sent something else in place of a live stream")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &run{id: wire.RelayVideo, stream: wire.Stream{Kind: wire.StreamVideo}, cancel: cancel, ended: make(chan struct{})}
	w.mu.Lock()
	w.runs[r.id], w.streams[r.stream] = r, r
	w.mu.Unlock()
	w.start(func() {
		opened, err := w.pass(ctx, r, m, f)
		w.forget(r)
		if opened {
			w.tellEnd(r.id, err)
			return
		}
		w.reply(wire.Reply{ID: m.ID, Error: public(err)})
		w.giveUp(err)
	})
	return nil
}

// pass makes a live stream to its end, and reports whether the server was told of it.
// The descriptor is its own from here on.
func (w *worker) pass(ctx context.Context, r *run, m wire.Relay, file *os.File) (opened bool, err error) {
	stream, err := source.NewStream(file, relayHead)
	if err != nil {
		return false, err
	}
	defer closeAll(stream)
	spec, err := w.liveSpec(m)
	if err != nil {
		return false, err
	}
	out := pipeline.LiveOutput{
		Opened: func(p pipeline.PlayPlan) error {
			opened = true
			return w.conn.Write(wire.Reply{ID: m.ID, Opened: describe(p, m.Costs)})
		},
		Picture: output{w, wire.RelayVideo, wire.StreamVideo}, Sound: output{w, wire.RelayAudio, wire.StreamAudio},
	}
	live, err := pipeline.NewLive(pipeline.Film{Name: m.Name, Reader: stream}, spec, out, pipeline.PlayOptions{Log: w.cfg.Log, Stall: Stall})
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	w.film = &film{spec: spec.PlaySpec, live: true, close: func() {}}
	r.play = live
	w.mu.Unlock()
	err = live.Run(ctx) // Opened is called by what has ended then
	return opened, err
}

// liveSpec returns the wishes of the server as the pipeline has them.
func (w *worker) liveSpec(m wire.Relay) (pipeline.LiveSpec, error) {
	spec, err := w.spec(m.Upscale, m.Video, -1)
	if err != nil {
		return pipeline.LiveSpec{}, err
	}
	sound, ok := map[wire.AudioMode]pipeline.LiveSound{
		wire.AudioNone: pipeline.LiveSilent, wire.AudioAAC: pipeline.LiveAAC, wire.AudioOpus: pipeline.LiveOpus,
	}[m.Audio]
	if !ok {
		return pipeline.LiveSpec{}, fail(pipeline.CodeSpec, "audio: must be aac, opus or none")
	}
	return pipeline.LiveSpec{PlaySpec: spec, Sound: sound, KeyFrames: m.KeyFrames}, nil
}
