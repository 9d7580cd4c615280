package source

import (
	"fmt"
	"os"
	"testing"

	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
)

// TestMain brings up GStreamer. Without it the tests fail: they would test nothing.
func TestMain(m *testing.M) {
	gsttest.Init()
	for range 2 { // a second time changes nothing
		if err := Register(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(leak.Main(m))
}

// TestNothingIsLeftAlive runs the other tests once more under the leaks tracer
// (TestMain asks it, see package leak), with every critical of GLib's fatal and
// the collector always on.
func TestNothingIsLeftAlive(t *testing.T) {
	if leak.Watched() {
		t.Skip("this is the run under watch")
	}
	out, err := leak.UnderWatch(t, "-test.short", "-test.skip", "^TestNothingIsLeftAlive$")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
