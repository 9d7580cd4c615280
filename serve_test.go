package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeBecomesTheServer puts a program in the server's place that prints how it
// was started.
func TestServeBecomesTheServer(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "upscaled")
	if err := os.WriteFile(own, data, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), own, "serve", "--config", "a b.yml").CombinedOutput()
	if err == nil || !strings.Contains(string(out), filepath.Join(dir, serverName)) || !strings.Contains(string(out), "make build") {
		t.Errorf("without a server beside it: %v, %q", err, out)
	}
	script := "#!/bin/sh\necho $$ \"$@\"\nexit 7\n"
	if err := os.WriteFile(filepath.Join(dir, serverName), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), own, "serve", "--config", "a b.yml", "--help")
	out, _ = cmd.Output() // the status tells
	if want := fmt.Sprintf("%d --config a b.yml --help\n", cmd.ProcessState.Pid()); string(out) != want || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("got %q with status %d, want %q with status 7", out, cmd.ProcessState.ExitCode(), want)
	}
}
