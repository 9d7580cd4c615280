package gsttest

// #include "glue.h"
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// State is a state of an element.
type State C.GstState

// The states, in their order.
const (
	Null    = State(C.GST_STATE_NULL)
	Ready   = State(C.GST_STATE_READY)
	Paused  = State(C.GST_STATE_PAUSED)
	Playing = State(C.GST_STATE_PLAYING)
)

// The kinds of messages that tests wait for.
const (
	MessageEOS     = C.GST_MESSAGE_EOS
	MessageError   = C.GST_MESSAGE_ERROR
	MessageWarning = C.GST_MESSAGE_WARNING
	MessageLatency = C.GST_MESSAGE_LATENCY
	MessageQoS     = C.GST_MESSAGE_QOS
)

// Element is an element of GStreamer's and the bus that its messages go to.
type Element struct {
	e   *C.GstElement
	bus *C.GstBus
}

// Message is what an element posted.
type Message struct {
	Type        uint32
	Source      string
	Text, Debug string // of errors and warnings
}

// Make returns an element in NULL, with properties given as name, value, ….
// The caller closes it.
func Make(factory string, properties ...string) (*Element, error) {
	raw := with(factory, func(c *C.char) *C.GstElement { return C.gst_element_factory_make(c, nil) })
	if raw == nil {
		return nil, fmt.Errorf("%w: %s", errMake, factory)
	}
	C.gst_object_ref_sink(C.gpointer(unsafe.Pointer(raw)))
	e := &Element{e: raw, bus: C.gst_bus_new()}
	C.gst_element_set_bus(e.e, e.bus)
	for i := 0; i+1 < len(properties); i += 2 {
		if !e.Set(properties[i], properties[i+1]) {
			e.Close()
			return nil, fmt.Errorf("%w: %s takes no %s=%s", errMake, factory, properties[i], properties[i+1])
		}
	}
	return e, nil
}

// Pointer returns the GstElement.
func (e *Element) Pointer() unsafe.Pointer { return unsafe.Pointer(e.e) }

// Set sets a property from its serialised value and reports whether the
// element has it and could read the value.
func (e *Element) Set(property, value string) bool {
	return with(property, func(p *C.char) bool {
		return with(value, func(v *C.char) bool { return C.element_set(e.e, p, v) != 0 })
	})
}

// Get returns the serialised value of a property.
func (e *Element) Get(property string) string {
	return with(property, func(p *C.char) string { return take(C.element_get(e.e, p)) })
}

// SetState changes the state, waits for it, and reports whether it was reached.
func (e *Element) SetState(s State) bool {
	if C.gst_element_set_state(e.e, C.GstState(s)) == C.GST_STATE_CHANGE_FAILURE {
		return false
	}
	return C.gst_element_get_state(e.e, nil, nil, C.GstClockTime(10*time.Second)) != C.GST_STATE_CHANGE_FAILURE
}

// Message returns the next message of one of the types, nil when none came in
// the time given.
func (e *Element) Message(types uint32, within time.Duration) *Message {
	var m C.Message
	if C.bus_pop(e.bus, C.guint64(within), C.GstMessageType(types), &m) == 0 {
		return nil
	}
	defer C.message_clear(&m)
	return &Message{
		Type: uint32(m._type), Source: C.GoString(m.source),
		Text: C.GoString(m.text), Debug: C.GoString(m.debug),
	}
}

// Close brings the element to NULL and lets it go.
func (e *Element) Close() {
	C.gst_element_set_state(e.e, C.GST_STATE_NULL)
	C.gst_element_set_bus(e.e, nil)
	C.gst_object_unref(C.gpointer(unsafe.Pointer(e.e)))
	C.gst_object_unref(C.gpointer(unsafe.Pointer(e.bus)))
}

// Leak makes an element and forgets it, to see whether somebody notices.
func Leak(factory string) {
	with(factory, func(c *C.char) *C.GstElement { return C.gst_element_factory_make(c, nil) })
}

// Property describes a property of an element's class.
type Property struct {
	Name, Type, Range, Default, Meaning string
	Writable, WhilePlaying              bool
}

// Properties returns what the element's own class adds to its parents'.
func (e *Element) Properties() []Property {
	var n C.guint
	raw := C.element_properties(e.e, &n)
	defer C.properties_free(raw, n)
	var list []Property
	for _, p := range unsafe.Slice(raw, int(n)) { // valid until properties_free
		list = append(list, Property{
			Name: C.GoString(p.name), Type: C.GoString(p._type), Range: C.GoString(p._range),
			Default: C.GoString(p.initial), Meaning: C.GoString(p.blurb),
			Writable: p.writable != 0, WhilePlaying: p.playing != 0,
		})
	}
	return list
}

// Template returns the caps of a pad's template.
func (e *Element) Template(pad string) string {
	return with(pad, func(c *C.char) string { return take(C.element_template(e.e, c)) })
}

// Pull starts, or ends, the reading of ranges at a source pad, as demuxers do. The
// element must be in READY.
func (e *Element) Pull(pad string, active bool) bool {
	on := map[bool]C.gboolean{true: 1}[active]
	return with(pad, func(c *C.char) bool { return C.element_pull(e.e, c, on) != 0 })
}

// Range reads n bytes at an offset of a source pad, fewer at the end.
func (e *Element) Range(pad string, offset int64, n int) ([]byte, Flow) {
	data, got := make([]byte, n), C.guint(n)
	flow := with(pad, func(c *C.char) Flow {
		return C.element_range(e.e, c, C.guint64(offset), unsafe.Pointer(unsafe.SliceData(data)), &got)
	})
	return data[:got], flow
}

// FlushStart sends the begin of a flush to a source pad, FlushStop its end.
func (e *Element) FlushStart(pad string) {
	with(pad, func(c *C.char) struct{} { C.element_flush(e.e, c, 1); return struct{}{} })
}

// FlushStop is described at FlushStart.
func (e *Element) FlushStop(pad string) {
	with(pad, func(c *C.char) struct{} { C.element_flush(e.e, c, 0); return struct{}{} })
}

// PadCaps returns the caps that a pad has, "" for none.
func (e *Element) PadCaps(pad string) string {
	return with(pad, func(c *C.char) string { return take(C.element_pad_caps(e.e, c)) })
}
