package pool

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/worker/workertest"
)

// serverVariable makes this test binary a server that is to be killed.
const serverVariable = "UPSCALED_POOLTEST"

// serveUntilKilled runs two pools and tells of a worker: the other's process looks
// at no socket, and so learns of the server's end from the kernel alone.
func serveUntilKilled() int {
	o := options("")
	o.Spare = 2
	p, err := New(o)
	if err != nil {
		return 1
	}
	o.Command, o.Spare, o.Start = []string{"sleep", "1000"}, 1, time.Hour
	other, err := New(o)
	if err != nil {
		return 1
	}
	go func() { _ = other.Run(context.Background()) }() // until it is killed
	go func() {
		for eventually(func() bool { return p.Counts().Spare == 2 }) {
			w, err := p.Take(context.Background(), "s", newSession())
			if err != nil {
				return
			}
			_, _ = fmt.Fprintln(os.Stdout, "taken", w.PID())
			<-w.done
		}
	}()
	_ = p.Run(context.Background()) // likewise
	return 1
}

// TestWorkersDieWithTheServer kills a server that has spares and a session.
func TestWorkersDieWithTheServer(t *testing.T) {
	adopt(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	var workers []int // two spares, one with a session, and the sleeping one
	if !eventually(func() bool { workers = children(t, cmd.Process.Pid); return len(workers) == 4 }) {
		t.Fatalf("the server has workers %v", workers)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	for _, pid := range workers {
		if !eventually(func() bool {
			reaped, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
			return reaped == pid && err == nil
		}) {
			t.Errorf("worker %d outlives the server", pid)
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// adopt has this process get the children of those that end, so that it can see
// them end, and leaves no zombie where nobody else reaps.
func adopt(t *testing.T) {
	t.Helper()
	set := func(on uintptr) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, on, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// TestConfinement looks at a worker from outside.
func TestConfinement(t *testing.T) {
	t.Setenv("UPSCALED_AUTH__TOKEN", "secret")
	t.Setenv("API_TOKEN", "secret")
	t.Setenv("GST_DEBUG", "1")
	r := run(t, options(""))
	w := r.take(newSession())
	proc := fmt.Sprintf("/proc/%d/", w.PID())
	read := func(name string) string {
		b, err := os.ReadFile(proc + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if environ := read("environ"); strings.Contains(environ, "secret") || !strings.Contains(environ, "GST_DEBUG=1") {
		t.Errorf("the environment is %q", environ)
	}
	if !strings.Contains(read("status"), "NoNewPrivs:\t1\n") {
		t.Error("it may gain privileges")
	}
	if n := unprivileged(t); n != 1 {
		t.Errorf("%d threads of the server have lost the right to gain privileges, not the starter's alone", n)
	}
	limits := strings.Split(read("limits"), "\n")
	if i := slices.IndexFunc(limits, func(l string) bool { return strings.HasPrefix(l, "Max core file size") }); i < 0 || strings.Fields(limits[i])[4] != "0" {
		t.Errorf("it may leave a core: %q", limits)
	}
	want, err := oomScore()
	if err != nil || strings.TrimSpace(read("oom_score_adj")) != fmt.Sprint(want) {
		t.Errorf("oom_score_adj is %s, want %d, %v", read("oom_score_adj"), want, err)
	}
	if session, err := syscall.Getpgid(w.PID()); err != nil || session != w.PID() {
		t.Errorf("it is in group %d, %v", session, err)
	}
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		target, _ := os.Readlink(proc + "fd/" + entry.Name()) // it may close some
		if !strings.HasPrefix(target, "socket:") && !strings.HasPrefix(target, "pipe:") && !strings.HasPrefix(target, "anon_inode:") &&
			!strings.HasPrefix(target, "/dev/null") && !strings.HasPrefix(target, "/sys/fs/cgroup/") && target != "" {
			t.Errorf("it holds %s", target)
		}
	}
}

// unprivileged counts the threads of this process that cannot gain privileges.
func unprivileged(t *testing.T) int {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, thread := range threads {
		status, _ := os.ReadFile(thread) // it may have ended
		n += strings.Count(string(status), "NoNewPrivs:\t1\n")
	}
	return n
}

// TestStarterLeavesTheMainThread starts pools from the thread that stays.
func TestStarterLeavesTheMainThread(t *testing.T) {
	for range 20 {
		r := run(t, options(""))
		r.until("a spare", func(c Counts) bool { return c.Spare == 1 })
		r.stop()
	}
	if status, err := os.ReadFile("/proc/self/status"); err != nil || !strings.Contains(string(status), "NoNewPrivs:\t0\n") {
		t.Errorf("the main thread cannot gain privileges, %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{
		"PATH=/bin", "HOME=/h", "UPSCALED_AUTH__TOKEN=x", "API_TOKEN=x", "LC_ALL=C", "GST_PLUGIN_PATH=/p", "GSTX=1", "AWS_SECRET=x",
		"UPSCALED_ORT_LIBRARY=/l", "PATHX=1", "=x", "LD_LIBRARY_PATH=/cuda", "CUDA_VISIBLE_DEVICES=1", "VK_DRIVER_FILES=/v",
	})
	want := []string{
		"PATH=/bin", "HOME=/h", "LC_ALL=C", "GST_PLUGIN_PATH=/p", "UPSCALED_ORT_LIBRARY=/l", "LD_LIBRARY_PATH=/cuda", "CUDA_VISIBLE_DEVICES=1",
		"VK_DRIVER_FILES=/v", arenas,
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestGrandchildrenEnd starts a process that leaves another behind which holds all
// that it inherited.
func TestGrandchildrenEnd(t *testing.T) {
	o := options("")
	o.Command = []string{"/bin/sh", "-c", "sleep 1000 & echo $! >&2; exit 7"}
	var log lockedBuffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := run(t, o)
	r.until("a failure", func(c Counts) bool { return c.Lost[ReasonExited] > 0 })
	pid := 0
	_, rest, _ := strings.Cut(log.String(), "text=")
	if _, err := fmt.Sscan(rest, &pid); err != nil {
		t.Fatalf("%v in %s", err, log.String())
	}
	if !eventually(func() bool { return !alive(pid) }) {
		t.Errorf("process %d is left", pid)
	}
}

// lockedBuffer is a buffer for many goroutines.
type lockedBuffer struct {
	words
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// TestWordsAreBounded has a worker talk without an end.
func TestWordsAreBounded(t *testing.T) {
	var log lockedBuffer
	s := words{log: slog.New(slog.NewTextHandler(&log, nil))}
	long := strings.Repeat("x", 100<<10)
	s.copy(io.MultiReader(strings.NewReader(strings.Repeat("line\n", 10000)), strings.NewReader(long), strings.NewReader("\nthe end")))
	lines := strings.Count(log.String(), "worker says\"")
	if lines < lineRate || lines > 10*lineRate { // of however many seconds it takes
		t.Errorf("%d lines in the log", lines)
	}
	if !strings.Contains(log.String(), "lines_dropped=") {
		t.Error("nobody says that lines are missing")
	}
	if last := s.last(); len(last) > headBytes+tailBytes+100 || !strings.HasPrefix(last, "line\n") || !strings.HasSuffix(last, "the end") {
		t.Errorf("%d bytes are kept: %s", len(last), last)
	}
}

func TestNamesInTheLog(t *testing.T) {
	var log lockedBuffer
	o := options("")
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := run(t, o)
	s := newSession()
	w := r.take(s)
	play(t, w, workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Exit, After: 1}})
	if err := s.lost(t); err == nil {
		t.Error("a worker that exits is taken for closed")
	}
	for _, want := range []string{"text=\"worker: out of patience\"", "session=s1", "reason=exited"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is missing in\n%s", want, log.String())
		}
	}
}
