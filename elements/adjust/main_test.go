package adjust

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
