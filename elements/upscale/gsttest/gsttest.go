package gsttest

// #cgo pkg-config: gstreamer-1.0 gstreamer-video-1.0 gstreamer-check-1.0
// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Init starts GStreamer.
func Init() { C.gst_init(nil, nil) }

// None is a time that a buffer does not have.
const None = time.Duration(-1)

// The flags of buffers that tests set and look for (GstBufferFlags).
const (
	FlagDiscont = uint32(C.GST_BUFFER_FLAG_DISCONT)
	FlagGap     = uint32(C.GST_BUFFER_FLAG_GAP)
	FlagMarker  = uint32(C.GST_BUFFER_FLAG_MARKER)
	FlagCorrupt = uint32(C.GST_BUFFER_FLAG_CORRUPTED)
	FlagDelta   = uint32(C.GST_BUFFER_FLAG_DELTA_UNIT)
)

// Region is a part of a picture in pixels.
type Region struct{ X, Y, Width, Height int }

// Buffer is a frame and what a GstBuffer says of it.
type Buffer struct {
	frame.Frame
	Meta               bool // lies in memory as the frame's strides say, with a GstVideoMeta that says so; else GStreamer's own way
	PTS, DTS, Duration time.Duration
	Offset             uint64
	Flags              uint32
	Interest, Crop     Region // the zero value for none
	Caption            []byte // at most 4 bytes
}

// Of returns a buffer of f at a time, 40 ms long.
func Of(f frame.Frame, pts time.Duration) Buffer {
	return Buffer{Frame: f, PTS: pts, DTS: None, Duration: 40 * time.Millisecond}
}

// native is b for the C side. It is valid while pins holds b's planes.
func (b *Buffer) native(pins *runtime.Pinner) (p C.Picture, free func()) {
	format := C.CString(b.Format.String())
	p = C.Picture{
		format: format, width: C.int(b.Width), height: C.int(b.Height), planes: C.int(b.Format.Planes()),
		pts: C.guint64(b.PTS), dts: C.guint64(b.DTS), duration: C.guint64(b.Duration),
		offset: C.guint64(b.Offset), flags: C.guint(b.Flags), caption_size: C.guint(len(b.Caption)),
		region: b.Interest.native(), crop: b.Crop.native(),
	}
	if b.Meta {
		p.meta = 1
	}
	for i, plane := range b.Planes[:b.Format.Planes()] {
		pins.Pin(&plane.Data[0]) // Go memory, read or written by C during the call
		p.data[i], p.size[i], p.stride[i] = unsafe.Pointer(&plane.Data[0]), C.gsize(len(plane.Data)), C.int(plane.Stride)
	}
	for i, v := range b.Caption {
		p.caption[i] = C.guint8(v)
	}
	return p, func() { C.free(unsafe.Pointer(format)) } // valid: C.CString allocates with malloc
}

func (r Region) native() [4]C.int {
	return [4]C.int{C.int(r.X), C.int(r.Y), C.int(r.Width), C.int(r.Height)}
}

func region(r [4]C.int) Region { return Region{int(r[0]), int(r[1]), int(r[2]), int(r[3])} }

// make returns b as a GstBuffer that the caller owns.
func (b Buffer) make() *C.GstBuffer {
	var pins runtime.Pinner
	defer pins.Unpin()
	p, free := b.native(&pins)
	defer free()
	return C.picture_buffer(&p)
}

// read copies a GstBuffer with a picture of layout l and lets it go.
func read(buffer *C.GstBuffer, l frame.Layout) (Buffer, error) {
	defer C.gst_buffer_unref(buffer)
	b := Buffer{Frame: frame.New(l, 1)}
	var pins runtime.Pinner
	defer pins.Unpin()
	p, free := b.native(&pins)
	defer free()
	if C.picture_read(&p, buffer) == 0 {
		return b, fmt.Errorf("a buffer holds no %dx%d %s", l.Width, l.Height, l.Format)
	}
	b.PTS, b.DTS, b.Duration = time.Duration(p.pts), time.Duration(p.dts), time.Duration(p.duration)
	b.Offset, b.Flags = uint64(p.offset), uint32(p.flags)
	b.Interest, b.Crop = region(p.region), region(p.crop)
	for _, v := range p.caption[:p.caption_size] {
		b.Caption = append(b.Caption, byte(v))
	}
	return b, nil
}

// take returns a string of g_malloc's and frees it; "" for NULL.
func take(s *C.char) string {
	defer C.g_free(C.gpointer(unsafe.Pointer(s)))
	return C.GoString(s)
}

// with calls f with s in C's form.
func with[T any](s string, f func(*C.char) T) T {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c)) // valid: C.CString allocates with malloc
	return f(c)
}

var errMake = errors.New("GStreamer made no element")
