package jobs

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// short is a film that is made at once, long one that is not done within a test.
var (
	short = workertest.Film{Duration: workertest.Length(2 * time.Second)}
	long  = workertest.Film{Duration: workertest.Length(time.Hour), Speed: 10}
)

func TestJobMakesAFile(t *testing.T) {
	s := setUp(t)
	source := s.film("a.mkv", short)
	job := s.order(Order{Source: source, Height: 720})
	if job.State != StateQueued || job.Output != "films/a.upscaled.mkv" || job.Source != source || job.Priority != 5 {
		t.Errorf("%+v", job)
	}
	done := s.until(job.ID, in(StateDone))
	if done.Progress == nil || done.Progress.Frames.Upscaled != 48 || *done.Progress.Percent != 100 || done.Bytes == 0 ||
		done.Attempts != 1 || done.Started == nil || done.Ended == nil || done.Film.Video.Delivered.Height != 720 {
		t.Errorf("%+v, %+v", done, done.Progress)
	}
	whole(t, filepath.Join(s.folder, "a.upscaled.mkv"), s.record(job.ID), short)
	clean(t, s.folder, "a.mkv", "a.upscaled.mkv")
	if _, err := s.Add(t.Context(), Order{Source: source}); err == nil {
		t.Error("the output was ordered again")
	} else {
		refused(t, err, problem.OutputExists)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	s := setUp(t)
	job := s.order(Order{Source: s.film("a.mkv", long)})
	running := s.until(job.ID, working)
	entry, err := s.sessions.Find(running.Session)
	if err != nil || entry.Kind() != session.KindJob || entry.Snapshot().Progress == nil {
		t.Errorf("session %q: %v", running.Session, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	got, err := s.Cancel(ctx, job.ID)
	if err != nil || got.State != StateCancelled {
		t.Errorf("%s: %v", got.State, err)
	}
	clean(t, s.folder, "a.mkv")
	if got, err := s.Cancel(t.Context(), job.ID); err != nil || got.State != StateCancelled {
		t.Errorf("again: %s, %v", got.State, err)
	}
	_, err = s.Cancel(t.Context(), "nobody")
	refused(t, err, problem.JobUnknown)
}
