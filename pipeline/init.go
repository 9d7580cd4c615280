package pipeline

// #include <gst/gst.h>
import "C"

import (
	"errors"
	"fmt"
	"sync"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/adjust"
	"github.com/upscaled-media/upscaled/elements/grid"
	"github.com/upscaled-media/upscaled/elements/source"
)

// Init initialises GStreamer. It must run before anything else in this
// package; more calls do nothing.
func Init() {
	gst.Init(nil)
	// libmpeg2 loses pictures of streams that give times to some pictures only,
	// as DVDs do; libav does not.
	setRank("mpeg2dec", 1)
	// parsebin would make bare text of SSA and ASS before anybody has a say.
	setRank("ssaparse", 0)
	// A playlist (HLS, DASH, Smooth Streaming) or a session description that calls
	// itself a film would have these fetch from wherever it points.
	neverChoice("Adaptive")
	neverChoice("Network")
}

// register makes the elements known that this package cannot do without.
var register = sync.OnceValue(func() error {
	return errors.Join(source.Register(), grid.Register(), adjust.Register())
})

// Warm loads the plugins that most films need, so that the first film finds them
// in memory.
func Warm() {
	for _, factory := range []string{
		"parsebin", "matroskademux", "qtdemux", "tsdemux", "h264parse", "aacparse", "avdec_h264", "videoconvert", "capssetter", "queue",
		"x264enc", "fakesink", "typefind", "decodebin", "audioconvert", "audioresample", "audiorate", "avenc_aac", "capsfilter",
	} {
		_, _ = gst.NewElement(factory) // what is missing is told by who needs it
	}
}

// Version returns the version of the GStreamer that is loaded, as in 1.22.0.
func Version() string {
	var major, minor, micro, nano C.guint
	C.gst_version(&major, &minor, &micro, &nano)
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}
