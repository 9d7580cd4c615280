package leak

import (
	"os"
	"os/exec"
	"testing"
)

// mark is set in the environment of a run under watch.
const mark = "UPSCALED_TEST_WATCHED"

// Watched reports whether this process is a run that UnderWatch started.
func Watched() bool { return os.Getenv(mark) != "" }

// UnderWatch runs this test binary again with arguments of its own (-test.run and the like), under the
// leaks tracer, with every critical of GLib's fatal and the collector always on. It returns the
// beginning of what was written, and an error when the run failed.
func UnderWatch(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), mark+"=1", "GST_TRACERS=leaks", "G_DEBUG=fatal-criticals", "GOGC=1")
	out, err := cmd.CombinedOutput()
	return string(out[:min(len(out), 4000)]), err // after a crash Go says much more
}
