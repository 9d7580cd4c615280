package upscale

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// watched tells the tests that they run under watch.
const watched = "UPSCALE_TEST_WATCHED"

// TestNothingIsLeftAlive runs the other tests once more under the leaks tracer
// (TestMain asks it, see package leak), with every critical of GLib's fatal and
// the collector always on.
func TestNothingIsLeftAlive(t *testing.T) {
	if os.Getenv(watched) != "" {
		t.Skip("this is the run under watch")
	}
	out, err := underWatch(t, "-test.short", "-test.skip", "^(TestNothingIsLeftAlive|TestTheWatchSees)$")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheWatchSees leaks an element on purpose.
func TestTheWatchSees(t *testing.T) {
	if os.Getenv(watched) != "" {
		gsttest.Leak("upscale")
		return
	}
	out, err := underWatch(t, "-test.run", "^"+t.Name()+"$")
	if err == nil || !strings.Contains(out, "GstUpscale upscale") {
		t.Errorf("a leaked element was not noticed: %v\n%s", err, out)
	}
}

// underWatch runs this test binary again.
func underWatch(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), watched+"=1", "GST_TRACERS=leaks", "G_DEBUG=fatal-criticals", "GOGC=1")
	out, err := cmd.CombinedOutput()
	return string(out[:min(len(out), 4000)]), err // after a crash Go says much more
}
