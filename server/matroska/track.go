package matroska

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
)

// Codec is a Matroska codec ID (RFC 9559 §22, the registry "Matroska Codec IDs").
// Any may be written; those below are named because others need them.
type Codec string

// Codecs. What stands behind each is the CodecPrivate that it takes.
const (
	AVC   Codec = "V_MPEG4/ISO/AVC"  // avcC; NAL units with lengths
	HEVC  Codec = "V_MPEGH/ISO/HEVC" // hvcC; NAL units with lengths
	VP8   Codec = "V_VP8"
	VP9   Codec = "V_VP9"
	AV1   Codec = "V_AV1" // av1C; temporal units without delimiters
	MPEG1 Codec = "V_MPEG1"
	MPEG2 Codec = "V_MPEG2" // sequence header, where it is known
	AAC   Codec = "A_AAC"   // AudioSpecificConfig; frames without ADTS
	Opus  Codec = "A_OPUS"  // OpusHead
	MP2   Codec = "A_MPEG/L2"
	MP3   Codec = "A_MPEG/L3"
	AC3   Codec = "A_AC3"
	EAC3  Codec = "A_EAC3"
	Text  Codec = "S_TEXT/UTF8" // SubRip's text without its times
)

// Track describes one track. A zero field but for Codec is left out, or has
// RFC 9559's default.
type Track struct {
	Codec        Codec
	CodecPrivate []byte
	Language     string // ISO 639-2, three letters, or else BCP 47; empty: not known
	Name         string
	Default      bool // played where nobody asks for another one
	Forced       bool // subtitles that are shown in any case

	// Of pictures.
	Width, Height int           // pixels that are encoded
	Aspect        [2]int        // of a pixel; zero: square
	Frame         time.Duration // that a picture lasts; 0: it varies, or nobody knows

	// Of sound.
	Rate, Channels int // Rate in Hz
}

// Numbers of RFC 9559 §5.1.4.1.3.
const (
	typeVideo    = 1
	typeAudio    = 2
	typeSubtitle = 17
)

// kind is the track's TrackType, 0 for none that is known.
func (c Codec) kind() uint64 {
	switch prefix, _, _ := strings.Cut(string(c), "_"); prefix {
	case "V":
		return typeVideo
	case "A":
		return typeAudio
	case "S":
		return typeSubtitle
	}
	return 0
}

// maxTracks is how many numbers fit into the one byte that a block spends on its track's.
const maxTracks = 126

// tracksElement returns the Tracks element.
func tracksElement(tracks []Track) ([]byte, error) {
	if len(tracks) == 0 || len(tracks) > maxTracks {
		return nil, fmt.Errorf("%w: %d tracks", ErrTrack, len(tracks))
	}
	var entries []byte
	for i, t := range tracks {
		entry, err := t.entry(uint64(i) + 1)
		if err != nil {
			return nil, fmt.Errorf("track %d: %w", i, err)
		}
		entries = appendElement(entries, idTrackEntry, entry)
	}
	return appendElement(nil, idTracks, entries), nil
}

// entry returns the content of a TrackEntry (RFC 9559 §5.1.4.1).
func (t Track) entry(number uint64) ([]byte, error) {
	kind := t.Codec.kind()
	switch {
	case kind == 0:
		return nil, fmt.Errorf("%w: codec %q", ErrTrack, t.Codec)
	case kind == typeVideo && (t.Width < 1 || t.Height < 1):
		return nil, fmt.Errorf("%w: a picture of %d×%d", ErrTrack, t.Width, t.Height)
	case kind == typeAudio && (t.Rate < 1 || t.Channels < 1):
		return nil, fmt.Errorf("%w: sound of %d Hz in %d channels", ErrTrack, t.Rate, t.Channels)
	}
	b := appendUint(nil, idTrackNumber, number)
	b = appendUint(b, idTrackUID, number)
	b = appendUint(b, idTrackType, kind)
	b = appendFlag(b, idFlagDefault, t.Default)
	b = appendFlag(b, idFlagForced, t.Forced)
	b = appendFlag(b, idFlagLacing, false)
	b = t.appendLabel(b)
	b = appendText(b, idCodecID, string(t.Codec))
	if len(t.CodecPrivate) > 0 {
		b = appendElement(b, idCodecPrivate, t.CodecPrivate)
	}
	switch kind {
	case typeVideo:
		if t.Frame > 0 {
			b = appendUint(b, idDefaultDuration, uint64(t.Frame))
		}
		b = appendElement(b, idVideo, t.video())
	case typeAudio:
		b = t.appendOpus(b)
		audio := appendFloat(nil, idSamplingFrequency, float64(t.Rate))
		b = appendElement(b, idAudio, appendUint(audio, idChannels, uint64(t.Channels)))
	}
	return b, nil
}

// appendLabel writes name and language. Language is written in any case: where it is
// absent it means English (RFC 9559 §5.1.4.1.19).
func (t Track) appendLabel(b []byte) []byte {
	if t.Name != "" {
		b = appendText(b, idName, t.Name)
	}
	switch len(t.Language) {
	case 0:
		return appendText(b, idLanguage, "und")
	case 3:
		return appendText(b, idLanguage, t.Language)
	}
	return appendText(appendText(b, idLanguage, "und"), idLanguageBCP47, t.Language)
}

// video returns the content of a Video element. How wide pixels are is said by the size on
// the screen: the height stays, the width is that of square pixels.
func (t Track) video() []byte {
	b := appendUint(nil, idPixelWidth, uint64(t.Width))
	b = appendUint(b, idPixelHeight, uint64(t.Height))
	if x, y := t.Aspect[0], t.Aspect[1]; x > 0 && y > 0 && x != y {
		shown := math.Round(float64(t.Width) * float64(x) / float64(y))
		b = appendUint(b, idDisplayWidth, uint64(max(shown, 1)))
		b = appendUint(b, idDisplayHeight, uint64(t.Height))
	}
	return b
}

// opusRoll is how long a decoder of Opus runs before what it makes is right (RFC 7845 §4.6).
const opusRoll = 80 * time.Millisecond

// appendOpus writes what the mapping of Opus asks for beside its OpusHead: the samples at the
// beginning that are not played, and how long before a place decoding begins.
func (t Track) appendOpus(b []byte) []byte {
	const preSkip = 10 // offset of a little-endian uint16 in OpusHead (RFC 7845 §5.1)
	if t.Codec != Opus || len(t.CodecPrivate) < preSkip+2 {
		return b
	}
	skip := time.Duration(binary.LittleEndian.Uint16(t.CodecPrivate[preSkip:])) * time.Second / 48000
	return appendUint(appendUint(b, idCodecDelay, uint64(skip)), idSeekPreRoll, uint64(opusRoll))
}
