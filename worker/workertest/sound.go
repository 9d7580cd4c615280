package workertest

import "encoding/binary"

// frameSamples is the length of an AAC frame.
const frameSamples = 1024

// aacRates are the sampling frequencies by their index (ISO/IEC 14496-3 table 1.18).
var aacRates = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// audioConfig returns the AudioSpecificConfig of AAC-LC (§1.6.2.1); rate must be one of
// aacRates, channels 1 or 2.
func audioConfig(rate, channels int) []byte {
	index := 0
	for i, r := range aacRates {
		if r == rate {
			index = i
		}
	}
	return binary.BigEndian.AppendUint16(nil, uint16(2<<11|index<<7|channels<<3))
}

// silence returns a raw AAC frame without sound (§4.4.2.1) whose data stream
// element, which decoders pass over, holds the frame's number: FrameNumber reads it.
func silence(channels int, number uint32) []byte {
	var w bitWriter
	w.u(3, 4) // data stream element (§4.4.2.4), byte-aligned, of 4 bytes
	w.u(4, 0)
	w.u(1, 1)
	w.u(8, 4)
	w.u(32, number)
	w.u(3, uint32(channels-1)) // single channel element, or a pair
	w.u(4, 0)
	if channels == 2 {
		w.u(1, 1)  // common window
		w.u(11, 0) // long, and no band above max_sfb 0 is sent
		w.u(2, 0)  // no mid/side
	}
	for range channels {
		w.u(8, 0) // global gain
		if channels == 1 {
			w.u(11, 0)
		}
		w.u(3, 0) // no pulses, noise shaping, gain control
	}
	w.u(3, 7) // end
	return w.out
}

// FrameNumber returns the number that a frame of sound of this package holds, and
// whether it is such a frame.
func FrameNumber(frame []byte) (number uint32, ok bool) {
	if len(frame) < 8 || frame[0] != 0x81 || frame[1] != 0x04 {
		return 0, false
	}
	return binary.BigEndian.Uint32(frame[2:]), true
}
