package pipeline

import (
	"encoding/binary"
	"strconv"
)

// SoundCodec is what a track of sound is delivered as.
type SoundCodec string

// The codecs of sound; "" is SoundAAC.
const (
	SoundAAC  SoundCodec = "aac"
	SoundOpus SoundCodec = "opus" // mono or stereo, for WebRTC
)

const (
	// aacFrame is the length of a frame of AAC-LC in samples: ISO/IEC 14496-3 §4.5.2.1.1.
	aacFrame = 1024
	// opusRate is the clock of Opus: RFC 7587 §4.1.
	opusRate = 48000
	// opusFrame is one of 20 ms.
	opusFrame = opusRate / 50
	// opusLookahead is by how much libopus's output is late (its OPUS_GET_LOOKAHEAD at
	// 48 kHz): 6.5 ms. The encoder is given its input so much earlier, so that no player
	// has to skip anything where a run begins.
	opusLookahead = 312
)

// FrameSamples returns the length of a frame in samples.
func (s *SoundPlan) FrameSamples() int {
	if s.Codec == SoundOpus {
		return opusFrame
	}
	return aacFrame
}

// warmUp returns how many frames an encoder is given before the first that is
// delivered. A frame of AAC overlaps with the one before it; a decoder of Opus has
// come to what the encoder meant after 80 ms (RFC 7845 §4.6).
func (c SoundCodec) warmUp() int64 {
	if c == SoundOpus {
		return 4
	}
	return 1
}

// priming returns how many frames the encoder puts out before those of its input:
// libavcodec's AAC encoder looks one frame ahead (its initial_padding is 1024).
func (c SoundCodec) priming() int64 {
	if c == SoundOpus {
		return 0
	}
	return 1
}

// lookahead returns by how many samples the encoder's input is early.
func (c SoundCodec) lookahead() int64 {
	if c == SoundOpus {
		return opusLookahead
	}
	return 0
}

// encoder returns what makes frames of samples.
func (s *SoundPlan) encoder() []Node {
	rate := Prop{"bitrate", strconv.Itoa(s.BitRate)}
	if s.Codec == SoundOpus {
		return []Node{
			{Factory: "opusenc", Props: []Prop{rate, {"frame-size", "20"}, {"bitrate-type", "vbr"}}},
			{Caps: "audio/x-opus"},
		}
	}
	return []Node{
		{Factory: "avenc_aac", Props: []Prop{rate}},
		{Caps: "audio/mpeg,mpegversion=4,stream-format=raw"},
	}
}

// silence returns a frame in which every channel is silent.
func (s *SoundPlan) silence() []byte {
	if s.Codec != SoundOpus {
		return silentAAC(s.Channels)
	}
	// One frame of CELT, 20 ms of full band (RFC 6716 §3.1: configuration 31), whose
	// first bits, as a range decoder reads them, say that it is silent (§4.3).
	const celt, stereo = 31 << 3, 4
	toc := byte(celt)
	if s.Channels == 2 {
		toc |= stereo
	}
	return []byte{toc, 0xff, 0xfe}
}

// config returns what a decoder is to know.
func (s *SoundPlan) config() []byte {
	if s.Codec == SoundOpus {
		return opusHead(s.Channels)
	}
	return aacConfig(s.Rate, s.Channels)
}

// opusHead returns the identification header (RFC 7845 §5.1) of one or two channels,
// of which nothing is skipped.
func opusHead(channels int) []byte {
	head := append([]byte("OpusHead"), 1, byte(channels), 0, 0)
	head = binary.LittleEndian.AppendUint32(head, opusRate)
	return append(head, 0, 0, 0) // gain, and the mapping family of mono and stereo
}
