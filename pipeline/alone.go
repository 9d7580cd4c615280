package pipeline

// #include "rawio.h"
import "C"

import (
	"context"
	"syscall"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Cost is what a stage took by itself.
type Cost struct {
	Frames int
	CPU    time.Duration // of the whole process, all threads
	Wall   time.Duration
}

// Alone runs one stage of a plan by itself, with the elements and settings
// that it has there, and measures it from its second picture on, when
// everything is set up. Decoding reads the plan's file; the other stages get
// pictures, over and over until there were frames of them. The process must do
// nothing else meanwhile.
func Alone(ctx context.Context, p Plan, s Stage, pictures []frame.Frame, frames int) (Cost, error) {
	b, err := build(p.alone(s, pictures), false)
	if err != nil {
		return Cost{}, err
	}
	cost, err := b.measure(ctx, s, pictures, frames)
	if down := b.close(); err == nil {
		err = down
	}
	return cost, err
}

// alone returns the graph of one stage: its nodes between a source and a sink
// that throws away.
func (p Plan) alone(s Stage, pictures []frame.Frame) Graph {
	all := p.Graph.Branches[0].Nodes
	end := 0
	for all[end].Stage != s {
		end++
	}
	begin := end // after the queue before it
	for begin > 0 && all[begin-1].Factory != "queue" {
		begin--
	}
	g := Graph{Mux: []Node{{Factory: "fakesink", Name: "sink", Props: []Prop{{"sync", "false"}}}}}
	nodes := all[begin : end+1]
	if s == StageDecode {
		g.Source = p.Graph.Source
		g.Branches = []Branch{{StreamID: p.Graph.Branches[0].StreamID, Pad: "sink", Nodes: append([]Node{byteQueue("")}, nodes...)}}
		return g
	}
	source := Node{Factory: "appsrc", Name: "pictures", Props: []Prop{
		{"caps", rawCaps(pictures[0].Layout, p.Media.Video.Rate)}, {"format", "time"}, {"block", "true"}, {"max-bytes", "33554432"},
	}}
	g.Branches = []Branch{{Pad: "sink", Nodes: append([]Node{source, queue("", 4)}, nodes...)}}
	return g
}

// measure plays a graph of one stage from its second picture to its end.
func (b *built) measure(ctx context.Context, s Stage, pictures []frame.Frame, frames int) (Cost, error) {
	if err := b.start(); err != nil {
		return Cost{}, fail(CodeInternal, err, "the stage did not start")
	}
	if s == StageDecode {
		return b.watch(ctx, s)
	}
	src := unsafe.Pointer(b.named["pictures"].Instance())
	period := time.Second / 25
	done := make(chan struct{})
	go func() { // ends with the frames, or when the pipeline is taken down and refuses more
		defer close(done)
		for i := range frames {
			data := packed(pictures[i%len(pictures)])
			// Valid: rawio_push copies the bytes before it returns.
			if C.rawio_push(src, unsafe.Pointer(unsafe.SliceData(data)), C.gsize(len(data)), C.guint64(time.Duration(i)*period), C.guint64(period)) == 0 {
				return
			}
		}
		C.rawio_end(src)
	}()
	cost, err := b.watch(ctx, s)
	if err != nil {
		C.rawio_end(src)
	}
	<-done
	return cost, err
}

// watch measures from the first picture that left the stage to the end.
func (b *built) watch(ctx context.Context, s Stage) (Cost, error) {
	bus := b.pipe.GetPipelineBus()
	var begin Cost
	poll := time.Millisecond // exact about the first picture; afterwards each look costs what is measured
	for {
		m := bus.TimedPopFiltered(gst.ClockTime(poll), gst.MessageError|gst.MessageEOS)
		n := int(b.counters[s].count())
		if begin.Frames == 0 && n > 0 {
			begin, poll = used(n), 100*time.Millisecond
		}
		switch {
		case ctx.Err() != nil:
			return Cost{}, context.Cause(ctx)
		case m == nil:
		case m.Type() == gst.MessageError:
			return Cost{}, parseFailure(m).classify()
		default:
			end := used(n)
			return Cost{end.Frames - begin.Frames, end.CPU - begin.CPU, end.Wall - begin.Wall}, nil
		}
	}
}

// epoch is what wall times are counted from.
var epoch = time.Now()

// used returns the processor time of this process so far.
func used(frames int) Cost {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return Cost{Frames: frames, Wall: time.Since(epoch)} // cannot fail with these arguments
	}
	return Cost{frames, time.Duration(u.Utime.Nano() + u.Stime.Nano()), time.Since(epoch)}
}
