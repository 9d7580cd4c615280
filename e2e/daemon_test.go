//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// token is that of every daemon.
const token = "a-token-for-tests-alone"

// daemon is a running upscaled-server with workers of its own.
type daemon struct {
	t     testing.TB
	url   string
	films string // folder of the root "films"
	cache string
	pid   int
	open  int // descriptors of the server before the first session
	log   *journal

	ended chan error // takes the server's end
}

// settings are the configuration's keys, as of a YAML file, that a test wants other
// than start has them.
type settings map[string]any

// start runs a server until the test ends, and checks then that it leaves nothing
// behind.
func start(t testing.TB, more settings) *daemon {
	t.Helper()
	must(t, build())
	d := &daemon{t: t, films: t.TempDir(), cache: filepath.Join(t.TempDir(), "cache"), log: newJournal(t), ended: make(chan error, 1)}
	config := settings{
		"listen": "127.0.0.1:0",
		"auth":   settings{"token": token},
		"media":  settings{"roots": []settings{{"name": "films", "path": d.films}}},
		"cache":  settings{"path": d.cache},
		"models": settings{"path": modelFolder(t), "default": doubling},
		// The films are tiny; how many fit is tested elsewhere.
		"admission": settings{"share": 1},
		"sessions":  settings{"max": 64},
		"log":       settings{"format": "json"},
	}
	for key, value := range more {
		section, ok := value.(settings)
		if there, known := config[key].(settings); ok && known {
			for inner, value := range section {
				there[inner] = value
			}
			continue
		}
		config[key] = value
	}
	text, err := json.Marshal(config) // which YAML contains
	must(t, err)
	path := filepath.Join(t.TempDir(), "upscaled.yml")
	must(t, os.WriteFile(path, text, 0o600))
	d.run(path)
	eventually(t, "a worker is warm, and the machine's costs are measured", func() bool {
		h := get[hardware](d, "/v1/hardware")
		return h.Workers.Spare == 1 && h.Workers.Starting == 0 && len(h.Costs) > 0
	})
	d.open = d.descriptors()
	return d
}

// run starts the server and waits until it listens.
func (d *daemon) run(config string) {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(programs, "upscaled-server"), "--config", config) //nolint:gosec,noctx // its end is end's
	cmd.Stdout, cmd.Stderr = d.log, d.log
	// It must not outlive a test that dies. The kernel counts from the end of the
	// thread that started it, which so is kept until the server's own end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			d.ended <- cmd.Wait()
		}
	}()
	must(d.t, <-started)
	d.pid = cmd.Process.Pid
	d.t.Cleanup(d.end)
	select {
	case d.url = <-d.log.listening:
	case err := <-d.ended:
		d.t.Fatalf("the server ended: %v\n%s", err, d.log)
	case <-time.After(patience):
		d.t.Fatalf("the server does not listen\n%s", d.log)
	}
}

// hardware is what tests read of /v1/hardware.
type hardware struct {
	Workers struct{ Spare, Running, Starting int }
	Costs   []struct{ Model string }
}

// end ends what runs, and checks that nothing is left.
func (d *daemon) end() {
	defer func() {
		if d.t.Failed() {
			d.t.Logf("the server's log:\n%s", d.log)
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
	must(d.t, syscall.Kill(d.pid, syscall.SIGTERM))
	select {
	case err := <-d.ended:
		if err != nil {
			d.t.Errorf("the server ended with %v", err)
		}
	case <-time.After(patience):
		d.t.Errorf("the server does not end\n%s", d.log)
		must(d.t, syscall.Kill(d.pid, syscall.SIGKILL))
		<-d.ended
	}
	for _, pid := range workers {
		if err := syscall.Kill(pid, 0); err == nil {
			d.t.Errorf("worker %d is still there", pid)
		}
	}
	_ = filepath.WalkDir(d.cache, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil && info.Size() > 0 { // a lock file is empty
				d.t.Errorf("%s is left of the cache", path)
			}
		}
		return nil
	})
	for _, line := range d.log.severe() {
		d.t.Errorf("logged: %s", line)
	}
}

// descriptors counts those that the server has open.
func (d *daemon) descriptors() int {
	client.CloseIdleConnections()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.pid))
	must(d.t, err)
	return len(all)
}

// workers returns the processes that the server started (proc_pid_stat(5)).
func (d *daemon) workers() []int {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	must(d.t, err)
	var found []int
	for _, path := range all {
		data, err := os.ReadFile(path) //nolint:gosec // of the system
		if err != nil {
			continue // it has ended
		}
		// The name, which may have anything in it, ends with the last parenthesis.
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(d.pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			must(d.t, err)
			found = append(found, pid)
		}
	}
	return found
}

// journal takes a server's log.
type journal struct {
	listening chan string // takes the address

	write *io.PipeWriter
	mu    sync.Mutex
	lines []string // guarded by mu
}

// newJournal returns a journal that reads until the test ends.
func newJournal(t testing.TB) *journal {
	read, write := io.Pipe()
	j := &journal{listening: make(chan string, 1), write: write}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			j.take(lines.Text())
		}
	}()
	t.Cleanup(func() {
		_ = write.Close() // never fails
		<-done
	})
	return j
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) { return j.write.Write(p) }

func (j *journal) take(line string) {
	j.mu.Lock()
	j.lines = append(j.lines, line)
	j.mu.Unlock()
	var entry struct{ Msg, Address string }
	if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "listening" {
		j.listening <- entry.Address
	}
}

// severe returns the lines that tell of errors, and what is no line of the log: the
// traces of a crash.
func (j *journal) severe() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []string
	for _, line := range j.lines {
		var entry struct{ Level string }
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Level == "ERROR" {
			found = append(found, line)
		}
	}
	return found
}

// String returns the whole log.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}
