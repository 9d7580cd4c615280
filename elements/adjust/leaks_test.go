package adjust

import (
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
)

// TestNothingIsLeftAlive runs the other tests once more under the leaks tracer
// (TestMain asks it, see package leak), with every critical of GLib's fatal and
// the collector always on.
func TestNothingIsLeftAlive(t *testing.T) {
	if leak.Watched() {
		t.Skip("this is the run under watch")
	}
	out, err := leak.UnderWatch(t, "-test.short", "-test.skip", "^(TestNothingIsLeftAlive|TestTheWatchSees)$")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheWatchSees leaks an element on purpose.
func TestTheWatchSees(t *testing.T) {
	if leak.Watched() {
		gsttest.Leak("adjust")
		return
	}
	out, err := leak.UnderWatch(t, "-test.run", "^"+t.Name()+"$")
	if err == nil || !strings.Contains(out, "GstAdjust <adjust") {
		t.Errorf("a leaked element was not noticed: %v\n%s", err, out)
	}
}
