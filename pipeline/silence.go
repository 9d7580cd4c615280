package pipeline

import (
	"encoding/binary"
	"slices"
)

// silentAAC returns a frame of AAC-LC (ISO/IEC 14496-3 §4.4.2.1, raw_data_block) in
// which every channel is silent: no scale factor band has a value.
func silentAAC(channels int) []byte {
	var b bits
	for tag, element := range aacElements[channels] {
		b.put(3, element)
		b.put(4, aacTag(channels, tag))
		if element == aacPair {
			b.put(1, 1) // common_window
			b.window()
			b.put(2, 0) // ms_mask_present
			b.channel(false)
			b.channel(false)
			continue
		}
		b.channel(true)
	}
	b.put(3, 7) // ID_END
	return b.bytes
}

// The syntactic elements of AAC: ISO/IEC 14496-3 table 4.85.
const (
	aacSingle = 0
	aacPair   = 1
	aacLow    = 3
)

// aacElements are the elements of a frame by the number of channels; for those
// numbers channelConfiguration tells which speakers they are: ISO/IEC 14496-3 table 1.19.
var aacElements = map[int][]int{
	1: {aacSingle},
	2: {aacPair},
	3: {aacSingle, aacPair},
	4: {aacSingle, aacPair, aacSingle},
	5: {aacSingle, aacPair, aacPair},
	6: {aacSingle, aacPair, aacPair, aacLow},
	8: {aacSingle, aacPair, aacPair, aacPair, aacLow},
}

// aacTag returns the element_instance_tag of an element: those of a kind are
// counted from 0.
func aacTag(channels, i int) int {
	kinds := aacElements[channels]
	tag := 0
	for _, kind := range kinds[:i] {
		if kind == kinds[i] {
			tag++
		}
	}
	return tag
}

// bits are written from the most significant one on.
type bits struct {
	bytes []byte
	n     int // bits that are written
}

func (b *bits) put(n, value int) {
	for i := n - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.n/8] |= byte(value>>i&1) << (7 - b.n%8)
		b.n++
	}
}

// window writes an ics_info of one long window without a band.
func (b *bits) window() { b.put(1+2+1+6+1, 0) }

// channel writes an individual_channel_stream without a value. Its gain is that of
// no amplification.
func (b *bits) channel(window bool) {
	b.put(8, 0) // global_gain
	if window {
		b.window()
	}
	b.put(1+1+1, 0) // no pulses, no TNS, no gain control
}

// aacFrequencies are the samples a second by samplingFrequencyIndex: ISO/IEC 14496-3
// table 1.18.
var aacFrequencies = []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000}

// aacConfig returns the AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1) of AAC-LC
// in frames of 1024 samples.
func aacConfig(rate, channels int) []byte {
	const lc = 2
	if channels == 8 {
		channels = 7 // the channelConfiguration of 7.1
	}
	return binary.BigEndian.AppendUint16(nil, uint16(lc<<11|slices.Index(aacFrequencies, rate)<<7|channels<<3))
}
