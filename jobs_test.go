package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/pipeline"
)

// TestJobs orders, watches, lists and cancels jobs of a real server from the command
// line, kills it in the midst of one, and counts the pictures of what comes out.
func TestJobs(t *testing.T) {
	dir := t.TempDir()
	counted(t, dir, 100)
	t.Setenv("UPSCALED_ORT_LIBRARY", library(t))
	start := func(set map[string]string) *daemon.Daemon {
		d, err := daemon.Start(t.Context(), daemon.Options{
			Folder: filepath.Dir(binary), Films: dir, Cache: filepath.Join(t.TempDir(), "cache"), Set: set,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Stop() }) // it may be gone
		return d
	}
	store := filepath.Join(t.TempDir(), "jobs")
	set := map[string]string{"jobs.path": store}
	d := start(set)
	run := func(args ...string) (stdout, stderr string, status int) {
		t.Helper()
		return upscaled(t, dir, append([]string{"jobs", "--server", "http://" + d.Address()}, args...)...)
	}
	if _, stderr, status := run("add", "films", "--match", "*.avi"); status != 0 || !strings.Contains(stderr, "nothing is ordered") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	stdout, stderr, status := run("add", "films/clip.mkv")
	id := strings.TrimSpace(stdout)
	if status != 0 || len(id) != 26 || !strings.Contains(stderr, "films/clip.mkv → films/clip.upscaled.mkv") {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	for deadline := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) { // its end is not far
		if half, err := os.Stat(filepath.Join(dir, "."+id+".part")); err == nil && half.Size() > 0 {
			break
		}
		if time.Now().After(deadline) {
			stdout, _, _ := run("list")
			t.Fatalf("the job makes nothing: %s", stdout)
		}
	}
	if err := syscall.Kill(int(d.Process), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-d.Gone()
	if _, stderr, status := run("list"); status != 60 {
		t.Errorf("status %d without a server\n%s", status, stderr)
	}
	if got := names(t, dir); strings.Contains(got, " clip.upscaled.mkv") {
		t.Errorf("after the kill there is %s", got)
	}
	d = start(set)
	if _, stderr, status = run("watch", id); status != 0 || !strings.Contains(stderr, "done") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	next := 0
	err := pipeline.Frames(t.Context(), filepath.Join(dir, "clip.upscaled.mkv"), func(p pipeline.Picture) error {
		n, err := testmedia.ReadNumber(p.Frame, 2)
		if err == nil && n != next {
			err = fmt.Errorf("picture %d comes where %d should", n, next)
		}
		next++
		return err
	})
	if err != nil || next != 100 || names(t, dir) != "clip.mkv clip.upscaled.mkv" {
		t.Errorf("%d pictures, %v; there is %s", next, err, names(t, dir))
	}
	for _, c := range []struct {
		want int
		says string
		args []string
	}{
		{30, "is there already", []string{"add", "films/clip.mkv"}},
		{0, "skipped (done)", []string{"add", "films/clip.mkv", "--skip-done"}},
		{10, "there is no file", []string{"add", "films/none.mkv"}},
		{65, "", []string{"cancel", strings.Repeat("a", 26)}},
		{66, "", []string{"set", id, "--pause"}},
		{0, id, []string{"list", "--state", "done"}},
		{0, "[]", []string{"list", "--json", "--state", "running"}},
	} {
		stdout, stderr, status := run(c.args...)
		if status != c.want || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%q: status %d, want %d\n%s%s", c.args, status, c.want, stdout, stderr)
		}
	}
	stdout, _, _ = run("add", "films/clip.mkv", "--name", "other.mkv", "--speed", "best")
	other := strings.TrimSpace(stdout)
	if _, stderr, status := run("cancel", other); status != 0 || !strings.Contains(stderr, "cancelled") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if _, _, status := run("watch", other); status != 64 {
		t.Errorf("status %d of a job that was cancelled", status)
	}
	if got := names(t, dir); got != "clip.mkv clip.upscaled.mkv" {
		t.Errorf("there is %s", got)
	}
}
