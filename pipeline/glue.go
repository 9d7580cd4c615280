package pipeline

// #cgo pkg-config: gstreamer-1.0
// #include <stdlib.h>
// #include "glue.h"
// #include "span.h"
import "C"

import (
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// Go's side of glue.c. Every unsafe.Pointer below is valid until the call
// returns: an element belongs to its pipeline and a pad to its element, and what
// belongs to no one but its wrapper is kept with runtime.KeepAlive.

// counter counts the buffers that pass a pad. It must be freed before the
// pipeline's wrapper is dropped.
type counter struct{ c *C.Counter }

func newCounter(pad *gst.Pad) *counter {
	return &counter{C.counter_new(unsafe.Pointer(pad.Instance()))}
}

func (c *counter) count() int64       { return int64(C.counter_count(c.c)) }
func (c *counter) end() time.Duration { return max(0, time.Duration(C.counter_end_ns(c.c))) }
func (c *counter) free()              { C.counter_free(c.c); c.c = nil }

// padHasTag reports whether the tags on a pad hold one, of whatever type.
func padHasTag(pad *gst.Pad, tag string) bool {
	t := C.CString(tag)
	defer C.free(unsafe.Pointer(t))
	return C.pad_has_tag(unsafe.Pointer(pad.Instance()), t) != 0
}

// padTag returns the first value of a string tag on a pad, "" for none.
func padTag(pad *gst.Pad, tag string) string {
	name := C.CString(tag)
	defer C.free(unsafe.Pointer(name))
	v := C.pad_tag(unsafe.Pointer(pad.Instance()), name)
	if v == nil {
		return ""
	}
	defer C.g_free(C.gpointer(unsafe.Pointer(v)))
	return C.GoString(v)
}

// padCaps returns the serialised caps of a source pad of parsebin as far as
// they are known, "" when nothing is.
func padCaps(pad *gst.Pad) string {
	v := C.pad_caps(unsafe.Pointer(pad.Instance()))
	if v == nil {
		return ""
	}
	defer C.g_free(C.gpointer(unsafe.Pointer(v)))
	return C.GoString(v)
}

// padBegin returns the stream time at which the segment of a pad begins, and how far
// the buffers' own time is ahead of it.
func padBegin(pad *gst.Pad) (begin, ahead time.Duration) {
	var a C.gint64
	b := C.pad_begin_ns(unsafe.Pointer(pad.Instance()), &a)
	return time.Duration(b), time.Duration(a)
}

// runs reports whether some thread of a pipeline runs.
func runs(pipe *gst.Pipeline) bool {
	defer runtime.KeepAlive(pipe)
	return C.bin_runs(unsafe.Pointer(pipe.Instance())) != 0
}

// factories returns the factories in a bin whose class names one of two kinds,
// in the order in which data passes them.
func factories(bin *gst.Element, kind, orKind string) []string {
	k, o := C.CString(kind), C.CString(orKind)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(o))
	v := C.bin_factories(unsafe.Pointer(bin.Instance()), k, o)
	defer C.g_free(C.gpointer(unsafe.Pointer(v)))
	return strings.Fields(C.GoString(v))
}

// setProperty sets a property from its serialised value and reports whether
// the element has it and could read the value.
func setProperty(e *gst.Element, name, value string) bool {
	n, v := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(v))
	return C.element_set(unsafe.Pointer(e.Instance()), n, v) != 0
}

// Has reports whether GStreamer has an element.
func Has(factory string) bool { return gst.Find(factory) != nil }

// setRank says how soon a factory is chosen of its kind: 1 is last, 0 is never.
func setRank(factory string, rank uint) {
	f := C.CString(factory)
	defer C.free(unsafe.Pointer(f))
	C.factory_set_rank(f, C.guint(rank))
}

// neverChoice keeps demuxers whose class names a kind from being chosen.
func neverChoice(kind string) {
	k := C.CString(kind)
	defer C.free(unsafe.Pointer(k))
	C.demuxers_never_choice(k)
}

// takes reports whether some sink pad of an element takes the caps.
func takes(factory, caps string) bool {
	f, c := C.CString(factory), C.CString(caps)
	defer C.free(unsafe.Pointer(f))
	defer C.free(unsafe.Pointer(c))
	return C.factory_takes(f, c) != 0
}

func discard(pad *gst.Pad)     { C.pad_discard(unsafe.Pointer(pad.Instance())) }
func waitForSeek(pad *gst.Pad) { C.pad_wait_for_seek(unsafe.Pointer(pad.Instance())) }

// rewriteText brings the cues that pass a pad into a form.
func rewriteText(pad *gst.Pad, form TextForm) {
	switch p := unsafe.Pointer(pad.Instance()); form {
	case SubRip:
		C.pad_markup_to_subrip(p)
	case PlainText:
		C.pad_markup_to_plain(p)
	}
}

// beginAt is pad_begin_at of glue.h.
func beginAt(pad *gst.Pad, begin time.Duration) {
	C.pad_begin_at(unsafe.Pointer(pad.Instance()), C.gint64(begin))
}

// part is what is taken of a film that cannot be sought in. It must be freed when the
// pipeline is down.
type part struct{ c *C.Part }

// newPart takes a film from a time on, until another or to its end where that is negative.
func newPart(from, until time.Duration) *part {
	return &part{C.part_new(C.gint64(from), C.gint64(max(until, -1)))}
}

func (p *part) free() { C.part_free(p.c); p.c = nil }

// take is part_take of glue.h.
func (p *part) take(pad *gst.Pad, picture, flowing bool) {
	C.part_take(p.c, unsafe.Pointer(pad.Instance()), gboolean(picture), gboolean(flowing))
}

// hold is pad_hold of glue.h; it returns what lets go.
func hold(pad *gst.Pad) (release func()) {
	id := C.pad_hold(unsafe.Pointer(pad.Instance()))
	return func() { C.pad_release(unsafe.Pointer(pad.Instance()), id) }
}

// ownPictures is bin_own_pictures of glue.h.
func ownPictures(bin *gst.Element) { C.bin_own_pictures(unsafe.Pointer(bin.Instance())) }

// keepFirstTime is encoder_keep_first_time of glue.h.
func keepFirstTime(encoder *gst.Element) {
	sink, src := encoder.GetStaticPad("sink"), encoder.GetStaticPad("src")
	C.encoder_keep_first_time(unsafe.Pointer(sink.Instance()), unsafe.Pointer(src.Instance()))
}

// gboolean returns C's word for a bool.
func gboolean(b bool) C.gboolean {
	if b {
		return 1
	}
	return 0
}

// orderTimes is pad_order_times of glue.h.
func orderTimes(pad *gst.Pad, steady bool) {
	C.pad_order_times(unsafe.Pointer(pad.Instance()), gboolean(steady))
}

// keepStamps is parser_keep_stamps of glue.h.
func keepStamps(parser *gst.Element) {
	sink, src := parser.GetStaticPad("sink"), parser.GetStaticPad("src")
	C.parser_keep_stamps(unsafe.Pointer(sink.Instance()), unsafe.Pointer(src.Instance()))
}

// timeSound is pad_time_sound of glue.h.
func timeSound(pad *gst.Pad) { C.pad_time_sound(unsafe.Pointer(pad.Instance())) }

// seek sends an accurate flushing seek upstream from a source pad; stop < 0
// plays to the end.
func seek(pad *gst.Pad, start, stop time.Duration) bool {
	return C.pad_seek(unsafe.Pointer(pad.Instance()), C.gint64(start), C.gint64(max(stop, -1))) != 0
}

// seekKey is pad_seek_key of glue.h.
func seekKey(pad *gst.Pad, start time.Duration) bool {
	return C.pad_seek_key(unsafe.Pointer(pad.Instance()), C.gint64(start)) != 0
}

// skipUntil is pad_skip_until of glue.h.
func skipUntil(pad *gst.Pad, until, near time.Duration, strict bool) {
	C.pad_skip_until(unsafe.Pointer(pad.Instance()), C.gint64(until), C.gint64(near), gboolean(strict))
}

// mustBegin is pad_must_begin of glue.h.
func mustBegin(pad *gst.Pad, by time.Duration) {
	C.pad_must_begin(unsafe.Pointer(pad.Instance()), C.gint64(by))
}

// keepTimes is pad_keep_times of glue.h.
func keepTimes(pad *gst.Pad) { C.pad_keep_times(unsafe.Pointer(pad.Instance())) }

// widen is pad_widen of glue.h.
func widen(pad *gst.Pad) { C.pad_widen(unsafe.Pointer(pad.Instance())) }

// lastOf returns the stream time of the buffer that a sink holds, or where own is
// set the buffer's own.
func lastOf(sink *gst.Element, own bool) (time.Duration, bool) {
	var ns C.gint64
	known := C.sink_last_ns(unsafe.Pointer(sink.Instance()), gboolean(own), &ns)
	return time.Duration(ns), known != 0
}

// parseFailure reads an error or warning message.
func parseFailure(m *gst.Message) *failure {
	var f C.Failure
	defer runtime.KeepAlive(m)
	C.failure_parse(unsafe.Pointer(m.Instance()), &f)
	defer C.failure_clear(&f)
	return &failure{
		domain: C.GoString(f.domain), code: int(f.code), flow: gst.FlowReturn(f.flow), text: C.GoString(f.text),
		debug: C.GoString(f.debug), path: C.GoString(f.path), factory: C.GoString(f.factory),
	}
}

// streamID returns the name of a stream within its film: GStreamer's, without what
// stands for the address that the film is read from, which is another one for each
// kind of source.
func streamID(pad *gst.Pad) string {
	id := pad.GetStreamID()
	if i := strings.IndexByte(id, '/'); i >= 0 {
		return "film" + id[i:]
	}
	return "film" // of one stream
}
