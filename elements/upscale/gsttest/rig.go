package gsttest

// #include "glue.h"
import "C"

import (
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Rig is one element, PLAYING, between a source pad and a sink pad of the test.
type Rig struct {
	*Element
	h *C.GstHarness
	t testing.TB
}

// Flow is what a pad says to a buffer.
type Flow = C.GstFlowReturn

// The flows that tests look for.
const (
	FlowOK            = Flow(C.GST_FLOW_OK)
	FlowEOS           = Flow(C.GST_FLOW_EOS)
	FlowFlushing      = Flow(C.GST_FLOW_FLUSHING)
	FlowError         = Flow(C.GST_FLOW_ERROR)
	FlowNotNegotiated = Flow(C.GST_FLOW_NOT_NEGOTIATED)
)

// NewRig makes an element with pads sink and src, with properties given as
// name, value, …. The test fails when it does not start.
func NewRig(t testing.TB, factory string, properties ...string) *Rig {
	t.Helper()
	e, err := Make(factory, properties...)
	if err != nil {
		t.Fatal(err)
	}
	r := &Rig{Element: e, t: t}
	r.h = with("sink", func(sink *C.char) *C.GstHarness {
		return with("src", func(src *C.char) *C.GstHarness { return C.gst_harness_new_with_element(e.e, sink, src) })
	})
	C.gst_element_set_bus(e.e, e.bus) // the harness may have set its own
	t.Cleanup(r.close)
	if !e.SetState(Playing) {
		t.Fatalf("%s does not start: %+v", factory, e.Message(MessageError, 0))
	}
	return r
}

func (r *Rig) close() {
	C.gst_harness_teardown(r.h) // which brings the element to NULL
	r.Close()
}

// Caps begins a stream with caps and a segment, and reports whether they could
// be sent. Caps that the element refuses show at the next Push.
func (r *Rig) Caps(caps string) bool {
	with("rig", func(id *C.char) C.gboolean { return C.gst_harness_push_event(r.h, C.gst_event_new_stream_start(id)) })
	sent := with(caps, func(c *C.char) bool { return C.rig_send_caps(r.h, c) != 0 })
	C.rig_send_segment(r.h)
	return sent
}

// Push sends a buffer and returns when the element has worked on it.
func (r *Rig) Push(b Buffer) Flow { return C.gst_harness_push(r.h, b.make()) }

// Pull returns the next buffer that came out, which holds a picture of layout l.
func (r *Rig) Pull(l frame.Layout) Buffer {
	r.t.Helper()
	raw := C.gst_harness_try_pull(r.h)
	if raw == nil {
		r.t.Fatalf("nothing came out: %+v", r.Message(MessageError, 0))
	}
	b, err := read(raw, l)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// Waiting returns how many buffers have come out and not been pulled.
func (r *Rig) Waiting() int { return int(C.gst_harness_buffers_in_queue(r.h)) }

// Through sends a buffer and returns what came out of it.
func (r *Rig) Through(b Buffer, out frame.Layout) Buffer {
	r.t.Helper()
	if flow := r.Push(b); flow != FlowOK {
		r.t.Fatalf("a frame was refused with %d: %+v", flow, r.Message(MessageError, 0))
	}
	return r.Pull(out)
}

// OutCaps returns the caps that came out last, "" for none.
func (r *Rig) OutCaps() string { return take(C.rig_caps(r.h)) }

// LimitOut tells the element what is taken behind it.
func (r *Rig) LimitOut(caps string) {
	with(caps, func(c *C.char) struct{} { C.gst_harness_set_sink_caps_str(r.h, c); return struct{}{} })
}

// Takes returns the caps that the element's sink pad answers to a query; a
// filter of "" is none.
func (r *Rig) Takes(filter string) string { return r.queryCaps(1, filter) }

// Gives returns the caps that the element's source pad answers to a query.
func (r *Rig) Gives(filter string) string { return r.queryCaps(0, filter) }

func (r *Rig) queryCaps(ofSink C.gboolean, filter string) string {
	if filter == "" {
		return take(C.rig_query_caps(r.h, ofSink, nil))
	}
	return with(filter, func(c *C.char) string { return take(C.rig_query_caps(r.h, ofSink, c)) })
}

// Accepts reports whether the sink pad accepts caps.
func (r *Rig) Accepts(caps string) bool {
	return with(caps, func(c *C.char) bool { return C.rig_accepts(r.h, c) != 0 })
}

// Late sends a QoS event from behind: the frame at a running time came too late
// by so much.
func (r *Rig) Late(running, by time.Duration) {
	C.rig_send_qos(r.h, C.guint64(running), C.gint64(by))
}

// Latency returns what the element answers to a latency query when what is
// before it is as given. No maximum is None.
func (r *Rig) Latency(live bool, before time.Duration) (least, most time.Duration) {
	C.gst_harness_set_live(r.h, map[bool]C.gboolean{true: 1}[live])
	C.gst_harness_set_upstream_latency(r.h, C.GstClockTime(before))
	var lo, hi C.guint64
	var isLive C.gboolean
	C.rig_latency(r.h, &lo, &hi, &isLive)
	return time.Duration(lo), time.Duration(hi)
}

// Flush sends flush-start and flush-stop, and a new segment.
func (r *Rig) Flush() {
	C.gst_harness_push_event(r.h, C.gst_event_new_flush_start())
	C.gst_harness_push_event(r.h, C.gst_event_new_flush_stop(1))
	C.rig_send_segment(r.h)
}

// Gap sends a GAP event.
func (r *Rig) Gap(at, length time.Duration) bool {
	return C.gst_harness_push_event(r.h, C.gst_event_new_gap(C.GstClockTime(at), C.GstClockTime(length))) != 0
}

// EOS ends the stream.
func (r *Rig) EOS() bool { return C.gst_harness_push_event(r.h, C.gst_event_new_eos()) != 0 }

// Events returns the names of the events that came out since the last call. That
// of a wish for a key frame is "key-unit" and the nanosecond it is for.
func (r *Rig) Events() []string {
	var names []string
	for {
		name := take(C.rig_next_event(r.h))
		if name == "" {
			return names
		}
		names = append(names, name)
	}
}

// Drop lets go of what comes out from now on.
func (r *Rig) Drop() { C.gst_harness_set_drop_buffers(r.h, 1) }

// Same sends one buffer n times, which costs little beside the element's work,
// and returns the last flow.
func (r *Rig) Same(b Buffer, n int) Flow {
	raw := b.make()
	defer C.gst_buffer_unref(raw)
	return C.rig_push_same(r.h, raw, C.guint(n))
}

// Own sends n copies of a buffer that the element may write to, and returns the
// processor time that its work took on this thread, and the last flow.
func (r *Rig) Own(b Buffer, n int) (time.Duration, Flow) {
	raw := b.make()
	defer C.gst_buffer_unref(raw)
	var busy C.guint64
	flow := C.rig_push_own(r.h, raw, C.guint(n), &busy)
	return time.Duration(busy), flow
}
