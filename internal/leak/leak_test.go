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
		if !strings.Contains(live, "GstIdentity <held>") {
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

// held keeps what TestMainSeesWhatIsHeld leaks.
var held *gst.Element

// TestMainSeesWhatIsHeld leaks an element on purpose, in a process of its own.
func TestMainSeesWhatIsHeld(t *testing.T) {
	if Watched() {
		held, _ = gst.NewElementWithName("identity", "leaked")
		return
	}
	out, err := UnderWatch(t, "-test.run", "^"+t.Name()+"$")
	if err == nil || !strings.Contains(out, "GstIdentity <leaked>, 1 references") {
		t.Errorf("a leaked element was not noticed: %v\n%s", err, out)
	}
}

// TestRegistryIsNoLeak loads the type finders, which GStreamer keeps for as long as it lives.
func TestRegistryIsNoLeak(t *testing.T) {
	pipeline, err := gst.NewPipelineFromString("filesrc location=leak.go ! typefind ! fakesink")
	if err != nil {
		t.Fatal(err)
	}
	if err := pipeline.BlockSetState(gst.StatePaused); err != nil {
		t.Fatal(err)
	}
	if err := pipeline.BlockSetState(gst.StateNull); err != nil {
		t.Fatal(err)
	}
	if live := Live(); len(live) > 0 {
		t.Errorf("still alive: %v", live)
	}
}
