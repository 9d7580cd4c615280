package pipeline

// #include "span.h"
import "C"

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// Extent is from when to when the streams of a film really are, in stream time
// of GStreamer's.
type Extent struct {
	Streams map[string]Span // by stream id; those without a buffer are missing
	// Measured is false where the end was not reached in time, so that the end is
	// what the film claims.
	Measured bool
}

// Span is the time that a stream covers.
type Span struct {
	First, Last time.Duration // when its first and its last packet begin
	End         time.Duration // when the last one ends; Last where packets have no duration
}

// outlasts reports whether a film goes on behind the end that demuxers (1.22) are
// told of: once they were sent to another place they end there.
func (x Extent) outlasts(m Media) bool {
	claim := m.promised()
	if claim == 0 || !x.Measured || len(m.Extras.Mend.Bytes) > 0 {
		return false
	}
	for _, s := range x.Streams {
		if s.Last >= m.begin()+claim {
			return true
		}
	}
	return false
}

// tail is how long before its claimed end a film is read to find the real one.
// A demuxer goes back to a key frame, and sound may lie apart from its picture.
const tail = 10 * time.Second

// extentTimeout bounds the search for the end. What has no index is read whole,
// which takes a second or two for a film on a disk.
const extentTimeout = 5 * time.Second

// MeasureExtent finds out where the streams of a film begin and end, without
// decoding any. Containers say how long they are, and are wrong about it when
// they were cut, joined or broken off. Errors are of type *Error.
func MeasureExtent(ctx context.Context, f Film, m Media) (Extent, error) {
	pipe, err := gst.NewPipeline("extent")
	if err != nil {
		return Extent{}, fail(CodeInternal, err, "GStreamer made no pipeline")
	}
	x := &extent{pipe: pipe, own: m.ownTimes()}
	defer x.close()
	src, err := f.mended(m).element(pipe)
	if err != nil {
		return Extent{}, err
	}
	x.failed = func() error { return f.failed(src) }
	parse, err := addElement(pipe, "parsebin", "parse")
	if err != nil {
		return Extent{}, err
	}
	if err := src.Link(parse); err != nil {
		return Extent{}, fail(CodeInternal, err, "the source and parsebin do not link")
	}
	x.signals.padAdded(parse, x.add)
	if err := pipe.SetState(gst.StatePlaying); err != nil {
		return Extent{}, fail(CodeInternal, err, "GStreamer did not start")
	}
	return x.measure(ctx, m)
}

// extent is one search for a film's end.
type extent struct {
	pipe    *gst.Pipeline
	signals signals
	own     bool         // buffers' own time counts; see Media.ownTimes
	failed  func() error // with which reading the film failed, nil where it did not

	mu    sync.Mutex
	spans []span // guarded by mu
}

// span is the measure of one stream.
type span struct {
	id  string
	pad *gst.Pad
	c   *C.Span
}

func (x *extent) add(pad *gst.Pad) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.spans = append(x.spans, span{streamID(pad), pad, C.span_new(unsafe.Pointer(pad.Instance()), gboolean(x.own))})
}

// state tells how far the search is: whether every stream that m lists has begun
// and whether all have ended.
func (x *extent) state(m Media) (begun, ended bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	begun, ended = len(x.spans) > 0, len(x.spans) > 0
	waits := m.flowing()
	for _, s := range x.spans {
		_, n, done := s.read()
		ended = ended && done
		begun = begun && (n > 0 || done || !waits[s.id])
		delete(waits, s.id)
	}
	return begun && len(waits) == 0, ended && len(waits) == 0
}

func (s span) read() (t Span, count int64, ended bool) {
	var first, last, end, n C.gint64
	var done C.gboolean
	C.span_read(s.c, &first, &last, &end, &n, &done)
	return Span{time.Duration(first), time.Duration(last), time.Duration(end)}, int64(n), done != 0
}

// measure reads the beginning, then the end: from shortly before the claimed one
// on, and all of it where that has nothing.
func (x *extent) measure(ctx context.Context, m Media) (Extent, error) {
	deadline := time.Now().Add(extentTimeout)
	begun, err := x.wait(ctx, deadline, func() bool { b, e := x.state(m); return b || e })
	if err != nil || !begun {
		return x.result(false), err
	}
	if _, ended := x.state(m); !ended && m.length() > 3*tail && x.jump(m.Begin+m.length()-tail) {
		before := x.last(m.Video.StreamID)
		ended, err := x.wait(ctx, deadline, func() bool { _, e := x.state(m); return e })
		if err != nil {
			return Extent{}, err
		}
		if ended && x.last(m.Video.StreamID) > before {
			return x.result(true), nil
		}
		x.jump(m.Begin) // the claim is wrong, or seeking is
	}
	ended, err := x.wait(ctx, deadline, func() bool { _, e := x.state(m); return e })
	return x.result(ended), err
}

// last returns the end of what a stream has shown so far.
func (x *extent) last(id string) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.spans {
		if t, n, _ := s.read(); s.id == id && n > 0 {
			return t.End
		}
	}
	return math.MinInt64
}

// jump moves the source.
func (x *extent) jump(to time.Duration) bool {
	x.mu.Lock()
	first := x.spans[0].pad
	x.mu.Unlock()
	return seekKey(first, to)
}

// wait polls until a condition holds. It reports false when the time is up.
func (x *extent) wait(ctx context.Context, deadline time.Time, holds func() bool) (bool, error) {
	bus := x.pipe.GetPipelineBus()
	for !holds() {
		switch m := bus.TimedPopFiltered(gst.ClockTime(2*time.Millisecond), gst.MessageError); {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case m != nil: // what is damaged ends here, and so does the measure
			return false, x.failed()
		case time.Now().After(deadline):
			return false, nil
		}
	}
	return true, nil
}

func (x *extent) result(measured bool) Extent {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := Extent{Streams: map[string]Span{}, Measured: measured}
	for _, s := range x.spans {
		if t, n, _ := s.read(); n > 0 {
			e.Streams[s.id] = t
		}
	}
	return e
}

func (x *extent) close() {
	// The measure is taken; a hang is met again by who plays the film.
	if errors.Is(takeDown(x.pipe, downTimeout), ErrStuck) {
		return
	}
	x.signals.drop()
	for _, s := range x.spans {
		C.span_free(s.c)
	}
}
