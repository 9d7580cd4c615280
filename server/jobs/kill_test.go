package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// victimEnv makes the test binary a process that does jobs, and says when it is to
// be killed: FOLDER STEP HOST.
const victimEnv = "UPSCALED_TEST_VICTIM"

// TestVictim is the process of TestKilledAtEachStep, and no test by itself.
func TestVictim(t *testing.T) {
	setting, ok := os.LookupEnv(victimEnv)
	if !ok {
		t.Skip("it is a part of TestKilledAtEachStep")
	}
	parts := strings.Fields(setting)
	left, err := strconv.Atoi(parts[1])
	must(t, err)
	var mu sync.Mutex
	s := setUp(t, func(o *Options) {
		hosts, err := source.NewHosts([]string{parts[2]})
		must(t, err)
		o.Path, o.Hosts = filepath.Join(parts[0], "store"), hosts
		o.step = func(string) {
			mu.Lock()
			defer mu.Unlock()
			if left--; left == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // of oneself
				select {}
			}
		}
	}, func(o *Options) { atFolder(t, o, parts[0]) })
	events := s.Subscribe()
	defer events.Close()
	for {
		done := s.Counts()
		if done.States[StateDone] == len(killFilms) && done.Pending == 0 {
			return
		}
		if done.States[StateFailed] > 0 {
			list, _ := s.List(Filter{})
			t.Fatalf("%+v", list)
		}
		if len(s.jobsOf(t)) == 0 {
			_, err := s.Add(t.Context(), Order{Source: "films", Webhook: &OrderHook{URL: "http://" + parts[2] + "/hook", Secret: "0123456789abcdef"}})
			must(t, err)
		}
		if _, err := events.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *stage) jobsOf(t *testing.T) []Job {
	t.Helper()
	list, err := s.List(Filter{})
	must(t, err)
	return list.Jobs
}

// atFolder gives a Queue a root that lasts.
func atFolder(t *testing.T, o *Options, folder string) {
	t.Helper()
	sources, err := source.New(source.Options{
		Roots: map[string]string{"films": filepath.Join(folder, "films")}, Limits: source.DefaultLimits(), Log: o.Log,
	})
	must(t, err)
	o.Sources = sources
	films := o.Starter.(session.Films)
	films.Sources = sources
	o.Starter = films
}

var killFilms = map[string]workertest.Film{
	"a.mkv": {Duration: workertest.Length(2 * time.Second), Block: 100},
	"b.mkv": {Duration: workertest.Length(3 * time.Second), Block: 100},
}

// TestKilledAtEachStep kills a process that does jobs at each of the points at which
// something else is on the disk, starts it again, and looks what becomes of the jobs:
// none is lost, none is done twice, and a name has a whole file or none.
func TestKilledAtEachStep(t *testing.T) {
	delivered := newReceiver(t)
	for step := 1; ; step++ {
		folder := t.TempDir()
		must(t, os.Mkdir(filepath.Join(folder, "films"), 0o755))
		for name, film := range killFilms {
			must(t, os.WriteFile(filepath.Join(folder, "films", name), film.Bytes(), 0o600))
		}
		killed := victim(t, folder, step, delivered.host)
		check(t, folder, step, false)
		if !killed {
			if t.Logf("there are %d steps", step-1); step < 20 {
				t.Error("some of them are not seen")
			}
			return
		}
		if victim(t, folder, 0, delivered.host) {
			t.Fatalf("step %d: killed without a reason", step)
		}
		check(t, folder, step, true)
		if got := delivered.take(); len(got) != len(killFilms) {
			t.Errorf("step %d: told of %v", step, got)
		}
	}
}

// victim runs the process, and reports whether it was killed.
func victim(t *testing.T, folder string, step int, host string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", victimEnv, folder, step, host))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	t.Fatalf("step %d: %v\n%s", step, err, out)
	return false
}

// check looks at what is there after a kill, or when all is done.
func check(t *testing.T, folder string, step int, over bool) {
	t.Helper()
	s, err := openStore(filepath.Join(folder, "store"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.load()
	must(t, errors.Join(err, s.close()))
	entries, err := os.ReadDir(filepath.Join(folder, "films"))
	must(t, err)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && over {
			t.Errorf("step %d: %s is left", step, name)
		}
		base, is := strings.CutSuffix(name, ".upscaled.mkv")
		if !is {
			continue
		}
		for _, r := range all.jobs {
			if r.Task.Name == name {
				whole(t, filepath.Join(folder, "films", name), r, killFilms[base+".mkv"])
			}
		}
	}
	if !over {
		return
	}
	if len(all.jobs) != len(killFilms) || len(all.messages) != 0 {
		t.Errorf("step %d: %d jobs, %d messages", step, len(all.jobs), len(all.messages))
	}
	for _, r := range all.jobs {
		if r.State != StateDone || r.Delivery.State != DeliveryDelivered || r.Attempts > 2 {
			t.Errorf("step %d: %s is %s after %d attempts, its message %+v", step, r.Task.Name, r.State, r.Attempts, r.Delivery)
		}
	}
}

// receiver takes messages.
type receiver struct {
	host string
	mu   sync.Mutex
	got  map[string]int // guarded by mu: messages by job
	last []byte         // guarded by mu
	// answer is asked for the status of an answer; nil: always 204.
	answer func(n int) int
	calls  int // guarded by mu
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: map[string]int{}}
	web := httptest.NewServer(r)
	t.Cleanup(web.Close)
	r.host = strings.TrimPrefix(web.URL, "http://")
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	var m struct {
		Event string
		Job   Job
	}
	signature := q.Header.Get(SignatureHeader)
	seconds, _ := strconv.ParseInt(strings.TrimPrefix(strings.Split(signature, ",")[0], "t="), 10, 64)
	signed := signature == Sign("0123456789abcdef", time.Unix(seconds, 0), body)
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusNoContent
	if r.calls++; r.answer != nil {
		status = r.answer(r.calls)
	}
	if json.Unmarshal(body, &m) != nil || !signed || m.Job.ID != q.Header.Get(DeliveryHeader) || m.Event != "job."+string(m.Job.State) {
		status = http.StatusBadRequest
	}
	if status == http.StatusNoContent {
		r.got[m.Job.ID]++
		r.last = bytes.Clone(body)
	}
	w.WriteHeader(status)
}

// take returns what came, and forgets it.
func (r *receiver) take() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = map[string]int{}
	return got
}
