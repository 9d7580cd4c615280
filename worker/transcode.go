package worker

import (
	"context"
	"errors"
	"os"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// job is a transcode: prepared, made, done. Fields that change are guarded by
// worker.mu.
type job struct {
	plan  pipeline.Plan // with its film
	pause pipeline.Pause
	close func() // lets the film go; more calls do nothing

	id      uint32                  // of its run, 0 before it
	cancel  context.CancelCauseFunc // nil before and after the run
	reached pipeline.Progress
}

// transcode takes the descriptor of the output, and makes what was prepared on a
// goroutine of its own. An error breaks the connection.
func (w *worker) transcode(ctx context.Context, m wire.Transcode) error {
	kind, out, err := wire.ReceiveSource(w.descriptors)
	if err != nil {
		return err
	}
	if kind != wire.SourceOutput {
		closeAll(out)
		return errors.New("the server sent a film in place of an output")
	}
	w.mu.Lock()
	j := w.job
	if j == nil || j.id != 0 || m.Run == 0 {
		w.mu.Unlock()
		closeAll(out)
		w.reply(wire.Reply{ID: m.ID, Error: public(fail(pipeline.CodeSpec, "transcode: nothing is prepared, it was begun before, or the run has no number"))})
		return nil
	}
	running, cancel := context.WithCancelCause(ctx)
	j.id, j.cancel = m.Run, cancel
	w.mu.Unlock()
	w.reply(wire.Reply{ID: m.ID})
	w.start(func() { defer cancel(nil); w.finishJob(running, j, out) })
	return nil
}

// finishJob makes a transcode to its end and tells of it. The output ends before Ended
// comes, so that whoever reads it has all there is when he learns what it is.
func (w *worker) finishJob(ctx context.Context, j *job, out *os.File) {
	err := w.transcodeTo(ctx, j, out)
	w.mu.Lock()
	j.cancel = nil
	w.past.addJob(j.reached)
	j.reached = pipeline.Progress{}
	w.mu.Unlock()
	if closed := out.Close(); err == nil && closed != nil {
		err = &pipeline.Error{Code: pipeline.CodeOutput, Sentence: "the output was not written to its end", Cause: closed}
	}
	if !errors.Is(err, pipeline.ErrStuck) { // a thread that is stuck may still read
		j.close()
	}
	if told := w.conn.Write(w.stats()); told != nil { // the last word on what was made comes before the end
		w.cfg.Log.Debug("figures lost", "err", told)
	}
	w.tellEnd(j.id, err)
}

func (w *worker) transcodeTo(ctx context.Context, j *job, out *os.File) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	plan := j.plan.To(out)
	res, err := pipeline.Runner{Log: w.cfg.Log, Pause: &j.pause, Observe: func(p pipeline.Progress) { w.written(j, p) }}.Run(ctx, plan)
	w.written(j, res.Progress)
	if err != nil {
		return err
	}
	return pipeline.Finish(ctx, plan)
}

// written tells how far a transcode is.
func (w *worker) written(j *job, p pipeline.Progress) {
	w.mu.Lock()
	j.reached = p
	w.mu.Unlock()
	m := wire.Written{Run: j.id, Position: p.Position, Decoded: p.Decoded, Upscaled: p.Upscaled, Plain: p.Plain, Encoded: p.Encoded}
	if err := w.conn.Write(m); err != nil {
		w.cfg.Log.Debug("progress lost", "err", err)
	}
}

// limit pauses a transcode, or lets it go on. There may be none. The caller holds
// worker.mu.
func (j *job) limit(m wire.Limit) {
	if j != nil && j.id == m.Run {
		j.pause.Set(m.Segment <= 0)
	}
}

// halt ends a transcode, if it has the number. The caller holds worker.mu.
func (j *job) halt(id uint32) {
	if j != nil && j.id == id && j.cancel != nil {
		j.cancel(errHalted)
	}
}

// stats adds what a transcode has done, and reports whether it is under way. The
// caller holds worker.mu.
func (j *job) stats(sum *figures) (wire.RunStats, bool) {
	if j == nil || j.cancel == nil {
		return wire.RunStats{}, false
	}
	sum.addJob(j.reached)
	return wire.RunStats{Run: j.id, Waiting: j.pause.Held(), Until: (j.plan.Spec.Start + j.reached.Position).Seconds()}, true
}

// addJob counts what a transcode has done.
func (f *figures) addJob(p pipeline.Progress) { f.add(pipeline.PlayStats{Progress: p}) }
