package pipeline

// #include "live.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/adjust"
	"github.com/upscaled-media/upscaled/elements/upscale"
)

// lag bounds how long what waits in a queue does: see live.h.
type lag struct{ c *C.Lag }

func newLag(queue *gst.Element, limit time.Duration, byKey bool) lag {
	return lag{C.lag_new(unsafe.Pointer(queue.Instance()), C.gint64(limit/time.Microsecond), gboolean(byKey))}
}

func (l lag) dropped() int64 { return int64(C.lag_dropped(l.c)) }
func (l lag) free()          { C.lag_free(l.c) }

// liveWay is the way of the picture.
type liveWay struct {
	caps     string   // of the track
	track    *gst.Pad // of the demuxer
	pad      *gst.Pad // where decoded pictures come from; nil before the first
	times    liveTimes
	decoder  *gst.Element // a decodebin
	lag      lag          // of compressed pictures
	raw      string       // what the tail was made for
	tail     *liveTail    // nil before the first picture
	upscaled int64        // by tails that are gone, as the following
	plain    int64
	encoded  int64
	dropped  int64
}

// livePart is elements that are made and taken away while the stream flows.
type livePart struct {
	*built
	elements []*gst.Element
	over     chan struct{} // closed when the end of the stream has reached the last of them
}

// liveTail makes pictures of one form.
type liveTail struct {
	*livePart
	upscaler *upscale.Element
	adjuster *adjust.Element
	lag      lag
}

// addPicture takes the video's track: a queue, and a decoder whose pictures tell what
// follows. The caller holds mu.
func (l *Live) addPicture(pad *gst.Pad) error {
	waiting := polite(Node{Factory: "queue", Name: "decode", Props: []Prop{
		{"max-size-buffers", "0"}, {"max-size-bytes", itoa(liveBytes)}, {"max-size-time", "0"},
	}})
	nodes := append(liveParser(padCaps(pad)), waiting, Node{Factory: "decodebin", Name: "decoder", Props: []Prop{{"force-sw-decoders", "true"}}})
	made, err := l.head.chain(nodes)
	if err != nil {
		return err
	}
	queue, decoder := l.head.named["decode"], l.head.named["decoder"]
	ownPictures(decoder)
	C.bin_low_delay(unsafe.Pointer(decoder.Instance()))
	l.picture = &liveWay{caps: padCaps(pad), track: pad, decoder: decoder, lag: newLag(queue, liveLate, true)}
	l.signals.padAdded(decoder, func(raw *gst.Pad) { l.note(l.decoded(raw)) })
	straightenPad(pad, l.head.handle(&l.picture.times))
	begun(made)
	if r := pad.Link(made[0].GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "the picture does not link to its queue: %d", r)
	}
	return nil
}

// liveParser returns what makes whole pictures of a track, and tells key frames: a
// transport stream has neither.
func liveParser(caps string) []Node {
	switch name := capsName(caps); {
	case name == "video/x-h264":
		return []Node{{Factory: "h264parse"}, {Caps: name + ",alignment=au"}}
	case name == "video/x-h265":
		return []Node{{Factory: "h265parse"}, {Caps: name + ",alignment=au"}}
	case name == "video/mpeg" && capsInt(caps, "mpegversion") <= 2:
		return []Node{{Factory: "mpegvideoparse"}}
	}
	return nil
}

// decoded takes the decoder's pad, which it adds with its first picture.
func (l *Live) decoded(raw *gst.Pad) error {
	l.expectSound()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	caps := raw.GetCurrentCaps()
	if caps == nil {
		return fail(CodeDamaged, nil, "the first picture of %s has no form", l.film.Name)
	}
	l.picture.pad = raw
	l.head.counters[StageDecode] = newCounter(raw)
	if err := l.form(caps.String()); err != nil {
		return err
	}
	l.tellCaps(raw, l.form) // from here on
	return nil
}

// formFields are the fields of a picture's caps that its way depends on.
var formFields = []string{"width", "height", "format", "interlace-mode", "pixel-aspect-ratio", "colorimetry", "chroma-site"}

// form makes the way for pictures of some caps, if there is another one or none. The
// caller holds mu and is on the decoder's thread.
func (l *Live) form(caps string) error {
	way, form := l.picture, ""
	for _, f := range formFields {
		form += capsField(caps, f) + " "
	}
	if form == way.raw {
		return nil
	}
	m := Media{Path: l.film.Name}
	m.Video.Caps = way.caps
	m.Video.show(caps)
	m.Video.Decoder = factories(way.decoder, "Parser", "Decoder")
	l.set.Lock()
	spec := LiveSpec{PlaySpec: l.spec, Sound: l.audio, KeyFrames: l.clock.keys}
	l.set.Unlock()
	plan, err := newLivePlan(m, spec, Has)
	if err != nil {
		return err
	}
	if !l.opened.Load() {
		if err := l.open(plan); err != nil {
			return err
		}
	}
	if way.tail != nil {
		l.log.Info("the picture of a live stream changes", "from", way.raw, "to", form)
		if err := l.drain(); err != nil {
			return err
		}
	}
	tail, err := l.addTail(plan, spec)
	if err != nil {
		return err
	}
	way.raw, way.tail = form, tail
	begun(tail.elements)
	if r := way.pad.Link(tail.elements[0].GetStaticPad("sink")); r != gst.PadLinkOK {
		return fail(CodeInternal, nil, "decoded pictures do not link to what they are made by: %d", r)
	}
	return nil
}

// open tells the output of the stream. The caller holds mu.
func (l *Live) open(plan PlayPlan) error {
	plan.Media.Container = containers[factoryOf(l.head.source[1])]
	plan.Audio = l.tellSound()
	if err := l.out.Opened(plan); err != nil {
		return err
	}
	l.opened.Store(true)
	return nil
}

// addPart makes elements. The caller holds mu.
func (l *Live) addPart(nodes []Node) (*livePart, error) {
	p := &livePart{built: l.part(), over: make(chan struct{})}
	var err error
	p.elements, err = p.chain(nodes)
	return p, err // with an error the run ends, and the pipeline has what was made
}

// addTail makes the elements of a plan. The caller holds mu.
func (l *Live) addTail(plan PlayPlan, spec LiveSpec) (*liveTail, error) {
	p, err := l.addPart(append(plan.picture, liveSink()))
	if err != nil {
		return nil, err
	}
	t := &liveTail{livePart: p}
	if t.upscaler, err = upscale.Of(p.named["upscaler"].Unsafe()); err != nil {
		return nil, fail(CodeInternal, err, "no upscaler")
	}
	if t.adjuster, err = adjust.Of(p.named["adjust"].Unsafe()); err != nil {
		return nil, fail(CodeInternal, err, "no filters")
	}
	if err := t.adjuster.Set(spec.Filters, spec.Cube); err != nil {
		return nil, fail(CodeSpec, err, "filters: %s", err.Error())
	}
	t.lag = newLag(p.named["upscale"], liveWait, false)
	l.clock.anew()
	encoderTimes(p.named["encoder"].GetStaticPad("sink"), p.handle(&l.clock))
	handOver(p.named["sink"], p.handle(&livePictureLane{live: l, clock: &l.clock, times: &l.picture.times, over: p.over}))
	return t, nil
}

// liveSink hands over what comes.
func liveSink() Node {
	return Node{Factory: "fakesink", Name: "sink", Props: []Prop{{"sync", "false"}, {"async", "false"}, {"enable-last-sample", "false"}}}
}

// drained bounds the time in which the pictures of one form are made before those of
// another begin. With a slow model the newest ones go: the stream does not wait.
const drained = time.Second

// drain has the tail make what it holds, takes it away, and keeps its figures. The
// caller holds mu and is on the decoder's thread, so that nothing more comes.
func (l *Live) drain() error {
	way := l.picture
	t := way.tail
	if err := l.retire(t.livePart, way.pad); err != nil {
		return err
	}
	upscaled := int64(t.upscaler.Stats().Upscaled)
	way.upscaled += upscaled
	way.plain += t.counters[StageUpscale].count() - upscaled
	way.encoded += t.counters[StageEncode].count()
	way.dropped += t.dropped()
	t.free()
	way.tail = nil
	return nil
}

// retire ends a part that a pad is linked to, and takes its elements out of the
// pipeline. The caller holds mu and is on the pad's thread.
func (l *Live) retire(p *livePart, from *gst.Pad) error {
	end := p.elements[0].GetStaticPad("sink")
	from.Unlink(end)
	C.pad_send_end(unsafe.Pointer(end.Instance())) // valid: the element holds it
	late := time.NewTimer(drained)
	defer late.Stop()
	select {
	case <-p.over:
	case <-late.C:
	case <-l.stop:
		return errClosed
	}
	for _, e := range p.elements {
		if err := e.SetState(gst.StateNull); err != nil {
			return fail(CodeInternal, err, "an element did not stop")
		}
		if err := l.pipe.Remove(e); err != nil {
			return fail(CodeInternal, err, "an element cannot be removed")
		}
	}
	return nil
}

// dropped returns how many pictures were let go.
func (t *liveTail) dropped() int64 { return t.lag.dropped() + int64(t.upscaler.Stats().Dropped) }

// free lets go of what counts in a tail, whose elements are in NULL.
func (t *liveTail) free() {
	t.lag.free()
	t.livePart.free()
}

// free lets go of what counts, with the pipeline in NULL.
func (w *liveWay) free() {
	if w.tail != nil {
		w.tail.free()
	}
	w.lag.free()
}

// handle returns the handle of what an element of a part calls, which lives until the
// part is freed.
func (b *built) handle(v any) cgo.Handle {
	h := cgo.NewHandle(v)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handles = append(b.handles, h)
	return h
}

func factoryOf(e *gst.Element) string { return e.GetFactory().GetName() }

// tellCaps has f called with the caps of a source pad, with mu held, until the end of
// the run. An error ends it. The caller holds mu.
func (l *Live) tellCaps(pad *gst.Pad, f func(caps string) error) {
	h := l.head.handle(func(caps string) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed {
			return errClosed
		}
		err := f(caps)
		l.note(err)
		return err
	})
	C.pad_tell_caps(unsafe.Pointer(pad.Instance()), C.guintptr(h)) // valid: borrowed for the call
}

// encoderTimes is pad_live_times of live.h, for a *liveClock behind a handle.
func encoderTimes(encoder *gst.Pad, clock cgo.Handle) {
	C.pad_live_times(unsafe.Pointer(encoder.Instance()), C.guintptr(clock)) // valid: borrowed for the call
}

// goLiveCaps calls the function behind a handle. What goes wrong, a panic too, comes
// back as a sentence that the C side frees.
//
//export goLiveCaps
func goLiveCaps(h C.guintptr, caps *C.char) (sentence *C.char) {
	defer func() {
		if p := recover(); p != nil {
			sentence = C.CString(fmt.Sprintf("internal error: %v\n%s", p, debug.Stack()))
		}
	}()
	err := cgo.Handle(h).Value().(func(string) error)(C.GoString(caps))
	if err == nil || errors.Is(err, errClosed) {
		return nil
	}
	return C.CString(err.Error())
}
