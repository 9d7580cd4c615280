package faulty

// #cgo pkg-config: gstreamer-1.0 gstreamer-video-1.0
// #include "decoder.h"
import "C"

import "errors"

// Trouble is what becomes of a decoder.
type Trouble C.DecoderTrouble

// The troubles.
const (
	Aborts Trouble = C.DECODER_ABORTS // it calls abort(3), as on a failed assertion
	Hangs  Trouble = C.DECODER_HANGS  // it never returns
	Lags   Trouble = C.DECODER_LAGS   // it takes a tenth of a second for each picture from there on
)

// Decode has all H.264 of this process, in which GStreamer is initialised, decoded by
// an element that shows grey pictures, and is in trouble at the one after so many. It
// may be called once.
func Decode(t Trouble, after int) error {
	if C.decoder_register(C.DecoderTrouble(t), C.int(after)) == 0 {
		return errors.New("GStreamer refused the faulty decoder")
	}
	return nil
}
