package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBadRunsLeaveNothing looks at the folder of the output after runs that
// fail after they have begun to write.
func TestBadRunsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	clip := filepath.Join(dir, counted(t, dir, 100))
	t.Run("disk full", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root may mount a small disk")
		}
		small := t.TempDir()
		if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
			t.Skip("no small disk can be mounted: ", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(small, 0); err != nil {
				t.Errorf("the output is still open: %v", err)
			}
		})
		_, stderr, status := upscaled(t, dir, "transcode", clip, "-o", filepath.Join(small, "out.mkv"))
		if left := names(t, small); status != 32 || !strings.Contains(stderr, "disk is full") || left != "" {
			t.Errorf("status %d, left behind %q\n%s", status, left, stderr)
		}
	})
	t.Run("source breaks off", func(t *testing.T) {
		data, err := os.ReadFile(clip)
		if err != nil {
			t.Fatal(err)
		}
		half, target := filepath.Join(t.TempDir(), "half.mkv"), t.TempDir()
		if err := os.WriteFile(half, data[:len(data)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, more := range [][]string{nil, {"--duration", "1h"}} { // seen before the run, and at its end
			_, stderr, status := upscaled(t, dir, append([]string{"transcode", half, "-o", filepath.Join(target, "out.mkv")}, more...)...)
			if left := names(t, target); status != 18 || !strings.Contains(stderr, "breaks off") || left != "" {
				t.Errorf("%v: status %d, left behind %q\n%s", more, status, left, stderr)
			}
		}
	})
}
