package server

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// until asks for a job until it is as wished.
func (d *daemon) until(id string, is func(jobs.Job) bool) jobs.Job {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		job := want[jobs.Job](d.t, d.ask("GET", "/v1/jobs/"+id, ""), 200)
		if is(job) {
			return job
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the job is %+v", job)
		}
	}
}

func (d *daemon) order(document string) jobs.Job {
	d.t.Helper()
	return want[jobs.Added](d.t, d.ask("POST", "/v1/jobs", document), 201).Jobs[0]
}

// TestJobGivesWayToASession plays a film while a job runs.
func TestJobGivesWayToASession(t *testing.T) {
	d := begin(t, settings(t))
	job := d.order(`{"source":"` + d.add("job.mkv", workertest.Film{Duration: workertest.Length(time.Hour), Speed: 20}) + `"}`)
	running := d.until(job.ID, func(j jobs.Job) bool {
		return j.State == jobs.StateRunning && j.Progress != nil && j.Progress.Position > 0
	})
	as := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+running.Session, ""), 200)
	if as.Kind != "job" || as.State != "playing" || as.Progress == nil || as.URLs != nil {
		t.Errorf("%+v", as)
	}
	watched := d.play(d.add("film.mkv", workertest.Film{}))
	paused := d.until(job.ID, func(j jobs.Job) bool { return j.State == jobs.StatePaused })
	if paused.Waiting != jobs.WaitingSessions {
		t.Errorf("waiting for %q", paused.Waiting)
	}
	if got := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+running.Session, ""), 200); got.State != "paused" {
		t.Errorf("its session is %s", got.State)
	}
	if core, _ := d.sessions.Load(); core != 500 {
		t.Errorf("%g ms are booked, and the session alone needs 500", core)
	}
	d.ask("DELETE", "/v1/sessions/"+watched.ID, "")
	d.until(job.ID, func(j jobs.Job) bool { return j.State == jobs.StateRunning })
	d.ask("DELETE", "/v1/sessions/"+running.Session, "") // of the job's session: it is cancelled
	d.until(job.ID, func(j jobs.Job) bool { return j.State == jobs.StateCancelled })
	if _, err := os.Stat(filepath.Join(d.films, "job.upscaled.mkv")); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// TestJobsTakeNobodysPlace has jobs in all places, and on all of the machine where
// they do not yield; a film that is watched, and a transcode, get in at once.
func TestJobsTakeNobodysPlace(t *testing.T) {
	for _, yield := range []bool{true, false} {
		t.Run(fmt.Sprintf("yield %t", yield), func(t *testing.T) {
			c := settings(t)
			c.Sessions.Max, c.Jobs.Concurrency, c.Jobs.Yield, c.Jobs.Share = 1, 1, yield, 1
			d := begin(t, c)
			job := d.order(`{"source":"` + d.add("job.mkv", workertest.Film{Duration: workertest.Length(time.Hour), Speed: 20, Cost: 1e6}) + `"}`)
			runs := func(j jobs.Job) bool { return j.State == jobs.StateRunning }
			d.until(job.ID, runs)
			watched := d.play(d.add("film.mkv", workertest.Film{}))
			if paused := d.until(job.ID, func(j jobs.Job) bool { return j.State == jobs.StatePaused }); paused.Waiting != jobs.WaitingSessions {
				t.Errorf("waiting for %q", paused.Waiting)
			}
			if a := d.ask("POST", "/v1/sessions", `{"source":"films/film.mkv"}`); a.status != 503 {
				t.Errorf("a second session of one is answered with %d", a.status)
			}
			d.ask("DELETE", "/v1/sessions/"+watched.ID, "")
			d.until(job.ID, runs)
			response := d.put("", bytes.NewReader(upload(workertest.Film{}, nil)))
			if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, workertest.Transcoded(plain(), workertest.Film{}, nil)) {
				t.Errorf("status %d, %v: %.300s", response.StatusCode, err, got)
			}
			d.until(job.ID, runs)
		})
	}
}

// TestJobGoesOnAfterTheNextStart ends a server in the midst of a job.
func TestJobGoesOnAfterTheNextStart(t *testing.T) {
	c := settings(t)
	var id string
	t.Run("first", func(t *testing.T) {
		d := begin(t, c)
		id = d.order(`{"source":"` + d.add("a.mkv", workertest.Film{Duration: workertest.Length(10 * time.Second), Speed: 10}) + `"}`).ID
		d.until(id, func(j jobs.Job) bool { return j.Progress != nil && j.Progress.Position > 0 })
	})
	folder := c.Media.Roots[0].Path
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the first server leaves %v, %v", entries, err)
	}
	t.Run("second", func(t *testing.T) {
		d := begin(t, c)
		if done := d.until(id, func(j jobs.Job) bool { return j.State.Over() }); done.State != jobs.StateDone || done.Attempts != 2 {
			t.Errorf("%+v", done)
		}
	})
	if info, err := os.Stat(filepath.Join(folder, "a.upscaled.mkv")); err != nil || info.Size() < 240*4096 {
		t.Errorf("%v, %v", info, err)
	}
}
