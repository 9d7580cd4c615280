package main

import (
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/jobs"
)

// jobDisplay shows jobs: a single one as transcode does, several with a line each.
type jobDisplay struct {
	a      *app
	asJSON bool
	one    *textDisplay // nil for several
	left   map[string]bool
	said   map[string]time.Time
	states map[string]jobs.State
	first  error // of a job that did not end well
}

func newJobDisplay(a *app, ids []string, asJSON bool) *jobDisplay {
	d := &jobDisplay{a: a, asJSON: asJSON, left: map[string]bool{}, said: map[string]time.Time{}, states: map[string]jobs.State{}}
	for _, id := range ids {
		d.left[id] = true
	}
	if len(ids) == 1 && !asJSON {
		d.one = newTextDisplay(a.stderr)
	}
	return d
}

// job shows a job, and reports whether there is one that is not over.
func (d *jobDisplay) job(j jobs.Job) bool {
	if d.asJSON {
		_ = newJSONDisplay(d.a.stdout).out.Encode(j) // a reader that has gone ends nothing
	} else {
		d.show(j)
	}
	if j.State.Over() && d.left[j.ID] {
		delete(d.left, j.ID)
		if err := endOf(j); err != nil && d.first == nil {
			d.first = err
		}
	}
	return len(d.left) > 0
}

// show prints a job when its state changes, and how far it is.
func (d *jobDisplay) show(j jobs.Job) {
	if d.states[j.ID] != j.State {
		d.states[j.ID], d.said[j.ID] = j.State, time.Now()
		d.end()
		fmt.Fprintf(d.a.stderr, "%s  %s\n", j.Source, stateOf(j))
		if j.Failure != nil {
			fmt.Fprintf(d.a.stderr, "  %s\n", j.Failure.Detail)
		}
		return
	}
	if j.Progress == nil || j.State != jobs.StateRunning {
		return
	}
	shows := d.one
	if shows == nil {
		if time.Since(d.said[j.ID]) < lineEvery {
			return
		}
		d.said[j.ID] = time.Now()
		shows = &textDisplay{w: d.a.stderr}
	}
	if j.Film != nil {
		var rate [2]float64
		_, _ = fmt.Sscanf(j.Film.Video.Rate, "%g/%g", &rate[0], &rate[1]) // absent where it varies
		shows.length = time.Duration(j.Progress.Duration * float64(time.Second))
		shows.frames = int64(j.Progress.Duration*rate[0]/max(rate[1], 1) + 0.5)
	}
	shows.begin()
	shows.progress(pipeline.Progress{
		Elapsed:  time.Duration(j.Progress.Elapsed * float64(time.Second)),
		Position: time.Duration(j.Progress.Position * float64(time.Second)), Decoded: j.Progress.Frames.Decoded,
		Upscaled: j.Progress.Frames.Upscaled, Encoded: j.Progress.Frames.Encoded, Plain: j.Progress.Frames.Plain,
	})
}

func (d *jobDisplay) end() {
	if d.one != nil {
		d.one.end()
	}
}

// failed returns how the first job ended that did not end well, which was shown.
func (d *jobDisplay) failed() error {
	if d.first == nil {
		return nil
	}
	return marked(d.first)
}

// endOf returns nil for a job that is done, otherwise what became of it.
func endOf(j jobs.Job) error {
	switch {
	case j.State == jobs.StateCancelled:
		return &pipeline.Error{Code: codeJobCancelled, Sentence: "the job was cancelled"}
	case j.Failure != nil:
		return &pipeline.Error{Code: pipeline.Code(j.Failure.Code), Sentence: j.Failure.Detail}
	}
	return nil
}
