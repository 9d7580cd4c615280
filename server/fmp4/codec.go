package fmp4

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/aac"
	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// VideoCodec returns the codec string (RFC 6381 §3.3) of an avcC record, as in
// avc1.64001f. Errors wrap ErrMedia.
func VideoCodec(avcC []byte) (string, error) {
	record, err := parseAVC(avcC)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("avc1.%02x%02x%02x", record.AVCProfileIndication, record.ProfileCompatibility, record.AVCLevelIndication), nil
}

// maxRecord bounds an avcC record in bytes; those of x264 have about 50.
const maxRecord = 64 << 10

// parseAVC reads an avcC record (ISO/IEC 14496-15 §5.3.3.1) that players can begin with: lengths of
// four bytes, and parameter sets, of which the first says what the record says.
func parseAVC(avcC []byte) (avc.DecConfRec, error) {
	if len(avcC) > maxRecord {
		return avc.DecConfRec{}, fmt.Errorf("%w: avcC of %d bytes", ErrMedia, len(avcC))
	}
	record, err := avc.DecodeAVCDecConfRec(avcC)
	if err != nil {
		return avc.DecConfRec{}, fmt.Errorf("%w: avcC: %w", ErrMedia, err)
	}
	if len(record.SPSnalus) == 0 || len(record.PPSnalus) == 0 {
		return avc.DecConfRec{}, fmt.Errorf("%w: avcC with %d sequence and %d picture parameter sets",
			ErrMedia, len(record.SPSnalus), len(record.PPSnalus))
	}
	for _, set := range record.SPSnalus {
		if len(set) < 4 || avc.GetNaluType(set[0]) != avc.NALU_SPS {
			return avc.DecConfRec{}, fmt.Errorf("%w: avcC: not a sequence parameter set", ErrMedia)
		}
	}
	for _, set := range record.PPSnalus {
		if len(set) < 2 || avc.GetNaluType(set[0]) != avc.NALU_PPS {
			return avc.DecConfRec{}, fmt.Errorf("%w: avcC: not a picture parameter set", ErrMedia)
		}
	}
	// Profile, constraints and level stand in both, in the same three bytes.
	if !bytes.Equal(record.SPSnalus[0][1:4], avcC[1:4]) {
		return avc.DecConfRec{}, fmt.Errorf("%w: avcC says % x, its parameter set % x", ErrMedia, avcC[1:4], record.SPSnalus[0][1:4])
	}
	// What is written is what was read; a record with bits that neither standard nor reader know would differ.
	written := bits.NewFixedSliceWriter(int(record.Size()))
	if err := record.EncodeSW(written); err != nil || !bytes.Equal(written.Bytes(), avcC) {
		return avc.DecConfRec{}, fmt.Errorf("%w: avcC with unknown parts", ErrMedia)
	}
	return record, nil
}

// CodecOpus is the codec string of Opus.
const CodecOpus = "opus"

// AudioCodec returns the codec string (RFC 6381 §3.3) of an AudioSpecificConfig, as in mp4a.40.2,
// or of an OpusHead. That of AAC is that of AAC-LC, HE-AAC (5) and HE-AAC v2 (29); other kinds of AAC hardly any player
// plays. Errors wrap ErrMedia.
func AudioCodec(config []byte) (string, error) {
	if bytes.HasPrefix(config, opusMagic) {
		if _, err := parseOpus(config); err != nil {
			return "", err
		}
		return CodecOpus, nil
	}
	parsed, err := parseAAC(config)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("mp4a.40.%d", parsed.ObjectType), nil
}

// maxConfig bounds an AudioSpecificConfig in bytes: most have 2 or 5, those with a description of
// their channels some 20, and the sizes in an esds box, of 7 bits, end at 127.
const maxConfig = 64

// parseAAC reads an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
func parseAAC(config []byte) (*aac.AudioSpecificConfig, error) {
	if len(config) > maxConfig {
		return nil, fmt.Errorf("%w: AudioSpecificConfig of %d bytes", ErrMedia, len(config))
	}
	// The reader answers zeros past the end, so the shortest config is asked for here.
	if len(config) < 2 {
		return nil, fmt.Errorf("%w: AudioSpecificConfig of %d bytes", ErrMedia, len(config))
	}
	parsed, err := aac.DecodeAudioSpecificConfig(bytes.NewReader(config))
	if err != nil {
		return nil, fmt.Errorf("%w: AudioSpecificConfig: %w", ErrMedia, err)
	}
	if parsed.SamplingFrequency < 1 {
		return nil, fmt.Errorf("%w: AudioSpecificConfig of %d Hz", ErrMedia, parsed.SamplingFrequency)
	}
	return parsed, nil
}

var opusMagic = []byte("OpusHead")

// parseOpus reads an OpusHead (RFC 7845 §5.1) of one or two channels, as the box that says the
// same (Encapsulation of Opus in ISO Base Media File Format §4.3.2): the fields are those, the
// other way round.
func parseOpus(head []byte) (*mp4.DopsBox, error) {
	const size = 19
	if len(head) != size || !bytes.HasPrefix(head, opusMagic) || head[8]>>4 != 0 || head[9] < 1 || head[9] > 2 || head[18] != 0 {
		return nil, fmt.Errorf("%w: OpusHead of %d bytes that is not of one or two channels", ErrMedia, len(head))
	}
	return &mp4.DopsBox{
		OutputChannelCount: head[9], PreSkip: binary.LittleEndian.Uint16(head[10:]),
		InputSampleRate: binary.LittleEndian.Uint32(head[12:]), OutputGain: int16(binary.LittleEndian.Uint16(head[16:])),
	}, nil
}
