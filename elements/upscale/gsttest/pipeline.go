package gsttest

// #include "glue.h"
import "C"

import (
	"testing"
	"time"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Pipeline is a pipeline in NULL, as gst-launch writes it.
type Pipeline struct {
	Element
	t testing.TB
}

// Launch makes a pipeline. The test closes it at its end.
func Launch(t testing.TB, description string) *Pipeline {
	t.Helper()
	var problem *C.GError
	raw := with(description, func(c *C.char) *C.GstElement {
		return C.gst_parse_launch_full(c, nil, C.GST_PARSE_FLAG_FATAL_ERRORS, &problem)
	})
	if problem != nil {
		defer C.g_error_free(problem)
		t.Fatalf("%s: %s", description, C.GoString(problem.message))
	}
	C.gst_object_ref_sink(C.gpointer(unsafe.Pointer(raw)))
	p := &Pipeline{Element: Element{e: raw, bus: C.gst_element_get_bus(raw)}, t: t}
	t.Cleanup(p.close)
	return p
}

func (p *Pipeline) close() {
	C.gst_element_set_state(p.e, C.GST_STATE_NULL)
	C.gst_object_unref(C.gpointer(unsafe.Pointer(p.bus)))
	C.gst_object_unref(C.gpointer(unsafe.Pointer(p.e)))
	p.e, p.bus = nil, nil
}

// By calls f with an element of the pipeline by its name.
func (p *Pipeline) By(name string, f func(*Element)) {
	p.t.Helper()
	// Valid: a pipeline is a bin.
	e := with(name, func(c *C.char) *C.GstElement { return C.gst_bin_get_by_name((*C.GstBin)(unsafe.Pointer(p.e)), c) })
	if e == nil {
		p.t.Fatalf("no element %s", name)
	}
	defer C.gst_object_unref(C.gpointer(unsafe.Pointer(e)))
	f(&Element{e: e})
}

// Push sends a buffer into an appsrc.
func (p *Pipeline) Push(appsrc string, b Buffer) {
	p.t.Helper()
	p.By(appsrc, func(e *Element) {
		if C.source_push(e.e, b.make()) == 0 {
			p.t.Errorf("%s refused a buffer", appsrc)
		}
	})
}

// PushBytes sends bytes at a time into an appsrc.
func (p *Pipeline) PushBytes(appsrc string, data []byte, at time.Duration) {
	p.t.Helper()
	p.By(appsrc, func(e *Element) {
		// Valid: the bytes are copied before bytes_buffer returns.
		b := C.bytes_buffer(unsafe.Pointer(unsafe.SliceData(data)), C.gsize(len(data)), C.guint64(at))
		if C.source_push(e.e, b) == 0 {
			p.t.Errorf("%s refused a buffer", appsrc)
		}
	})
}

// End ends the stream of an appsrc.
func (p *Pipeline) End(appsrc string) {
	p.By(appsrc, func(e *Element) { C.source_push(e.e, nil) })
}

// Pull takes the next buffer of an appsink, which holds a picture of layout l;
// false at the end of the stream or when none comes in time.
func (p *Pipeline) Pull(appsink string, l frame.Layout, within time.Duration) (b Buffer, ok bool) {
	p.t.Helper()
	p.By(appsink, func(e *Element) {
		raw := C.sink_pull(e.e, C.guint64(within))
		if raw == nil {
			return
		}
		var err error
		if b, err = read(raw, l); err != nil {
			p.t.Fatal(err)
		}
		ok = true
	})
	return b, ok
}

// Seek flushes and goes to a time of the stream.
func (p *Pipeline) Seek(to time.Duration) bool { return C.pipeline_seek(p.e, C.gint64(to)) != 0 }
