package leak

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/go-gst/go-gst/gst"
)

func TestMain(m *testing.M) {
	if err := os.Setenv("GST_TRACERS", "leaks"); err != nil { // read by gst.Init
		panic(err)
	}
	gst.Init(nil)
	os.Exit(Main(m))
}

func TestLiveNamesWhatIsHeld(t *testing.T) {
	element, err := gst.NewElementWithName("identity", "held")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // asking takes nothing from who holds it
		live := strings.Join(list(), "\n")
		if !strings.Contains(live, "GstIdentity held") {
			t.Errorf("live objects do not name the element:\n%s", live)
		}
	}
	runtime.KeepAlive(element)
}

// TestLiveWaitsForTheCollector drops an element without a word; its wrapper's finalizer frees it.
func TestLiveWaitsForTheCollector(t *testing.T) {
	if _, err := gst.NewElement("identity"); err != nil {
		t.Fatal(err)
	}
	if live := Live(); len(live) > 0 {
		t.Errorf("still alive: %v", live)
	}
}
