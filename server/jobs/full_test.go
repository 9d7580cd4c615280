package jobs

import (
	"syscall"
	"testing"
)

// full makes a folder one with room for little.
func full(t *testing.T, folder string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("a small disk needs the right to mount one:", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(folder, 0)) })
}
