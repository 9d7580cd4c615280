package webrtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

const (
	// maxOffer bounds an offer in bytes; a browser's with two kinds of media has about 8000.
	maxOffer = 64 << 10
	// maxSections bounds its media: sound and picture each way make four.
	maxSections = 8
)

// offer is what a browser's session description (RFC 8829) asks for.
type offer struct {
	sections []section
}

// section is a media description of an offer that is not rejected.
type section struct {
	mid      string // its name
	kind     webrtc.RTPCodecType
	sends    bool      // the browser
	receives bool      // the browser
	h264     []profile // of those that are told apart, that it knows with packetization-mode 1, in its order
	vp8      bool      // it knows
	opus     bool      // it knows
}

// profile is the first two bytes of a profile-level-id (RFC 6184 §8.1): the profile and its constraints.
type profile [2]byte

// The profiles that are told apart, by profile-iop as browsers write it.
var (
	profileHigh        = profile{0x64, 0x00}
	profileConstrained = profile{0x64, 0x0c} // high, without interlacing
	profileHigh444     = profile{0xf4, 0x00} // whose decoders read High, too: ITU-T H.264 §A.2.7
	profileMain        = profile{0x4d, 0x00}
	profileBaseline    = profile{0x42, 0xe0} // constrained: a part of both Baseline and Main
	profileOldBaseline = profile{0x42, 0x00}
)

// profiles has all of them.
var profiles = []profile{profileBaseline, profileOldBaseline, profileMain, profileConstrained, profileHigh, profileHigh444}

// carriers has what a picture is sent as, by the profile_idc that it is encoded in: first those profiles whose decoders
// must read it (ITU-T H.264 §A.2), the nearest in front, then the others. What a decoder needs stands in the picture
// itself, and those of browsers go by that.
var carriers = map[byte][]profile{
	0x42: {profileBaseline, profileOldBaseline, profileMain, profileConstrained, profileHigh, profileHigh444},
	0x4d: {profileMain, profileConstrained, profileHigh, profileHigh444, profileBaseline, profileOldBaseline},
	0x64: {profileConstrained, profileHigh, profileHigh444, profileMain, profileBaseline, profileOldBaseline},
}

// fmtp returns the profile as the parameters of a format, of level 3.1 as browsers have it: senders may go beyond, by
// level-asymmetry-allowed.
func (p profile) fmtp() string {
	return fmt.Sprintf("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=%02x%02x1f", p[0], p[1])
}

// String returns the profile as it stands in a profile-level-id.
func (p profile) String() string { return fmt.Sprintf("%02x%02x", p[0], p[1]) }

// parseOffer reads an offer. Errors wrap ErrOffer.
func parseOffer(text string) (offer, error) {
	if len(text) > maxOffer {
		return offer{}, fmt.Errorf("%w: %d bytes, at most %d are read", ErrOffer, len(text), maxOffer)
	}
	var described sdp.SessionDescription
	if err := described.UnmarshalString(text); err != nil {
		return offer{}, fmt.Errorf("%w: no session description: %w", ErrOffer, err)
	}
	if len(described.MediaDescriptions) > maxSections {
		return offer{}, fmt.Errorf("%w: %d media, at most %d are answered", ErrOffer, len(described.MediaDescriptions), maxSections)
	}
	var o offer
	for _, media := range described.MediaDescriptions {
		kind := webrtc.NewRTPCodecType(media.MediaName.Media)
		if kind == 0 {
			return offer{}, fmt.Errorf("%w: media of kind %.20q: only audio and video are answered", ErrOffer, media.MediaName.Media)
		}
		s := parseSection(media, kind)
		if s.mid == "" {
			return offer{}, fmt.Errorf("%w: a section without a=mid", ErrOffer)
		}
		o.sections = append(o.sections, s)
	}
	return o, nil
}

func parseSection(media *sdp.MediaDescription, kind webrtc.RTPCodecType) section {
	s := section{kind: kind, sends: true, receives: true} // RFC 8866 §6.7: sendrecv where nothing is said
	names, modes := map[string]string{}, map[string]string{}
	for _, a := range media.Attributes {
		switch a.Key {
		case "mid":
			s.mid = a.Value
		case "sendonly":
			s.receives = false
		case "recvonly":
			s.sends = false
		case "inactive":
			s.sends, s.receives = false, false
		case "rtpmap":
			format, name, _ := strings.Cut(a.Value, " ")
			names[format] = strings.ToLower(name)
		case "fmtp":
			format, parameters, _ := strings.Cut(a.Value, " ")
			modes[format] = parameters
		}
	}
	for _, format := range media.MediaName.Formats {
		switch name := names[format]; {
		case kind == webrtc.RTPCodecTypeVideo && name == "h264/90000":
			if p, ok := parseProfile(modes[format]); ok {
				s.h264 = append(s.h264, p)
			}
		case kind == webrtc.RTPCodecTypeVideo && name == "vp8/90000":
			s.vp8 = true
		case kind == webrtc.RTPCodecTypeAudio && name == "opus/48000/2":
			s.opus = true
		}
	}
	return s
}

// parseProfile reads the parameters of H.264 and returns the profile, and whether it is one that can be answered: it is
// told apart, and packets may be fragmented, which packetization-mode 1 says.
func parseProfile(parameters string) (p profile, usable bool) {
	mode, id := "0", "" // RFC 6184 §8.1; every browser tells its profile
	for field := range strings.SplitSeq(parameters, ";") {
		switch key, value, _ := strings.Cut(strings.TrimSpace(field), "="); strings.ToLower(key) {
		case "packetization-mode":
			mode = value
		case "profile-level-id":
			id = value
		}
	}
	n, err := strconv.ParseUint(id, 16, 24)
	if err != nil || len(id) != 6 {
		return profile{}, false
	}
	p = profile{byte(n >> 16), byte(n >> 8)}
	return p, mode == "1" && slices.Contains(profiles, p)
}

// out returns the section in which media of a kind is sent to the browser.
func (o offer) out(kind webrtc.RTPCodecType) (section, bool) {
	return o.find(func(s section) bool {
		return s.kind == kind && s.receives && (kind == webrtc.RTPCodecTypeVideo && len(s.h264) > 0 || kind == webrtc.RTPCodecTypeAudio && s.opus)
	})
}

// picture returns the section in which a picture is sent to the browser, or ErrOffer.
func (o offer) picture() (section, error) {
	s, ok := o.out(webrtc.RTPCodecTypeVideo)
	if !ok {
		return section{}, fmt.Errorf("%w: it has no section in which the browser receives H.264 with packetization-mode 1", ErrOffer)
	}
	return s, nil
}

// in returns the section in which the browser sends media of a kind.
func (o offer) in(kind webrtc.RTPCodecType) (section, bool) {
	return o.find(func(s section) bool {
		return s.kind == kind && s.sends && (kind == webrtc.RTPCodecTypeVideo && (len(s.h264) > 0 || s.vp8) || kind == webrtc.RTPCodecTypeAudio && s.opus)
	})
}

func (o offer) find(is func(section) bool) (section, bool) {
	if i := slices.IndexFunc(o.sections, is); i >= 0 {
		return o.sections[i], true
	}
	return section{}, false
}

// best returns the profile of a section that a picture is sent as.
func (s section) best(own profile) (profile, bool) {
	order, known := carriers[own[0]]
	if !known {
		order = carriers[0x64]
	}
	for _, p := range order {
		if slices.Contains(s.h264, p) {
			return p, true
		}
	}
	return profile{}, false
}
