//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/upscaled-media/upscaled/internal/daemon"
)

// token is that of every server.
const token = "a-token-for-tests-alone"

// server is a running upscaled-server with workers of its own.
type server struct {
	t     testing.TB
	how   daemon.Options // it is run
	run   *daemon.Daemon
	films string // folder of the root "films"
	cache string
	open  int // descriptors of the server before the first session
	log   *journal
}

// settings are keys of the configuration.
type settings map[string]string

// start runs a server until the test ends, and checks then that it leaves nothing
// behind.
func start(t testing.TB, more settings) *server {
	t.Helper()
	must(t, build())
	d := &server{t: t, films: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache"), log: &journal{}}
	set := settings{
		"auth.token": token, "models.path": modelFolder(t), "models.default": doubling,
		"admission.share": "1", "sessions.max": "64", // the films are tiny
		"log.level": "debug", // which requests were refused
	}
	maps.Copy(set, more)
	d.how = daemon.Options{Folder: programs, Films: d.films, Cache: d.cache, Set: set, Log: d.log}
	d.begin()
	t.Cleanup(d.end)
	d.warm()
	return d
}

// begin runs the server, anew after its end.
func (d *server) begin() {
	d.t.Helper()
	var err error
	d.run, err = daemon.Start(d.t.Context(), d.how)
	must(d.t, err)
}

// warm waits until the server is as it is when nothing is asked of it.
func (d *server) warm() {
	d.t.Helper()
	eventually(d.t, "a worker is warm, and the one that measures the machine is gone", func() bool {
		h := get[hardware](d, "/v1/hardware")
		return h.Workers.Spare == 1 && h.Workers.Starting+h.Workers.Running == 0
	})
	d.open = d.descriptors()
}

// hardware is what tests read of /v1/hardware.
type hardware struct {
	Workers struct{ Spare, Running, Starting int }
}

// end ends what runs, and checks that nothing is left.
func (d *server) end() {
	defer func() {
		for _, line := range d.log.severe() {
			d.t.Errorf("logged: %s", line)
		}
		if d.t.Failed() {
			lines := slices.Collect(strings.Lines(d.log.String()))
			d.t.Logf("the server's log ends:\n%s", strings.Join(lines[max(0, len(lines)-20):], ""))
		}
	}()
	for _, s := range get[struct{ Sessions []session }](d, "/v1/sessions").Sessions {
		d.ask("DELETE", "/v1/sessions/"+s.ID, nil, nil)
	}
	eventually(d.t, "the spare worker alone runs, and all descriptors are closed", func() bool {
		h := get[hardware](d, "/v1/hardware")
		return h.Workers.Spare == 1 && h.Workers.Running+h.Workers.Starting == 0 && len(d.workers()) == 1 && d.descriptors() <= d.open
	})
	workers := d.workers()
	if err := d.run.Stop(); err != nil {
		d.t.Error(err)
	}
	for _, worker := range workers {
		if worker.Lives() {
			d.t.Errorf("worker %d is still there", worker)
		}
	}
	_ = filepath.WalkDir(d.cache, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil && info.Size() > 0 { // a lock file is empty
				d.t.Errorf("%s is left of the cache", path)
			}
		}
		return nil // what is gone is not left
	})
}

// descriptors counts those that the server has open, with that of the question.
func (d *server) descriptors() int {
	d.t.Helper()
	client.CloseIdleConnections()
	return d.metric("process_open_fds") // its /proc/PID/fd is for nobody else
}

// workers returns the processes that the server started.
func (d *server) workers() []daemon.Process {
	d.t.Helper()
	all, err := d.run.Process.Children()
	must(d.t, err)
	return all
}

// within returns the server for a subtest.
func (d *server) within(t testing.TB) *server {
	t.Helper()
	inner := *d
	inner.t = t
	return &inner
}

// context outlasts the test's own, which ends before its last deeds.
func (d *server) context() context.Context { return context.WithoutCancel(d.t.Context()) }

// journal keeps a server's log.
type journal struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// String returns the whole log.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// severe returns the lines that tell of errors, and what is no line of the log: the
// traces of a crash.
func (j *journal) severe() (found []string) {
	for line := range strings.Lines(j.String()) {
		var entry struct{ Level string }
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Level == "ERROR" {
			found = append(found, line)
		}
	}
	return found
}

// refused counts the requests for a session that were not answered with all that
// was asked for.
func (j *journal) refused(id string) (n int) {
	for line := range strings.Lines(j.String()) {
		var entry struct {
			Msg, Session string
			Status       int
			Error        string
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "request answered" && entry.Session == id &&
			(entry.Status != http.StatusOK || entry.Error != "") {
			n++
		}
	}
	return n
}
