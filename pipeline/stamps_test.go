package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/go-gst/go-gst/gst"
)

// TestKeepStamps lets a parser lose times, those of pictures that come out of order
// too, and swallow pictures: what comes out has the times it went in with.
func TestKeepStamps(t *testing.T) {
	t.Parallel()
	pipe, err := gst.NewPipelineFromString("videotestsrc num-buffers=24 ! video/x-raw,width=64,height=64 ! x264enc bframes=2 b-adapt=false key-int-max=9 ! identity name=parser ! fakesink name=sink")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := pipe.SetState(gst.StateNull); err != nil {
			t.Error(err)
		}
	}()
	parser, err := pipe.GetElementByName("parser")
	if err != nil {
		t.Fatal(err)
	}
	var in, out []gst.ClockTime
	n := 0
	parser.GetStaticPad("src").AddProbe(gst.PadProbeTypeBuffer, func(_ *gst.Pad, info *gst.PadProbeInfo) gst.PadProbeReturn {
		n++
		if n%8 == 6 {
			return gst.PadProbeDrop
		}
		b := info.GetBuffer()
		in = append(in, b.PresentationTimestamp())
		if n%4 == 1 {
			b.SetPresentationTimestamp(gst.ClockTimeNone)
		}
		return gst.PadProbeOK
	})
	keepStamps(parser)
	parser.GetStaticPad("src").AddProbe(gst.PadProbeTypeBuffer, func(_ *gst.Pad, info *gst.PadProbeInfo) gst.PadProbeReturn {
		out = append(out, info.GetBuffer().PresentationTimestamp())
		return gst.PadProbeOK
	})
	if err := pipe.SetState(gst.StatePlaying); err != nil {
		t.Fatal(err)
	}
	if m := pipe.GetPipelineBus().TimedPopFiltered(gst.ClockTime(time.Minute), gst.MessageEOS|gst.MessageError); m == nil || m.Type() != gst.MessageEOS {
		t.Fatalf("the pipeline did not end: %v", m)
	}
	if len(in) != 21 || slices.IsSorted(in) || !slices.Equal(in, out) {
		t.Errorf("in %v\nout %v", in, out)
	}
}
