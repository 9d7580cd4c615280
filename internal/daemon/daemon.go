package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/server/config"
)

const (
	// starting bounds the time until the server listens.
	starting = 15 * time.Second
	// stopping bounds the time from SIGTERM to the end; the drain is 0.
	stopping = 20 * time.Second
)

// Options say what is started.
type Options struct {
	Folder string // of the programs upscaled-server and upscaled
	Films  string // folder of the root "films"
	Cache  string // folder of the cache
	// Temporary is TMPDIR of the server and its workers, "" for this process's.
	Temporary string
	Set       map[string]string // further keys of the configuration, as in "workers.spare"
	Log       io.Writer         // gets the server's log; nil: it is lost
}

// Daemon is a server that runs.
type Daemon struct {
	*Client
	Process Process // the server's
	Spare   int     // workers.spare

	cmd  *exec.Cmd
	gone chan struct{} // closed when the process is reaped

	mu   sync.Mutex
	last string // guarded by mu; line of the log
}

// Start starts a server and returns when it listens. Stop must be called.
func Start(ctx context.Context, o Options) (*Daemon, error) {
	// Its end is Stop's to bring about: the server has workers to end.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(o.Folder, "upscaled-server")) //nolint:gosec // who measures or tests names the folder
	cmd.Env = o.environment()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the server was not started: %w", err)
	}
	d := &Daemon{cmd: cmd, Process: Process(cmd.Process.Pid), Spare: o.spare(), gone: make(chan struct{})}
	address := make(chan string, 1)
	go func() {
		d.read(stderr, o.Log, address)
		_ = cmd.Wait() // how it ended is asked of ProcessState
		close(d.gone)
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, starting, errors.New("the server does not listen"))
	defer cancel()
	select {
	case at := <-address:
		d.Client = &Client{base: at, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
		return d, nil
	case <-d.gone:
		return nil, fmt.Errorf("the server ended at once: %s", d.said())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), d.Stop())
	}
}

// environment returns this process's variables without what would configure the
// server, and those of o.
func (o Options) environment() []string {
	var env []string
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		ours := strings.HasPrefix(name, "UPSCALED_") && name != "UPSCALED_ORT_LIBRARY"
		if !ours && name != "API_TOKEN" {
			env = append(env, setting)
		}
	}
	set := map[string]string{
		"listen": "127.0.0.1:0", "webrtc.port": "0", "log.format": "json", "shutdown.drain": "0s",
		"media.roots": "films=" + o.Films, "cache.path": o.Cache, "jobs.path": o.Cache + ".jobs",
	}
	for key, value := range o.Set {
		set[key] = value
	}
	if o.Temporary != "" {
		env = append(env, "TMPDIR="+o.Temporary)
	}
	for key, value := range set {
		env = append(env, "UPSCALED_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"="+value)
	}
	return env
}

// spare returns the number of idle workers that the server keeps.
func (o Options) spare() int {
	if set, err := strconv.Atoi(o.Set["workers.spare"]); err == nil {
		return set
	}
	return config.Defaults().Workers.Spare
}

// read reads the server's log to its end, and tells the address that it names.
func (d *Daemon) read(stderr io.Reader, to io.Writer, address chan<- string) {
	if to == nil {
		to = io.Discard
	}
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			_, _ = to.Write(line) // whoever reads the log sees what is missing
			d.mu.Lock()
			d.last = string(line)
			d.mu.Unlock()
			var entry struct{ Msg, Address string }
			if json.Unmarshal(line, &entry) == nil && entry.Msg == "listening" {
				select {
				case address <- entry.Address:
				default: // it listens once
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// said returns the last line of the log.
func (d *Daemon) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.TrimSpace(d.last)
}

// Stop ends the server as a service manager does, and returns when it is gone. An
// error says that it had to be killed, or ended with a status.
func (d *Daemon) Stop() error {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // one that has ended is met below
	select {
	case <-d.gone:
	case <-time.After(stopping):
		_ = d.cmd.Process.Kill() // likewise
		<-d.gone
		return fmt.Errorf("the server did not end within %s of SIGTERM", stopping)
	}
	if d.Client != nil {
		d.http.CloseIdleConnections()
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("the server ended with %s: %s", d.cmd.ProcessState, d.said())
	}
	return nil
}

// Gone is closed when the server has ended.
func (d *Daemon) Gone() <-chan struct{} { return d.gone }
