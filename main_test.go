package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/pipeline"
)

// binary is the program under test, built once, with the server beside it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(withBinary(m))
}

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "upscaled")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
	binary = filepath.Join(dir, "upscaled")
	for _, pkg := range []string{".", "./cmd/upscaled-server"} { // the names of both are those of their folders or module
		build := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", dir, pkg)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	pipeline.Init()
	return m.Run()
}

// upscaled runs the program in dir and returns what it printed and its status.
func upscaled(t *testing.T, dir string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := command(t, dir, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "UPSCALED_ORT_LIBRARY="+library(t))
	return cmd
}

// library returns ONNX Runtime's library, which the program looks for beside
// itself and would not find from a temporary folder.
func library(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("UPSCALED_ORT_LIBRARY"); path != "" {
		return path
	}
	found, err := filepath.Glob(".deps/onnxruntime/*/libonnxruntime.so.1")
	if err != nil || len(found) == 0 {
		t.Fatalf("no ONNX Runtime in .deps (%v): run deploy/install-deps.sh", err)
	}
	path, err := filepath.Abs(found[len(found)-1])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// counted writes a clip of numbered pictures into dir and returns its name.
func counted(t *testing.T, dir string, frames int) string {
	t.Helper()
	clip, err := testmedia.NewCounted(testmedia.Spec{Width: 320, Height: 180, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	err = pipeline.Record(context.Background(), pipeline.Recording{
		Path: filepath.Join(dir, "clip.mkv"), Layout: clip.Layout, Rate: pipeline.Fraction{Num: clip.Rate.Num, Den: clip.Rate.Den},
		Frames: frames, Quality: 12,
	}, clip)
	if err != nil {
		t.Fatal(err)
	}
	return "clip.mkv"
}

// names lists a folder, hidden files too.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestTranscodeKeepsEveryPictureInOrder(t *testing.T) {
	dir := t.TempDir()
	clip := counted(t, dir, 50)
	_, stderr, status := upscaled(t, dir, "transcode", clip, "--speed", "fast")
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if got, want := names(t, dir), "clip.mkv clip.upscaled.mkv"; got != want {
		t.Fatalf("the folder holds %s, want %s", got, want)
	}
	if !strings.Contains(stderr, "50 upscaled by swift-s-x2 on cpu, 0 plain, 50 encoded") {
		t.Errorf("the summary does not count the pictures:\n%s", stderr)
	}
	next := 0
	err := pipeline.Frames(t.Context(), filepath.Join(dir, "clip.upscaled.mkv"), func(p pipeline.Picture) error {
		if p.Frame.Width != 640 || p.Frame.Height != 360 || p.Frame.Format != frame.I420 {
			return fmt.Errorf("picture of %d×%d %s", p.Frame.Width, p.Frame.Height, p.Frame.Format)
		}
		n, err := testmedia.ReadNumber(p.Frame, 2)
		if err == nil && n != next {
			err = fmt.Errorf("picture %d comes where %d should", n, next)
		}
		next++
		return err
	})
	if err != nil || next != 50 {
		t.Fatalf("%d pictures, %v", next, err)
	}
}

func TestTranscodeNeverWritesOver(t *testing.T) {
	dir := t.TempDir()
	clip := counted(t, dir, 5)
	there := filepath.Join(dir, "clip.upscaled.mkv")
	if err := os.WriteFile(there, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := upscaled(t, dir, "transcode", clip)
	if status != 30 || !strings.Contains(stderr, "--force") {
		t.Errorf("status %d, want 30\n%s", status, stderr)
	}
	if data, err := os.ReadFile(there); err != nil || string(data) != "mine" {
		t.Errorf("the file that was there is now %q, %v", data, err)
	}
	if _, stderr, status := upscaled(t, dir, "transcode", clip, "--force"); status != 0 {
		t.Errorf("with --force: status %d\n%s", status, stderr)
	}
	if _, _, status := upscaled(t, dir, "transcode", clip, "--force", "-o", clip); status != 31 {
		t.Errorf("onto itself: status %d, want 31", status)
	}
}

func TestInterruptLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		nohup   bool
		signals []syscall.Signal
		want    int
	}{
		"interrupt":                 {false, []syscall.Signal{syscall.SIGINT}, 130},
		"terminate":                 {false, []syscall.Signal{syscall.SIGTERM}, 143},
		"hang up":                   {false, []syscall.Signal{syscall.SIGHUP}, 129},
		"hang up, which is ignored": {true, []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM}, 143},
	} {
		t.Run(name, func(t *testing.T) {
			dir, want := t.TempDir(), c.want
			clip := counted(t, dir, 400)
			cmd := command(t, dir, "transcode", clip, "--json", "--speed", "best")
			if c.nohup {
				cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			caught := make(chan os.Signal, 1)
			signal.Notify(caught, syscall.SIGHUP) // so that the command does not inherit that it is ignored
			err = cmd.Start()
			signal.Stop(caught)
			if err != nil {
				t.Fatal(err)
			}
			last, sent := "", false
			for lines := bufio.NewScanner(out); lines.Scan(); last = lines.Text() {
				if strings.Contains(lines.Text(), `"progress"`) && !sent {
					sent = true
					for _, signal := range c.signals {
						if err := cmd.Process.Signal(signal); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			_ = cmd.Wait() // the status is looked at
			if got := cmd.ProcessState.ExitCode(); got != want || !sent {
				t.Errorf("status %d, want %d (interrupted: %v)", got, want, sent)
			}
			if got := names(t, dir); got != "clip.mkv" {
				t.Errorf("left behind: %s", got)
			}
			var e errorEvent
			if err := json.Unmarshal([]byte(last), &e); err != nil || e.Event != "error" || e.Status != want {
				t.Errorf("the last line is %s", last)
			}
		})
	}
}

func TestJSONLines(t *testing.T) {
	dir := t.TempDir()
	clip := counted(t, dir, 30)
	stdout, stderr, status := upscaled(t, dir, "transcode", clip, "--json", "--container", "mp4")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var plan planEvent
	if err := json.Unmarshal([]byte(lines[0]), &plan); err != nil || plan.Event != "plan" {
		t.Fatalf("first line %s: %v", lines[0], err)
	}
	if plan.Width != 640 || plan.Height != 360 || plan.Frames != 30 || len(plan.Changed) == 0 {
		t.Errorf("plan %+v", plan)
	}
	var done doneEvent
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &done); err != nil || done.Event != "done" {
		t.Fatalf("last line %s: %v", lines[len(lines)-1], err)
	}
	if done.Upscaled != 30 || done.Plain != 0 || done.Encoded != 30 || done.Provider == "" || done.RSS <= 0 || done.Cost[pipeline.StageUpscale] <= 0 {
		t.Errorf("done %+v", done)
	}
}

func TestBadInputHasItsStatusAndSentence(t *testing.T) {
	dir := t.TempDir()
	clip := counted(t, dir, 5)
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("empty.mp4", nil)
	write("text.mkv", []byte(strings.Repeat("not a film\n", 500)))
	write("bad.onnx", []byte("not a model"))
	write("nan.onnx", testonnx.Spec{Scale: 2}.NaN())
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"no file", []string{"none.mkv"}, 10, "there is no file"},
		{"folder", []string{"."}, 11, "is not a file"},
		{"empty", []string{"empty.mp4"}, 12, "is empty"},
		{"not media", []string{"text.mkv"}, 13, "not a media file"},
		{"no folder", []string{clip, "-o", "none/out.mkv"}, 31, "no folder"},
		{"unknown model", []string{clip, "--model", "none"}, 40, "unknown model"},
		{"traversal", []string{clip, "--model", ".."}, 40, "not a model id"},
		{"no model file", []string{clip, "--model", "./none.onnx"}, 40, "no model file"},
		{"not a model", []string{clip, "--model", "./bad.onnx"}, 41, "not an ONNX model"},
		{"NaN", []string{clip, "--model", "./nan.onnx"}, 41, "not numbers"},
		{"provider", []string{clip, "--provider", "cuda"}, 43, "cuda"},
		{"strength", []string{clip, "--strength", "2"}, 2, "strength"},
		{"codec", []string{clip, "--video-codec", "mpeg1"}, 2, "video codec"},
		{"container", []string{clip, "-o", "out.avi"}, 2, ".mkv or .mp4"},
		{"flag", []string{clip, "--no-such-flag"}, 2, "no-such-flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "provider" && strings.Contains(os.Getenv("UPSCALED_ORT_LIBRARY"), "gpu") {
				t.Skip("this ONNX Runtime has the provider")
			}
			_, stderr, status := upscaled(t, dir, append([]string{"transcode"}, c.args...)...)
			if status != c.status || !strings.Contains(stderr, c.says) {
				t.Errorf("status %d, want %d with %q:\n%s", status, c.status, c.says, stderr)
			}
			if got := names(t, dir); strings.Contains(got, ".part") || strings.Contains(got, "upscaled") {
				t.Errorf("left behind: %s", got)
			}
		})
	}
}

func TestEveryCodeHasItsOwnStatus(t *testing.T) {
	seen := map[int]pipeline.Code{}
	for code, status := range exitStatuses {
		if other, ok := seen[status]; ok {
			t.Errorf("%s and %s both exit with %d", code, other, status)
		}
		seen[status] = code
		if status > 125 {
			t.Errorf("%s exits with %d, which shells use for signals", code, status)
		}
	}
}

// TestDocsCLI keeps docs/cli.md in step with the table of statuses.
func TestDocsCLI(t *testing.T) {
	page, err := os.ReadFile("docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, status := range exitStatuses {
		if row := fmt.Sprintf("| %d | `%s` |", status, code); !strings.Contains(string(page), row) {
			t.Errorf("docs/cli.md has no row %s", row)
		}
	}
}

func TestDoctor(t *testing.T) {
	stdout, stderr, status := upscaled(t, t.TempDir(), "doctor", "--json")
	var d diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout, stderr)
	}
	if status != 0 || !d.Healthy || len(d.Fixes) > 0 {
		t.Errorf("status %d, fixes %v", status, d.Fixes)
	}
	works := map[string]bool{}
	for _, p := range d.Providers {
		works[p.Name] = p.Works
	}
	if !works["cpu"] {
		t.Errorf("the CPU provider does not work: %+v", d.Providers)
	}
}

func TestDefaultModelOnTheUsualSets(t *testing.T) {
	for set, want := range map[string]struct{ gain, bicubic float64 }{
		"Set5": {2.3, 33.67}, "Set14": {1.6, 30.33}, // the gains that the default model owes; what the sets are known for
	} {
		t.Run(set, func(t *testing.T) {
			dir := "../shared/images/" + set
			if _, err := os.Stat(dir); err != nil {
				t.Skipf("no %s: the pictures are not part of the repository", dir)
			}
			stdout, stderr, status := upscaled(t, ".", "models", "score", dir, "--json")
			var report struct {
				Mean struct {
					Model, Bicubic struct {
						PSNR float64 `json:"psnr_y_db"`
					}
				}
			}
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != 0 {
				t.Fatalf("status %d, %v\n%s", status, err, stderr)
			}
			if gain := report.Mean.Model.PSNR - report.Mean.Bicubic.PSNR; gain < want.gain {
				t.Errorf("it gains %.2f dB over bicubic, want %.1f", gain, want.gain)
			}
			if got := report.Mean.Bicubic.PSNR; math.Abs(got-want.bicubic) > 0.01 {
				t.Errorf("bicubic has %.2f dB, want %.2f", got, want.bicubic)
			}
		})
	}
}
