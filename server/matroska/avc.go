package matroska

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// maxSide bounds a picture of H.264 in pixels: the highest level, 6.2, ends at 16880 (ITU-T H.264 §A.3.1).
const maxSide = 16880

// AVCTrack describes a picture of H.264 by its parameter sets, NAL units that may come from anybody. Only Codec,
// CodecPrivate, Width and Height are set. Errors wrap ErrTrack.
func AVCTrack(sps, pps []byte) (Track, error) {
	if min(len(sps), len(pps)) < 1 || max(len(sps), len(pps)) > math.MaxUint16 {
		return Track{}, fmt.Errorf("%w: parameter sets of %d and %d bytes", ErrTrack, len(sps), len(pps))
	}
	var s h264.SPS
	if err := s.Unmarshal(sps); err != nil { // which bounds all that it reads
		return Track{}, fmt.Errorf("%w: sequence parameter set: %w", ErrTrack, err)
	}
	width, height := s.Width(), s.Height()
	if min(width, height) < 1 || max(width, height) > maxSide {
		return Track{}, fmt.Errorf("%w: a picture of %d×%d", ErrTrack, width, height)
	}
	if s.ChromaFormatIdc > 3 || max(s.BitDepthLumaMinus8, s.BitDepthChromaMinus8) > 6 {
		return Track{}, fmt.Errorf("%w: chroma_format_idc %d in %d and %d bits", ErrTrack, s.ChromaFormatIdc, 8+s.BitDepthLumaMinus8, 8+s.BitDepthChromaMinus8)
	}
	return Track{Codec: AVC, CodecPrivate: avcC(sps, pps, &s), Width: width, Height: height}, nil
}

// avcC writes the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) of a stream with lengths of 4 bytes.
func avcC(sps, pps []byte, s *h264.SPS) []byte {
	b := append([]byte{1}, sps[1:4]...)
	b = append(binary.BigEndian.AppendUint16(append(b, 0xff, 0xe1), uint16(len(sps))), sps...)
	b = append(binary.BigEndian.AppendUint16(append(b, 1), uint16(len(pps))), pps...)
	switch s.ProfileIdc {
	case 66, 77, 88: // which have 4:2:0 in 8 bits alone
		return b
	}
	return append(b, 0xfc|byte(s.ChromaFormatIdc), 0xf8|byte(s.BitDepthLumaMinus8), 0xf8|byte(s.BitDepthChromaMinus8), 0)
}
