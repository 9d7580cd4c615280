//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// job is what tests read of a job.
type job struct {
	ID, State, Waiting, Source, Output string
	Attempts, Failures                 int
	Progress                           struct{ Position float64 }
	Failure                            struct{ Code string }
}

// over reports whether nothing happens to a job any more.
func (j job) over() bool { return slices.Contains([]string{"done", "failed", "cancelled"}, j.State) }

// job tells of a job.
func (d *server) job(id string) job { return get[job](d, "/v1/jobs/"+id) }

// add orders a job of a film and returns when it has made something.
func (d *server) add(film string) (id string) {
	d.t.Helper()
	var added struct{ Jobs []job }
	d.ask(http.MethodPost, "/v1/jobs", order{"source": "films/" + film, "speed": "best"}, &added)
	id = added.Jobs[0].ID
	eventually(d.t, "the job has made something", func() bool { return d.job(id).Progress.Position > 0 })
	return id
}

// done waits until a job is over, and checks that it made all of a film.
func (d *server) done(t *testing.T, id string, f film) {
	t.Helper()
	var j job
	eventually(t, "the job is over", func() bool { j = d.job(id); return j.over() })
	if j.State != "done" || j.Attempts != 2 {
		t.Fatalf("%+v", j)
	}
	f.inOrder(t, filepath.Join(d.films, strings.TrimPrefix(j.Output, "films/")), f.frames)
	d.holds(t, f.name, filepath.Base(j.Output))
}

// holds checks that the folder of the films has these files alone, hidden ones among them.
func (d *server) holds(t *testing.T, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(d.films)
	must(t, err)
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if slices.Sort(names); !slices.Equal(found, names) {
		t.Errorf("the folder has %q, want %q", found, names)
	}
}

// upscaled runs the command upon the server, and returns what it says.
func (d *server) upscaled(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(programs, "upscaled"), args...)
	command.Env = append(os.Environ(), "UPSCALED_TOKEN="+token)
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, said)
	}
	return string(said)
}

// length is that of films at which a job is still at work when it is looked for.
const length = 1500

func jobFilm(name string, frames int) film {
	return film{name: name, rate: testmedia.Ratio{Num: 25, Den: 1}, frames: frames, args: "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac"}
}

// TestJobs has the command order a film in each container and follow it to its end.
func TestJobs(t *testing.T) {
	d, f := start(t, nil), jobFilm("a.mp4", 60)
	f.draw(t, d.films)
	names := []string{f.name}
	for _, container := range []string{"mkv", "mp4", "ts"} {
		said := d.upscaled(t, "jobs", "--server", d.url(), "add", "films", "--match", f.name, "--container", container, "--watch")
		if !strings.Contains(said, "done") {
			t.Errorf("%s", said)
		}
		name := "a.upscaled." + container
		f.inOrder(t, filepath.Join(d.films, name), 60)
		names = append(names, name)
	}
	d.holds(t, names...)
}

// TestJobSurvivesAKill kills the server while a job runs. The next one makes it.
func TestJobSurvivesAKill(t *testing.T) {
	d, f := start(t, nil), jobFilm("a.mkv", length)
	f.draw(t, d.films)
	id := d.add(f.name)
	workers := d.workers()
	must(t, syscall.Kill(int(d.run.Process), syscall.SIGKILL))
	<-d.run.Gone()
	for _, w := range workers {
		eventually(t, "its workers are gone, too", func() bool { return !w.Lives() })
	}
	d.holds(t, f.name, fmt.Sprintf(".%s.part", id))
	d.begin()
	d.done(t, id, f)
	d.warm()
}

// busy starts a server that transcodes a film for curl while it does a job with the same
// film: id is the job's, and now tells of the transcode.
func busy(t *testing.T) (d *server, f film, id string, curl *exec.Cmd, now func() progress) {
	t.Helper()
	d, f = start(t, settings{"jobs.yield": "false"}), jobFilm("a.mkv", length)
	f.draw(t, d.films)
	id = d.add(f.name)
	curl, _, now = d.curl(filepath.Join(t.TempDir(), "out"), "", "-T", filepath.Join(d.films, f.name), "--limit-rate", "1M")
	return d, f, id, curl, now
}

// TestTermination ends the server while it transcodes, and while a job runs. The job is
// queued again, and the transcode's client is not told that it has all.
func TestTermination(t *testing.T) {
	d, f, id, curl, _ := busy(t)
	must(t, d.run.Stop())
	if err := curl.Wait(); err == nil {
		t.Error("curl takes the result for whole")
	}
	d.holds(t, f.name)
	d.begin()
	d.done(t, id, f)
	d.warm()
}

// TestWorkersAreKilled kills those of a transcode and of a job, as a system does that has
// no memory left. The transcode fails, and the job is tried again.
func TestWorkersAreKilled(t *testing.T) {
	d, f, id, curl, now := busy(t)
	for _, w := range d.workers() {
		must(t, syscall.Kill(int(w), syscall.SIGKILL))
	}
	if err := curl.Wait(); err == nil {
		t.Error("curl takes the result for whole")
	}
	eventually(t, "the transcode has ended", func() bool { return now().State == "ended" })
	if p := now(); p.Cause != "failed" || p.Failure.Code != "worker_failed" {
		t.Errorf("%+v", p)
	}
	eventually(t, "the job waits", func() bool { return d.job(id).Waiting == "retry" })
	if j := d.job(id); j.State != "queued" || j.Failures != 1 || j.Failure.Code != "worker_failed" {
		t.Errorf("%+v", j)
	}
	d.holds(t, f.name)
	if said := d.upscaled(t, "jobs", "--server", d.url(), "set", id, "--resume"); !strings.Contains(said, "queued") {
		t.Errorf("%s", said)
	}
	d.done(t, id, f)
}
