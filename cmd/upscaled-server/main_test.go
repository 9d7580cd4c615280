package main

import (
	"bufio"
	"bytes"
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
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait, on a machine that may be busy.
const patience = 20 * time.Second

// binary is the server as it is delivered.
var binary string

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(withBinary(m))
}

func withBinary(m *testing.M) int {
	folder, err := os.MkdirTemp("", "upscaled-server")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }() // it is temporary either way
	binary = filepath.Join(folder, "upscaled-server")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, ".") //nolint:noctx // there is no test yet
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	return m.Run()
}

// process is a server that runs, with the worker without GStreamer.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string
	films string
	lines *bufio.Scanner // of its log
}

func start(t *testing.T, settings ...string) *process {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	must(t, err)
	worker := filepath.Join(t.TempDir(), "upscaled")
	must(t, os.WriteFile(worker, fmt.Appendf(nil, "#!/bin/sh\nexport GORACE=atexit_sleep_ms=0 '%s'\nexec '%s'\n", workertest.Env(""), self), 0o700))
	p := &process{t: t, films: t.TempDir()}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), binary, "--listen", "127.0.0.1:0")
	p.cmd.Env = append(append(os.Environ(), "UPSCALED_LOG__FORMAT=json", "UPSCALED_WEBRTC__PORT=0", "UPSCALED_WORKERS__COMMAND="+worker,
		"UPSCALED_CACHE__PATH="+filepath.Join(t.TempDir(), "cache"), "UPSCALED_JOBS__PATH="+filepath.Join(t.TempDir(), "jobs"),
		"UPSCALED_MEDIA__ROOTS=films="+p.films), settings...)
	stderr, err := p.cmd.StderrPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() }) // it may be gone
	p.lines = bufio.NewScanner(stderr)
	p.url = p.log("listening")["address"]
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// log waits for a line of the log with a message.
func (p *process) log(message string) map[string]string {
	p.t.Helper()
	for p.lines.Scan() {
		var line map[string]any
		if json.Unmarshal(p.lines.Bytes(), &line) == nil && line["msg"] == message {
			text := map[string]string{}
			for k, v := range line {
				text[k] = fmt.Sprint(v)
			}
			return text
		}
	}
	p.t.Fatalf("the log ends without %q", message)
	return nil
}

// ask sends a request and returns the answer, which must be a success.
func (p *process) ask(method, path, document string) map[string]any {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(document))
	must(p.t, err)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultTransport.RoundTrip(r)
	must(p.t, err)
	data, err := io.ReadAll(response.Body)
	must(p.t, errors.Join(err, response.Body.Close()))
	if response.StatusCode >= 300 {
		p.t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, data)
	}
	var answer map[string]any
	if len(data) > 0 && json.Unmarshal(data, &answer) != nil {
		return map[string]any{"text": string(data)}
	}
	return answer
}

// play creates a session and returns its master playlist's URL.
func (p *process) play(film workertest.Film) string {
	p.t.Helper()
	must(p.t, os.WriteFile(filepath.Join(p.films, "a.mkv"), film.Bytes(), 0o600))
	urls, _ := p.ask("POST", "/v1/sessions", `{"source":"films/a.mkv"}`)["urls"].(map[string]any)
	return p.url + urls["master"].(string)
}

// children returns the processes that the server has started.
func (p *process) children() []int {
	p.t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	must(p.t, err)
	var pids []int
	for _, list := range lists {
		data, _ := os.ReadFile(list) // the thread may have ended
		for _, field := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(field)
			must(p.t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone waits until no process has one of the numbers.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		left := 0
		for _, pid := range pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) && !zombie(pid) {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %v are left", left, pids)
		}
	}
}

// zombie reports whether a process has ended and nobody has asked how. Who
// inherits orphans here may not do so.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := bytes.Cut(data, []byte(") "))
	return bytes.HasPrefix(rest, []byte("Z"))
}

// status returns a figure of /proc/PID/status in kB.
func (p *process) status(key string) int {
	p.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	must(p.t, err)
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			must(p.t, err)
			return n
		}
	}
	p.t.Fatalf("no %s", key)
	return 0
}

// TestServerLoadsNothing reads the memory map of a server that plays: neither
// GStreamer nor ONNX Runtime nor any shared library is in it, and idle it is small.
func TestServerLoadsNothing(t *testing.T) {
	p := start(t)
	for deadline := time.Now().Add(patience); !bytes.Contains([]byte(p.ask("GET", "/metrics", "")["text"].(string)), []byte(`upscaled_workers{state="spare"} 1`)); {
		if time.Now().After(deadline) {
			t.Fatal("no spare worker")
		}
	}
	rss := p.status("VmRSS")
	t.Logf("%d kB resident, idle with a spare worker", rss)
	if rss > 40<<10 {
		t.Errorf("%d kB resident, idle", rss)
	}
	p.play(workertest.Film{})
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(maps)) {
		for _, library := range []string{"libgst", "libglib", "libonnxruntime", "libc.so", "libc-", "ld-linux", ".so"} {
			if strings.Contains(line, library) {
				t.Errorf("it has loaded %s", line)
			}
		}
	}
	if !bytes.Contains(maps, []byte(binary)) {
		t.Error("the map is not the server's")
	}
}

// TestNobodyReadsItsSecrets has a process of the server's own user, as a worker is, read its environment. Root may read all,
// so that both are somebody else's where the test is root's.
func TestNobodyReadsItsSecrets(t *testing.T) {
	folder, err := os.MkdirTemp("", "upscaled-server-test-") //nolint:usetesting // that of the test is its user's alone
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(folder)) })
	own := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		const nobody = 65534
		own.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		must(t, errors.Join(os.Chown(folder, nobody, nobody), os.Chmod(filepath.Dir(binary), 0o711))) //nolint:gosec // so that nobody runs it
	}
	server := exec.CommandContext(t.Context(), binary, "--listen", "127.0.0.1:0")
	server.SysProcAttr = own
	server.Env = []string{
		"UPSCALED_LOG__FORMAT=json", "UPSCALED_WEBRTC__PORT=0", "UPSCALED_WORKERS__COMMAND=/bin/false", "UPSCALED_AUTH__TOKEN=0123456789abcdef0123456789abcdef",
		"UPSCALED_CACHE__PATH=" + filepath.Join(folder, "cache"), "UPSCALED_JOBS__PATH=" + filepath.Join(folder, "jobs"),
	}
	stderr, err := server.StderrPipe()
	must(t, err)
	must(t, server.Start())
	p := &process{t: t, cmd: server, lines: bufio.NewScanner(stderr)}
	p.log("listening")
	for _, name := range []string{"environ", "mem", "maps"} {
		read := exec.CommandContext(t.Context(), "head", "-c", "1", fmt.Sprintf("/proc/%d/%s", server.Process.Pid, name))
		read.SysProcAttr = own
		if out, err := read.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("ermission denied")) {
			t.Errorf("%s can be read: %q, %v", name, out, err)
		}
	}
	_ = server.Process.Kill()
	_ = server.Wait() // of the kill
}

// TestPlayersReadWhatItServes has ffprobe read a session from the master playlist.
func TestPlayersReadWhatItServes(t *testing.T) {
	tool, err := exec.LookPath("ffprobe")
	if err != nil {
		t.Fatalf("%v (deploy/install-deps.sh test installs it)", err)
	}
	p := start(t)
	url := p.play(workertest.Film{
		Duration: workertest.Length(6 * time.Second), Rate: [2]int{24000, 1001}, Audio: []workertest.Sound{{}},
	})
	out, err := exec.CommandContext(t.Context(), tool, "-v", "error", "-count_packets", "-of", "json",
		"-show_entries", "stream=codec_name,width,height,nb_read_packets", "-i", url).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var found struct {
		Streams []struct {
			Codec         string `json:"codec_name"`
			Width, Height int
			Packets       string `json:"nb_read_packets"`
		}
	}
	must(t, json.Unmarshal(out, &found))
	packets := map[string]string{}
	for _, s := range found.Streams {
		packets[s.Codec] = s.Packets
		if s.Codec == "h264" && (s.Width != 480 || s.Height != 268) {
			t.Errorf("%d×%d", s.Width, s.Height)
		}
	}
	if packets["h264"] != "144" || packets["aac"] != "282" {
		t.Errorf("%s", out)
	}
}

// TestTermDrains sends SIGTERM: sessions go on, no others come, and the second
// signal ends all.
func TestTermDrains(t *testing.T) {
	p := start(t, "UPSCALED_SHUTDOWN__DRAIN=5m")
	p.play(workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1})
	workers := p.children()
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if line := p.log("draining"); line["sessions"] != "1" {
		t.Errorf("%v", line)
	}
	list, _ := p.ask("GET", "/v1/sessions", "")["sessions"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["state"] == "ended" {
		t.Errorf("%v", list)
	}
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	if line := p.log("session ended"); line["cause"] != "shutdown" {
		t.Errorf("%v", line)
	}
	p.log("ended")
	must(t, p.cmd.Wait())
	if len(workers) == 0 {
		t.Error("there was no worker")
	}
	gone(t, workers)
}

// TestTermWithoutSessions ends at once, with status 0.
func TestTermWithoutSessions(t *testing.T) {
	p := start(t, "UPSCALED_SHUTDOWN__DRAIN=5m")
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.log("ended")
	must(t, p.cmd.Wait())
}

// TestKillLeavesNoWorker kills the server without a word.
func TestKillLeavesNoWorker(t *testing.T) {
	p := start(t)
	p.play(workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1})
	workers := p.children()
	if len(workers) == 0 {
		t.Fatal("there is no worker")
	}
	must(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait() // it was killed
	gone(t, workers)
}

func TestCommandLine(t *testing.T) {
	run := func(args ...string) (string, int) {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = append(os.Environ(), "UPSCALED_LISTEN=0.0.0.0:80")
		out, _ := cmd.CombinedOutput() // the status tells
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, row := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--version"}, 0, "upscaled-server "},
		{[]string{"version"}, 0, "upscaled-server "},
		{[]string{"--help"}, 0, "Run the server"},
		{[]string{"openapi"}, 0, `"openapi": "3.1.0"`},
		{nil, 2, "listen: must be a loopback address"},
		{[]string{"--no-such-flag"}, 2, "unknown flag"},
		{[]string{"--listen", "x"}, 2, "listen: must be host:port"},
		{[]string{"--config", "/no/such/file"}, 2, "no such file"},
	} {
		if out, status := run(row.args...); status != row.status || !strings.Contains(out, row.says) {
			t.Errorf("%v: status %d, %.200q", row.args, status, out)
		}
	}
}
