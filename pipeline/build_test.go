package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-gst/go-gst/gst"
)

// TestSourceStartsLast reads off the bus in which order a pipeline's elements
// got ready for data. decodebin is not until it has some.
func TestSourceStartsLast(t *testing.T) {
	t.Parallel()
	s := spec()
	s.Container = MP4
	p := planned(t, small(t, strings.Fields("-c:v libx264 -preset ultrafast -c:a flac in.mkv")...), s)
	b, err := build(p.Graph, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	late := map[string]bool{} // elements that are not ready
	elements, err := b.pipe.GetElements()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		if factory := e.GetFactory().GetName(); factory != "decodebin" && !slices.Contains([]string{"source", "parse"}, e.GetName()) {
			late[e.GetName()] = true
		}
	}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	for {
		m := b.pipe.GetPipelineBus().TimedPopFiltered(gst.ClockTime(10*time.Second), gst.MessageStateChanged|gst.MessageError)
		if m == nil || m.Type() == gst.MessageError {
			t.Fatalf("the source did not start: %v", m)
		}
		if _, state := m.ParseStateChanged(); state != gst.StatePaused {
			continue
		}
		if m.Source() == "source" || m.Source() == "parse" {
			break
		}
		delete(late, m.Source())
	}
	if len(late) > 0 {
		t.Errorf("the source began before %v", late)
	}
}
