package pipeline

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/grid"
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

func (l *videoLane) end() error { return nil } // segmentgrid has held the last picture to the end

// soundLane hands over a track of sound. Frames are numbered, not timed: every
// frame has the same length, and times come rounded. Frames that do not come are
// silent.
type soundLane struct {
	plan     SoundPlan
	frame    int64 // its length in samples
	timeline Timeline
	out      Output
	gate     *gate
	begin    int64 // the first frame that the source is asked for
	next     int64 // the frame that comes next
	due      int64 // the frame that is handed over next
	told     bool  // how they are to be decoded

	placed bool     // of frames that are passed on: next is known
	early  [][]byte // that came before it was, or whose place is in doubt since the first of them
	claims int64    // the frame that this one is by its time
}

// mostEarly bounds the frames that wait for one with a time: a demuxer gives none
// to what lies before the first time stamp of a transport stream's clock.
const mostEarly = 100

func newSoundLane(p PlayPlan, track, segment int, out Output, g *gate) *soundLane {
	s := p.Audio[track]
	l := &soundLane{
		plan: s, frame: int64(s.FrameSamples()), timeline: p.Timeline, out: out, gate: g, due: s.FirstOf(p.Timeline, segment),
	}
	if s.Passed {
		l.begin = max(0, l.due-2) // frames overlap, and a container's times may be a frame off
	} else {
		l.begin = max(0, l.due-s.Codec.warmUp())
		l.next = l.begin - s.Codec.priming()
	}
	return l
}

// at returns when a frame begins, in time of the film.
func (l *soundLane) at(frame int64) time.Duration {
	return time.Duration(mulDiv(l.plan.First+frame*l.frame, int64(time.Second), int64(l.plan.Rate)))
}

// samples returns what goes into an encoder.
func (l *soundLane) samples() grid.Samples {
	ahead := l.plan.First + l.plan.Codec.lookahead()
	return grid.Samples{Origin: l.timeline.Origin, First: ahead + l.begin*l.frame, End: ahead + l.plan.Frames*l.frame}
}

// caps tells of frames that are passed on. Those that are encoded here need no
// encoder to be told of, which a run behind the track's end never has.
func (l *soundLane) caps(_ string, data []byte) error {
	if len(data) == 0 || !l.plan.Passed {
		return nil
	}
	l.told = true
	return l.out.Init(StreamInit{Data: data})
}

func (l *soundLane) buffer(b playBuffer) error {
	if !l.plan.Passed {
		return l.take(b.data)
	}
	switch n := l.number(b.pts); {
	case !b.timed && (!l.placed || len(l.early) > 0) && len(l.early) < mostEarly:
		l.early = append(l.early, bytes.Clone(b.data))
		return nil
	case !l.placed && b.timed:
		l.next = n - int64(len(l.early))
	case b.timed && len(l.early) > 0:
		if l.off(n) && n >= l.claims+int64(len(l.early))-jitter { // it bears the others out, which otherwise follow what came before
			l.next = l.claims
		}
		if err := l.place(); err != nil {
			return err
		}
		return l.buffer(b)
	case b.timed && l.off(n):
		l.early, l.claims = append(l.early, bytes.Clone(b.data)), n
		return nil
	case b.timed:
		l.next = max(l.next, n)
	}
	if err := l.place(); err != nil {
		return err
	}
	return l.take(b.data)
}

// jitter is how many frames a time may be off by rounding.
const jitter = 2

// off reports whether a time that makes a frame number n cannot be that of the frame that comes next: frames are missing
// between them, or the time is wrong, as in a damaged film. What comes after it tells which. Some containers give the
// frames of up to a second one time, so behind it is no sooner.
func (l *soundLane) off(n int64) bool {
	return n > l.next+jitter || n < l.next-int64(l.plan.Rate)/l.frame
}

// number returns which frame begins at a stream time, negative before the film's
// beginning.
func (l *soundLane) number(at time.Duration) int64 {
	return mulDiv(l.plan.samples(at-l.timeline.Origin)-l.plan.First, 1, l.frame)
}

// place takes the frames that waited for their number, which is next.
func (l *soundLane) place() error {
	l.placed = true
	for _, data := range l.early {
		if err := l.take(data); err != nil {
			return err
		}
	}
	l.early = nil
	return nil
}

// take hands over the next frame if it is one of the film's and still due, after
// silence where those before it have not come.
func (l *soundLane) take(data []byte) error {
	n := l.next
	l.next++
	if n < l.due || n >= l.plan.Frames {
		return nil
	}
	if err := l.silence(n); err != nil {
		return err
	}
	return l.hand(data)
}

// silence hands over silent frames until one.
func (l *soundLane) silence(until int64) error {
	for l.due < until {
		if err := l.hand(l.plan.silence()); err != nil {
			return err
		}
	}
	return nil
}

// hand hands over the frame that is due.
func (l *soundLane) hand(data []byte) error {
	if !l.told {
		l.told = true
		if err := l.out.Init(StreamInit{Data: l.plan.config()}); err != nil {
			return err
		}
	}
	if err := l.gate.pass(l.at(l.due)); err != nil {
		return err
	}
	pts := l.plan.First + l.due*l.frame
	if err := l.out.Packet(Packet{PTS: pts, DTS: pts, Duration: l.frame, Key: true, Data: data}); err != nil {
		return err
	}
	l.due++
	l.gate.handed(l.at(l.due))
	return nil
}

func (l *soundLane) end() error {
	if l.placed && len(l.early) > 0 { // nothing speaks against it
		l.next = l.claims
	}
	if err := l.place(); err != nil {
		return err
	}
	return l.silence(l.plan.Frames)
}

// taker takes what reaches a sink: a run, or a part of a live one.
type taker interface {
	// taking returns the lane that gets it.
	taking() lane
	// fault gets an error of that lane.
	fault(err error)
}

func (r *Play) taking() lane    { return r.lane }
func (r *Play) fault(err error) { r.gate.fail(err) }

// handOver has what reaches a sink handed to the taker behind a handle.
func handOver(sink *gst.Element, h cgo.Handle) {
	C.sink_hand_over(unsafe.Pointer(sink.Instance()), C.guintptr(h))
}

//export goPlayCaps
func goPlayCaps(h C.guintptr, caps *C.char, data unsafe.Pointer, n C.gsize) *C.char {
	return guardPlay(h, func(l lane) error {
		return l.caps(C.GoString(caps), C.GoBytes(data, C.int(n)))
	})
}

//export goPlayBuffer
func goPlayBuffer(h C.guintptr, b *C.PlayBuffer) *C.char {
	return guardPlay(h, func(l lane) error {
		return l.buffer(playBuffer{
			// Valid: the buffer is mapped until this call returns, and a lane keeps nothing.
			data: unsafe.Slice((*byte)(b.data), int(b.size)),
			pts:  time.Duration(b.pts_ns), dts: time.Duration(b.dts_ns), duration: max(0, time.Duration(b.duration_ns)),
			timed: b.timed != 0, key: b.key != 0,
		})
	})
}

//export goPlayEnd
func goPlayEnd(h C.guintptr) *C.char {
	return guardPlay(h, func(l lane) error { return l.end() })
}

// guardPlay calls f with the lane of the taker behind a handle. What goes wrong, a panic too,
// comes back as a sentence that the C side frees.
func guardPlay(h C.guintptr, f func(lane) error) (sentence *C.char) {
	t := cgo.Handle(h).Value().(taker)
	defer func() {
		if p := recover(); p != nil {
			sentence = C.CString(fmt.Sprintf("internal error: %v\n%s", p, debug.Stack()))
		}
	}()
	err := f(t.taking())
	if err == nil || errors.Is(err, errClosed) {
		return nil
	}
	t.fault(err)
	return C.CString(err.Error())
}
