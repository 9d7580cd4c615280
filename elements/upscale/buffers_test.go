package upscale

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// kept are the flags that must come through: a frame stays what it was.
const kept = gsttest.FlagDiscont | gsttest.FlagMarker | gsttest.FlagCorrupt | gsttest.FlagDelta

// TestWhatABufferSaysIsKept sends times, offsets and flags of many kinds.
func TestWhatABufferSaysIsKept(t *testing.T) {
	r := rig(t, "nearest-x2", small)
	for _, in := range []gsttest.Buffer{
		{PTS: 0, DTS: gsttest.None, Duration: 40 * time.Millisecond, Offset: 0, Flags: gsttest.FlagDiscont},
		{PTS: 40*time.Millisecond + 1, DTS: 7, Duration: gsttest.None, Offset: 1, Flags: gsttest.FlagMarker},
		{PTS: 90 * time.Hour, DTS: 90 * time.Hour, Duration: 1, Offset: 1 << 40, Flags: gsttest.FlagCorrupt | gsttest.FlagDelta},
		{PTS: gsttest.None, DTS: gsttest.None, Duration: gsttest.None, Offset: 1<<64 - 1},
		{PTS: 3 * time.Second, DTS: gsttest.None, Duration: time.Second, Offset: 3, Flags: kept},
	} {
		in.Frame = noise(small, 1)
		out := r.Through(in, small.Scaled(2))
		if out.PTS != in.PTS || out.DTS != in.DTS || out.Duration != in.Duration || out.Offset != in.Offset || out.Flags&kept != in.Flags {
			t.Errorf("of %v %v %v %d %#x came %v %v %v %d %#x", in.PTS, in.DTS, in.Duration, in.Offset, in.Flags,
				out.PTS, out.DTS, out.Duration, out.Offset, out.Flags)
		}
	}
}

// TestMetas sends what belongs to a place in the picture, which is scaled along,
// and what belongs to its moment, which is kept.
func TestMetas(t *testing.T) {
	r := rig(t, "nearest-x3", small)
	in := gsttest.Of(noise(small, 32), 0)
	in.Meta = true // whose strides are not those of what comes out
	in.Interest = gsttest.Region{X: 3, Y: 5, Width: 20, Height: 10}
	in.Crop = gsttest.Region{X: 2, Y: 4, Width: 60, Height: 40}
	in.Caption = []byte{0x94, 0x2c}
	out := r.Through(in, small.Scaled(3))
	if want := (gsttest.Region{X: 9, Y: 15, Width: 60, Height: 30}); out.Interest != want {
		t.Errorf("the region of interest is %+v, want %+v", out.Interest, want)
	}
	if want := (gsttest.Region{X: 6, Y: 12, Width: 180, Height: 120}); out.Crop != want {
		t.Errorf("the crop is %+v, want %+v", out.Crop, want)
	}
	if !slices.Equal(out.Caption, in.Caption) {
		t.Errorf("the caption is %x", out.Caption)
	}
}

// TestMetasInPassthrough stay as they are.
func TestMetasInPassthrough(t *testing.T) {
	r := rig(t, "nearest-x3", small, "passthrough", "true")
	in := gsttest.Of(noise(small, 1), 0)
	in.Interest = gsttest.Region{X: 3, Y: 5, Width: 20, Height: 10}
	if out := r.Through(in, small); out.Interest != in.Interest {
		t.Errorf("the region of interest is %+v", out.Interest)
	}
}

// TestGaps lets events through in their place, and upscales the picture of a
// buffer that says it is a gap: it is a picture all the same.
func TestGaps(t *testing.T) {
	r := rig(t, "nearest-x2", small)
	r.Events()
	if !r.Gap(at(0), 40*time.Millisecond) || !slices.Contains(r.Events(), "gap") {
		t.Error("a GAP event did not come through")
	}
	in := gsttest.Of(plain(small, 99), at(1))
	in.Flags = gsttest.FlagGap
	if out := r.Through(in, small.Scaled(2)); levelOf(out.Frame) != 99 {
		t.Errorf("the level is %d", levelOf(out.Frame))
	}
}

// TestFlushAndEOS flushes between frames and ends the stream.
func TestFlushAndEOS(t *testing.T) {
	r := rig(t, "nearest-x2", small)
	for n := range 3 {
		r.Through(gsttest.Of(plain(small, 99), at(n)), small.Scaled(2))
		r.Flush()
	}
	r.Events()
	if !r.EOS() || !slices.Equal(r.Events(), []string{"eos"}) {
		t.Error("the end did not come through")
	}
	r.Flush()
	r.Through(gsttest.Of(plain(small, 99), 0), small.Scaled(2))
}

// TestLateFramesAreDropped tells the element by a QoS event that a frame came
// too late: what cannot be in time any more is not computed, and counted.
func TestLateFramesAreDropped(t *testing.T) {
	f := (&fakes{}).use(t)
	r := rig(t, "nearest-x2", small)
	send := func(n int) {
		t.Helper()
		if flow := r.Push(gsttest.Of(plain(small, 9), at(n))); flow != gsttest.FlowOK {
			t.Fatalf("frame %d: %d", n, flow)
		}
	}
	send(0)
	r.Late(at(1), 200*time.Millisecond) // GStreamer then asks for at(1) + 2 × 200 ms and one frame
	for n := 1; n <= 30; n++ {
		send(n)
	}
	s := half(t, r.Element).Stats()
	if s.Dropped == 0 || s.Dropped > 15 || s.Upscaled+s.Dropped != 31 || r.Waiting() != int(s.Upscaled) {
		t.Errorf("%d frames came out, the figures are %+v", r.Waiting(), s)
	}
	if m := r.Message(gsttest.MessageQoS, 0); m == nil {
		t.Error("no QoS message tells it")
	}
	if made, _ := f.count(); made != 1 {
		t.Errorf("%d upscalers were made", made)
	}
	if !strings.Contains(r.Get("stats"), "dropped") {
		t.Errorf("stats are %s", r.Get("stats"))
	}
}

// TestLatency adds the time of a frame when the source is live.
func TestLatency(t *testing.T) {
	const before = 100 * time.Millisecond
	r := rig(t, "nearest-x2", small)
	if m := r.Message(gsttest.MessageLatency, 0); m == nil {
		t.Error("no message asks for the latency again")
	}
	if least, _ := r.Latency(true, before); least != before+40*time.Millisecond {
		t.Errorf("live at 25 frames a second: %v", least)
	}
	if least, _ := r.Latency(false, before); least != before {
		t.Errorf("not live: %v", least)
	}
	r.Caps("video/x-raw,format=I420,width=64,height=48,framerate=0/1")
	if least, _ := r.Latency(true, before); least != before {
		t.Errorf("at no known rate: %v", least)
	}
	r.Caps(capsOf(small))
	r.Set("passthrough", "true")
	r.Through(gsttest.Of(plain(small, 9), 0), small)
	if least, _ := r.Latency(true, before); least != before {
		t.Errorf("in passthrough: %v", least)
	}
}

// TestBadBuffers sends what holds no picture: an error on the bus and no frame,
// never one that nobody wrote.
func TestBadBuffers(t *testing.T) {
	short := noise(frame.Layout{Format: frame.I420, Width: 64, Height: 46}, 1)
	wide := noise(small, 1)
	wide.Planes[0].Stride = 1 << 20 // what a meta may say of memory that ends long before
	back := noise(small, 1)
	back.Planes[0].Stride = -64
	for name, test := range map[string]struct {
		in   gsttest.Buffer
		says string
	}{
		"too short":          {gsttest.Buffer{Frame: short}, "does not hold a picture"},
		"stride beyond":      {gsttest.Buffer{Frame: wide, Meta: true}, frame.ErrPlane.Error()},
		"stride that is < 0": {gsttest.Buffer{Frame: back, Meta: true}, frame.ErrPlane.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			r := rig(t, "nearest-x2", small)
			if flow := r.Push(test.in); flow != gsttest.FlowError || r.Waiting() != 0 {
				t.Errorf("the frame was answered with %d, %d came out", flow, r.Waiting())
			}
			if m := r.Message(gsttest.MessageError, 0); m == nil || !strings.Contains(m.Text, test.says) {
				t.Errorf("the bus says %+v", m)
			}
		})
	}
}
