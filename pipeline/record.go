package pipeline

// #cgo pkg-config: gstreamer-app-1.0 gstreamer-video-1.0
// #include "rawio.h"
import "C"

import (
	"context"
	"fmt"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Clip is what Record writes: pictures and stereo sound that draw themselves.
type Clip interface {
	// Draw fills dst with picture i.
	Draw(i int, dst frame.Frame) error
	// PTS returns the time at which picture i is shown.
	PTS(i int) time.Duration
	// Sound returns n stereo samples from sample from on, S16LE at SoundRate.
	Sound(from int64, n int) []byte
}

// SoundRate is the sample rate of a Clip's sound in hertz.
const SoundRate = 48000

// Recording says how a clip is written.
type Recording struct {
	Path        string // a Matroska file; with Live a transport stream
	Layout      frame.Layout
	Rate        Fraction
	PixelAspect Fraction // zero value: square
	Frames      int
	Quality     int // of x264: 0 is without loss
	KeyFrames   int // pictures from one key frame to the next, 0: x264 decides
	Interlaced  bool
	AAC         bool // sound in place of FLAC; transport streams have no other
	Live        bool // as a camera encodes: each picture can be shown as soon as it is there
}

// Record draws a clip and writes it as H.264 and FLAC or AAC. Errors are
// the clip's, of type *Error, or ctx's cause.
func Record(ctx context.Context, r Recording, c Clip) error {
	if r.PixelAspect.Num == 0 {
		r.PixelAspect = Fraction{1, 1}
	}
	b, err := build(r.graph(), false)
	if err != nil {
		return err
	}
	err = b.record(ctx, r, c)
	if down := b.close(); err == nil {
		err = down
	}
	return err
}

// graph returns the graph that writes the recording: two branches that begin
// with appsrc.
func (r Recording) graph() Graph {
	video := rawCaps(r.Layout, r.Rate) + ",pixel-aspect-ratio=" + r.PixelAspect.String()
	if r.Interlaced {
		video += ",interlace-mode=interleaved,field-order=top-field-first"
	}
	audio := "audio/x-raw,format=S16LE,layout=interleaved,channels=2,channel-mask=(bitmask)3,rate=" + itoa(SoundRate)
	// 32 MiB are a few pictures; a full appsrc blocks whoever feeds it.
	source := func(name, caps string) Node {
		return Node{Factory: "appsrc", Name: name, Props: []Prop{{"caps", caps}, {"format", "time"}, {"block", "true"}, {"max-bytes", "33554432"}}}
	}
	encoder := Node{Factory: "x264enc", Name: "encoder", Props: []Prop{
		{"pass", "quant"}, {"quantizer", itoa(r.Quality)}, {"speed-preset", "veryfast"}, {"interlaced", yes(r.Interlaced)},
	}}
	if r.KeyFrames > 0 {
		encoder.Props = append(encoder.Props, Prop{"key-int-max", itoa(r.KeyFrames)}, Prop{"option-string", "scenecut=0"})
	}
	muxer, parser, pads := "matroskamux", Node{Factory: "h264parse"}, [2]string{"video_%u", "audio_%u"}
	if r.Live {
		encoder.Props = append(encoder.Props, Prop{"tune", "zerolatency"})
		muxer, parser.Props = "mpegtsmux", []Prop{{"config-interval", "-1"}}
		pads = [2]string{"sink_%d", "sink_%d"}
	}
	sound := []Node{source("sound", audio), {Factory: "flacenc"}, byteQueue("")}
	if r.AAC {
		sound = []Node{source("sound", audio), {Factory: "audioconvert"}, {Factory: "avenc_aac"}, byteQueue("")}
	}
	return Graph{
		Branches: []Branch{
			{Pad: pads[0], Nodes: []Node{source("pictures", video), queue("", pictures), encoder, parser, byteQueue("")}},
			{Pad: pads[1], Nodes: sound},
		},
		Mux: []Node{{Factory: muxer, Name: "mux"}, {Factory: "filesink", Name: "sink", Props: []Prop{{"location", r.Path}, {"sync", "false"}}}},
	}
}

func (b *built) record(ctx context.Context, r Recording, c Clip) error {
	if err := b.start(); err != nil {
		return fail(CodeInternal, err, "the recording did not start")
	}
	if err := b.feed(ctx, r, c); err != nil {
		return err
	}
	bus := b.pipe.GetPipelineBus()
	for ctx.Err() == nil {
		m := bus.TimedPopFiltered(gst.ClockTime(tick), gst.MessageError|gst.MessageEOS)
		switch {
		case m == nil:
		case m.Type() == gst.MessageError:
			return parseFailure(m).classify()
		default:
			return nil
		}
	}
	return context.Cause(ctx)
}

// feed draws and pushes pictures and the sound that goes with each.
func (b *built) feed(ctx context.Context, r Recording, c Clip) error {
	f := frame.New(r.Layout, 1)
	pictures, sound := unsafe.Pointer(b.named["pictures"].Instance()), unsafe.Pointer(b.named["sound"].Instance())
	sample := int64(0)
	push := func(to unsafe.Pointer, data []byte, from, till time.Duration) bool {
		// Valid: rawio_push copies the bytes before it returns.
		return C.rawio_push(to, unsafe.Pointer(unsafe.SliceData(data)), C.gsize(len(data)), C.guint64(from), C.guint64(till-from)) != 0
	}
	for i := range r.Frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := c.Draw(i, f); err != nil {
			return err
		}
		buffer := packed(f)
		next := int64(c.PTS(i+1)) * SoundRate / int64(time.Second)
		if !push(pictures, buffer, c.PTS(i), c.PTS(i+1)) ||
			!push(sound, c.Sound(sample, int(next-sample)), soundTime(sample), soundTime(next)) {
			if f := popError(b.pipe); f != nil {
				return f.classify()
			}
			return fail(CodeInternal, nil, "the recording stopped taking pictures")
		}
		sample = next
	}
	C.rawio_end(pictures)
	C.rawio_end(sound)
	return nil
}

func soundTime(sample int64) time.Duration {
	return time.Duration(sample * int64(time.Second) / SoundRate)
}

// rawCaps returns the caps of pictures that lie in memory as packed makes them.
func rawCaps(l frame.Layout, rate Fraction) string {
	return fmt.Sprintf("video/x-raw,format=%s,width=%d,height=%d,framerate=%s,colorimetry=%s", l.Format, l.Width, l.Height, rate, colorimetry(l))
}

// packed returns the planes of a frame one after the other, their rows padded
// to 4 bytes as in GStreamer's buffers without metas.
func packed(f frame.Frame) []byte {
	var data []byte
	for i := range f.Format.Planes() {
		n, p := f.RowBytes(i), f.Planes[i]
		_, rows := f.PlaneSize(i)
		dst := frame.Plane{Data: make([]byte, (n+3)/4*4*rows), Stride: (n + 3) / 4 * 4}
		frame.CopyRows(dst, p, n, rows)
		data = append(data, dst.Data...)
	}
	return data
}

// colorimetry returns GStreamer's name of a layout's colours; its primaries and
// transfer are those that go with the matrix.
func colorimetry(l frame.Layout) string {
	name := map[frame.Matrix]string{frame.BT709: "bt709", frame.BT2020: "bt2020"}[l.Matrix]
	if name == "" {
		name = "bt601"
	}
	return name
}

func itoa(n int) string { return strconv.Itoa(n) }

func yes(b bool) string { return strconv.FormatBool(b) }
