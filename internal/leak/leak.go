package leak

// #cgo pkg-config: gstreamer-1.0
// #include "live.h"
// #include <glib.h>
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// patience bounds the wait for finalizers and for GStreamer's threads to let go.
const patience = 5 * time.Second

// Main runs a package's tests and returns the exit status for os.Exit: 1 as well when the leaks
// tracer is active and objects are still alive after them. GStreamer must be initialised.
func Main(m *testing.M) int {
	status := m.Run()
	if status != 0 {
		return status
	}
	if live := Live(); len(live) > 0 {
		fmt.Fprintf(os.Stderr, "%d GStreamer objects are alive after the tests:\n%s\n", len(live), strings.Join(live, "\n"))
		return 1
	}
	return 0
}

// Live describes the GStreamer objects that stay alive, none when the leaks tracer is not active.
// It first lets the collector drop the bindings' wrappers, for at most patience.
func Live() []string {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		runtime.GC()
		live := list()
		if len(live) == 0 || time.Now().After(deadline) {
			return live
		}
	}
}

func list() []string {
	lines := C.leak_live()
	if lines == nil {
		return nil
	}
	defer C.g_free(C.gpointer(unsafe.Pointer(lines))) // ours since leak_live returned it
	return strings.FieldsFunc(C.GoString(lines), func(r rune) bool { return r == '\n' })
}
