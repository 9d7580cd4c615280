package webrtc

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// format is what must be known of a codec to take its pictures in.
type format struct {
	depacketizer func() rtp.Depacketizer
	begins       func(payload []byte) bool                // it may be a picture's first
	key          func(data []byte) bool                   // it has all that a decoder needs to begin
	track        func(key []byte) (matroska.Track, error) // of a stream that begins with a key frame
}

var inbound = map[string]format{
	webrtc.MimeTypeH264: {
		depacketizer: func() rtp.Depacketizer { return &codecs.H264Packet{IsAVC: true} },
		begins:       new(codecs.H264Packet).IsPartitionHead,
		key:          isKeyH264,
		track:        trackH264,
	},
	webrtc.MimeTypeVP8: {
		depacketizer: func() rtp.Depacketizer { return &codecs.VP8Packet{} },
		begins:       beginsVP8,
		key:          func(data []byte) bool { _, _, ok := sizeVP8(data); return ok },
		track:        trackVP8,
	},
}

// Types of NAL units (ITU-T H.264 table 7-1).
const (
	unitIDR = 5
	unitSPS = 7
	unitPPS = 8
)

// isKeyH264 reports whether an access unit in AVC form is a key frame with its parameter sets in front, as browsers
// send them. One without them may be the rest of one whose begin is lost.
func isKeyH264(data []byte) bool {
	sps, pps, idr := false, false, false
	err := units(data, func(unit []byte) {
		if len(unit) == 0 {
			return
		}
		switch unit[0] & 31 {
		case unitSPS:
			sps = true
		case unitPPS:
			pps = sps
		case unitIDR:
			idr = pps
		}
	})
	return err == nil && idr
}

// trackH264 describes a stream by the first parameter sets of its first key frame. Others stay where they are, in
// front of the pictures.
func trackH264(key []byte) (matroska.Track, error) {
	var sps, pps []byte
	err := units(key, func(unit []byte) {
		if len(unit) == 0 {
			return
		}
		switch unit[0] & 31 {
		case unitSPS:
			if sps == nil {
				sps = unit
			}
		case unitPPS:
			if pps == nil {
				pps = unit
			}
		}
	})
	if err != nil {
		return matroska.Track{}, err
	}
	track, err := matroska.AVCTrack(sps, pps)
	track.Default = true
	return track, err
}

// beginsVP8 reports whether a payload is the first of a picture (RFC 7741 §4.2): the begin of partition 0.
func beginsVP8(payload []byte) bool {
	const start, partition = 0x10, 0x07
	return len(payload) > 0 && payload[0]&start != 0 && payload[0]&partition == 0
}

// sizeVP8 returns the size that a key frame tells (RFC 6386 §9.1), and whether it is one.
func sizeVP8(data []byte) (width, height int, key bool) {
	if len(data) < 10 || data[0]&1 != 0 || data[3] != 0x9d || data[4] != 0x01 || data[5] != 0x2a {
		return 0, 0, false
	}
	const size = 1<<14 - 1 // the two bits above ask for a scaling that nobody uses
	width, height = int(binary.LittleEndian.Uint16(data[6:])&size), int(binary.LittleEndian.Uint16(data[8:])&size)
	return width, height, width > 0 && height > 0
}

// trackVP8 describes a stream by its first key frame.
func trackVP8(key []byte) (matroska.Track, error) {
	width, height, ok := sizeVP8(key)
	if !ok {
		return matroska.Track{}, errors.New("no key frame")
	}
	return matroska.Track{Codec: matroska.VP8, Width: width, Height: height, Default: true}, nil
}
