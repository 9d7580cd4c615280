package ingest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// sets are the parameter sets of a picture's stream: those of H.264 or, with a VPS, of H.265.
type sets struct {
	codec         matroska.Codec
	vps, sps, pps []byte
}

// learn takes the parameter sets of an access unit, and reports whether decoding can begin with it and whether it
// holds the sets itself.
func (s *sets) learn(au [][]byte) (key, complete bool) {
	found := 0
	for _, unit := range au {
		if len(unit) == 0 {
			continue
		}
		switch set := s.of(unit); {
		case set != nil:
			*set = append((*set)[:0:0], unit...)
			found++
		case s.begins(unit):
			key = true
		}
	}
	if s.codec == matroska.HEVC {
		return key, found >= 3
	}
	return key, found >= 2
}

// of returns the set that a NAL unit is, nil for none.
func (s *sets) of(unit []byte) *[]byte {
	if s.codec == matroska.HEVC {
		switch h265.NALUType(unit[0] >> 1 & 0x3f) {
		case h265.NALUType_VPS_NUT:
			return &s.vps
		case h265.NALUType_SPS_NUT:
			return &s.sps
		case h265.NALUType_PPS_NUT:
			return &s.pps
		default: // no set
			return nil
		}
	}
	switch h264.NALUType(unit[0] & 0x1f) {
	case h264.NALUTypeSPS:
		return &s.sps
	case h264.NALUTypePPS:
		return &s.pps
	default: // no set
		return nil
	}
}

// begins reports whether decoding can begin with a NAL unit. Television often has no other such pictures in H.264 than
// those with a recovery point.
func (s *sets) begins(unit []byte) bool {
	if s.codec == matroska.HEVC {
		return h265.IsRandomAccess([][]byte{unit})
	}
	switch h264.NALUType(unit[0] & 0x1f) {
	case h264.NALUTypeIDR:
		return true
	case h264.NALUTypeSEI:
		return recovers(unit)
	default: // no begin
		return false
	}
}

// recovers reports whether an SEI NAL unit has a recovery point (ITU-T H.264 §7.3.2.3.1, §D.1.8).
func recovers(unit []byte) bool {
	const recoveryPoint = 6
	rest := h264.EmulationPreventionRemove(unit[1:])
	number := func() (n int) {
		for len(rest) > 0 {
			b := rest[0]
			rest = rest[1:]
			if n += int(b); b != 0xff {
				break
			}
		}
		return n
	}
	for len(rest) > 1 { // else there are but the trailing bits
		kind, size := number(), number()
		if kind == recoveryPoint {
			return true
		}
		rest = rest[min(size, len(rest)):]
	}
	return false
}

// known reports whether all sets are there.
func (s *sets) known() bool {
	return s.sps != nil && s.pps != nil && (s.codec != matroska.HEVC || s.vps != nil)
}

// all returns the sets as NAL units.
func (s *sets) all() [][]byte {
	if s.codec == matroska.HEVC {
		return [][]byte{s.vps, s.sps, s.pps}
	}
	return [][]byte{s.sps, s.pps}
}

// maxSide bounds a picture of HEVC in pixels: the highest level, 6.2, ends at 16888 (ITU-T H.265 §A.4.1).
const maxSide = 16888

// track describes the picture. Sets that nobody can read, or believe, are an error.
func (s *sets) track() (t matroska.Track, err error) {
	if s.codec == matroska.HEVC {
		t, err = s.trackHEVC()
	} else {
		t, err = matroska.AVCTrack(s.sps, s.pps)
	}
	t.Default = true
	return t, err
}

func (s *sets) trackHEVC() (matroska.Track, error) {
	var sps h265.SPS
	if err := sps.Unmarshal(s.sps); err != nil {
		return matroska.Track{}, err
	}
	width, height := sps.Width(), sps.Height()
	if min(width, height) < 1 || max(width, height) > maxSide {
		return matroska.Track{}, fmt.Errorf("a picture of %d×%d", width, height)
	}
	for _, set := range s.all() {
		if len(set) > math.MaxUint16 {
			return matroska.Track{}, fmt.Errorf("a parameter set of %d bytes", len(set))
		}
	}
	return matroska.Track{Codec: matroska.HEVC, Width: width, Height: height, CodecPrivate: s.hvcC(&sps)}, nil
}

// hvcC writes the HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1).
func (s *sets) hvcC(sps *h265.SPS) []byte {
	// The general part of profile_tier_level lies at a fixed place (ITU-T H.265 §7.3.2.2.1): behind the NAL unit's
	// head of 2 bytes and one byte of the SPS. Its 12 bytes are the record's, too.
	plain := h264.EmulationPreventionRemove(s.sps)
	b := append(make([]byte, 0, 64), 1)
	b = append(b, plain[3:15]...)
	b = append(b, 0xf0, 0, 0xfc, 0xfc|byte(sps.ChromaFormatIdc), 0xf8|byte(sps.BitDepthLumaMinus8), 0xf8|byte(sps.BitDepthChromaMinus8))
	b = append(b, 0, 0) // no average rate
	b = append(b, (plain[2]>>1&7+1)<<3|plain[2]&1<<2|3, 3)
	for _, set := range s.all() {
		b = append(b, 0x80|set[0]>>1&0x3f, 0, 1)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(set))), set...)
	}
	return b
}

// unit returns an access unit with lengths in front of its NAL units, the parameter sets first in each key picture,
// and without delimiters and fillers, which mean nothing in Matroska.
func (s *sets) unit(au [][]byte, key, complete bool) []byte {
	if key && !complete {
		au = append(s.all(), au...)
	}
	size := 0
	for _, unit := range au {
		size += 4 + len(unit)
	}
	b := make([]byte, 0, size)
	for _, unit := range au {
		if len(unit) == 0 || s.empty(unit) {
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(unit))), unit...)
	}
	return b
}

// empty reports whether a NAL unit is a delimiter or a filler.
func (s *sets) empty(unit []byte) bool {
	if s.codec == matroska.HEVC {
		t := h265.NALUType(unit[0] >> 1 & 0x3f)
		return t == h265.NALUType_AUD_NUT || t == h265.NALUType_FD_NUT
	}
	t := h264.NALUType(unit[0] & 0x1f)
	return t == h264.NALUTypeAccessUnitDelimiter || t == h264.NALUTypeFillerData
}

// aac describes sound of AAC; nil where its channels are not said in a form that is carried.
func aac(config *mpeg4audio.AudioSpecificConfig) *matroska.Track {
	private, err := config.Marshal()
	channels := int(config.ChannelConfig)
	if channels == 7 {
		channels = 8
	}
	if err != nil || channels == 0 || config.SampleRate <= 0 {
		return nil
	}
	return &matroska.Track{Codec: matroska.AAC, CodecPrivate: private, Rate: config.SampleRate, Channels: channels, Default: true}
}

// opus describes sound of Opus in one or two channels (RFC 7845 §5.1).
func opus(channels int) *matroska.Track {
	if channels < 1 || channels > 2 {
		return nil
	}
	head := append([]byte("OpusHead\x01"), byte(channels), 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)
	return &matroska.Track{Codec: matroska.Opus, CodecPrivate: head, Rate: 48000, Channels: channels, Default: true}
}
