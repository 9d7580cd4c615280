//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds each wait for something that takes a moment, on a machine that
// may be busy.
const patience = 30 * time.Second

// programs is the folder of both programs, which build makes.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "upscaled-e2e-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(programs) }() // it is the system's temporary folder
	m.Run()
}

// build builds both programs as they are in the checkout, once.
var build = sync.OnceValue(func() error {
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	// Where make deps puts ONNX Runtime is found from the program's folder upwards.
	if err := os.Symlink(filepath.Join(root, ".deps"), filepath.Join(programs, ".deps")); err != nil {
		return err
	}
	for program, pkg := range map[string]string{"upscaled": ".", "upscaled-server": "./cmd/upscaled-server"} {
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(programs, program), pkg)
		cmd.Dir = root
		if program == "upscaled-server" {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
})

// tool runs a program and returns what it writes.
func tool(t testing.TB, stdin io.Reader, name string, args ...string) []byte {
	t.Helper()
	out, err := try(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%v (deploy/install-deps.sh test installs what is missing)", err)
	}
	return out
}

// try runs a program that may fail. The error tells what it complained of.
func try(t testing.TB, stdin io.Reader, name string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, complaint.String())
	}
	return out.Bytes(), nil
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("after %s still not: %s", patience, what)
		case <-again.C:
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
