package pipeline

// #cgo pkg-config: gstreamer-app-1.0 gstreamer-video-1.0
// #include "rawio.h"
import "C"

import (
	"context"
	"time"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Picture is a decoded picture. Its frame's memory is valid only during the
// call that gets it, and not to be written to.
type Picture struct {
	Frame frame.Frame
	PTS   time.Duration // from the start of the file
}

// Frames decodes the video of a file and hands each picture, in the order of
// presentation, to use. An error of use ends it and is returned; others are of
// type *Error, or ctx's cause.
func Frames(ctx context.Context, path string, use func(Picture) error) error {
	m, err := Probe(ctx, path)
	if err != nil {
		return err
	}
	plan := Plan{Media: m}
	nodes := append([]Node{byteQueue("decode")}, plan.decoder()...)
	nodes = append(nodes, Node{Factory: "videoconvert"}, Node{Caps: "video/x-raw,format={I420,I420_10LE}"})
	b, err := build(Graph{
		Source:   []Node{{Factory: "filesrc", Props: []Prop{{"location", path}}}, {Factory: "parsebin", Name: "parse"}},
		Branches: []Branch{{StreamID: m.Video.StreamID, Pad: "sink", Nodes: nodes}},
		// Two pictures are enough for decoder and user to work at once.
		Mux: []Node{{Factory: "appsink", Name: "sink", Props: []Prop{{"sync", "false"}, {"max-buffers", "2"}}}},
	}, false)
	if err != nil {
		return err
	}
	err = b.pull(ctx, use)
	if down := b.close(); err == nil {
		err = down
	}
	return err
}

func (b *built) pull(ctx context.Context, use func(Picture) error) error {
	if err := b.start(); err != nil {
		if f := popError(b.pipe); f != nil {
			return f.classify()
		}
		return fail(CodeInternal, err, "the pipeline did not start")
	}
	for {
		var raw C.RawPicture
		got := C.rawio_pull(unsafe.Pointer(b.named["sink"].Instance()), C.guint64(tick), &raw)
		if got > 0 {
			err := useRaw(&raw, use)
			C.rawio_release(&raw)
			if err != nil {
				return err
			}
		}
		if f := popError(b.pipe); f != nil {
			return f.classify()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if got < 0 {
			return b.failed()
		}
	}
}

// useRaw hands a mapped picture on. Its slices are valid because the picture
// stays mapped until the caller releases it.
func useRaw(raw *C.RawPicture, use func(Picture) error) error {
	format, err := frame.ParseFormat(C.GoString(raw.format))
	if err != nil {
		return err
	}
	f := frame.Frame{Layout: frame.Layout{Format: format, Width: int(raw.width), Height: int(raw.height)}}
	for i := range int(raw.planes) {
		stride, rows := int(raw.stride[i]), int(raw.rows[i])
		n := stride*(rows-1) + f.RowBytes(i)
		f.Planes[i] = frame.Plane{Data: unsafe.Slice((*byte)(raw.data[i]), n), Stride: stride}
	}
	return use(Picture{Frame: f, PTS: time.Duration(raw.pts_ns)})
}
