package pipeline

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// videoLane hands over the picture.
type videoLane struct {
	plan PlayPlan
	out  Output
	gate *gate
}

func (l *videoLane) caps(caps string, data []byte) error {
	if len(data) == 0 {
		return nil // not complete yet
	}
	return l.out.Init(StreamInit{
		Data: data, Width: capsInt(caps, "width"), Height: capsInt(caps, "height"),
		Aspect: capsFraction(caps, "pixel-aspect-ratio"), Colorimetry: capsField(caps, "colorimetry"),
	})
}

func (l *videoLane) buffer(b playBuffer) error {
	t := l.plan.Timeline
	pts := t.InTicks(b.pts)
	end := t.InTicks(b.pts + b.duration)
	if err := l.gate.pass(b.pts); err != nil {
		return err
	}
	if err := l.out.Packet(Packet{PTS: pts, DTS: min(t.InTicks(b.dts), pts), Duration: end - pts, Key: b.key, Data: b.data}); err != nil {
		return err
	}
	l.gate.handed(b.pts + b.duration)
	return nil
}

func (l *videoLane) end() error { return nil }

// soundLane hands over a track of sound. Frames are numbered, not timed: every
// frame has the same length, and times come rounded.
type soundLane struct {
	plan        SoundPlan
	timeline    Timeline
	out         Output
	gate        *gate
	start, stop time.Duration // stream times that the source is asked for
	from        int64         // the first frame that is delivered
	next        int64         // the frame that comes next
}

// warmUp is how many frames an encoder is given before the first that is
// delivered: a frame overlaps with the one before it.
const warmUp = 1

// priming is how many frames the encoder puts out before those of its input:
// libavcodec's AAC encoder looks one frame ahead (its initial_padding is 1024).
const priming = 1

func newSoundLane(p PlayPlan, track, segment int, out Output) *soundLane {
	s := p.Audio[track]
	l := &soundLane{plan: s, timeline: p.Timeline, out: out, stop: -1}
	l.from = s.FirstOf(p.Timeline, segment)
	begin := l.from
	if s.Passed {
		begin = max(0, l.from-2*warmUp) // a container's times may be a frame off
	} else {
		begin = max(0, l.from-warmUp)
		l.next = begin - priming
		l.stop = p.Timeline.Origin + l.at(s.Frames)
	}
	l.start = p.Timeline.Origin + l.at(begin)
	return l
}

// at returns when a frame begins, in time of the film.
func (l *soundLane) at(frame int64) time.Duration {
	return time.Duration(mulDiv(l.plan.First+frame*FrameSamples, int64(time.Second), int64(l.plan.Rate)))
}

func (l *soundLane) caps(_ string, data []byte) error {
	if len(data) == 0 {
		return nil // not complete yet
	}
	return l.out.Init(StreamInit{Data: data})
}

func (l *soundLane) buffer(b playBuffer) error {
	n := l.next
	if l.plan.Passed {
		if !b.timed {
			n = l.next
		} else {
			n = max(l.next, (l.plan.samples(b.pts-l.timeline.Origin)-l.plan.First+FrameSamples/2)/FrameSamples)
		}
		if l.plan.samples(b.pts-l.timeline.Origin) < l.plan.First-FrameSamples/2 {
			return nil // before the film's beginning
		}
	}
	l.next = n + 1
	if n < l.from || n >= l.plan.Frames {
		return nil
	}
	return l.hand(n, b.data)
}

func (l *soundLane) hand(n int64, data []byte) error {
	if err := l.gate.pass(l.at(n)); err != nil {
		return err
	}
	pts := l.plan.First + n*FrameSamples
	if err := l.out.Packet(Packet{PTS: pts, DTS: pts, Duration: FrameSamples, Key: true, Data: data}); err != nil {
		return err
	}
	l.gate.handed(l.at(n + 1))
	return nil
}

func (l *soundLane) end() error { return nil }

// handOver has what reaches a sink handed to the run behind a handle.
func handOver(sink *gst.Element, h cgo.Handle) {
	C.sink_hand_over(unsafe.Pointer(sink.Instance()), C.guintptr(h))
}

//export goPlayCaps
func goPlayCaps(h C.guintptr, caps *C.char, data unsafe.Pointer, n C.gsize) *C.char {
	return guardPlay(h, func(r *Play) error {
		return r.lane.caps(C.GoString(caps), C.GoBytes(data, C.int(n)))
	})
}

//export goPlayBuffer
func goPlayBuffer(h C.guintptr, b *C.PlayBuffer) *C.char {
	return guardPlay(h, func(r *Play) error {
		return r.lane.buffer(playBuffer{
			// Valid: the buffer is mapped until this call returns, and a lane keeps nothing.
			data: unsafe.Slice((*byte)(b.data), int(b.size)),
			pts:  time.Duration(b.pts_ns), dts: time.Duration(b.dts_ns), duration: max(0, time.Duration(b.duration_ns)),
			timed: b.timed != 0, key: b.key != 0,
		})
	})
}

// guardPlay calls f with the run behind a handle. What goes wrong, a panic too,
// comes back as a sentence that the C side frees.
func guardPlay(h C.guintptr, f func(*Play) error) (sentence *C.char) {
	r := cgo.Handle(h).Value().(*Play)
	defer func() {
		if p := recover(); p != nil {
			sentence = C.CString(fmt.Sprintf("internal error: %v\n%s", p, debug.Stack()))
		}
	}()
	err := f(r)
	if err == nil || errors.Is(err, errClosed) {
		return nil
	}
	r.gate.fail(err)
	return C.CString(err.Error())
}
