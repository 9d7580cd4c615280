package mpegts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	lib "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/substructs"
)

// Lead is how much later than it was given each time is written.
const Lead = time.Second

// ErrMedia is wrapped where what is given cannot be written as a transport stream.
var ErrMedia = errors.New("this cannot be written as MPEG-TS")

// Writer writes one stream. Its methods may not be called at once.
type Writer struct {
	w      io.Writer
	buffer bytes.Buffer // of one access unit: the library writes packet by packet
	ts     *lib.Writer
	video  *lib.Track
	sets   [][]byte   // the picture's parameter sets
	audio  *lib.Track // nil: no sound
	err    error      // of the Write that failed
}

// NewWriter writes the tables of a stream of pictures, and of sound unless its codec data, an
// AudioSpecificConfig or an OpusHead, are nil, in one Write. Errors of those wrap ErrMedia.
func NewWriter(w io.Writer, avcC, config []byte) (*Writer, error) {
	m := &Writer{w: w, video: &lib.Track{Codec: &codecs.H264{}}}
	if err := m.Change(avcC); err != nil {
		return nil, err
	}
	tracks := []*lib.Track{m.video}
	if config != nil {
		codec, err := soundOf(config)
		if err != nil {
			return nil, err
		}
		m.audio = &lib.Track{Codec: codec}
		tracks = append(tracks, m.audio)
	}
	m.ts = &lib.Writer{W: &m.buffer, Tracks: tracks}
	if err := m.ts.Initialize(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	if _, err := m.ts.WriteTables(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	return m, m.flush()
}

// soundOf returns the codec of codec data.
func soundOf(config []byte) (codecs.Codec, error) {
	const channels = 9 // in an OpusHead (RFC 7845 §5.1)
	if !bytes.HasPrefix(config, []byte("OpusHead")) {
		return adts(config)
	}
	if len(config) <= channels || config[channels] < 1 || config[channels] > 2 {
		return nil, fmt.Errorf("%w: OpusHead that is not of one or two channels", ErrMedia)
	}
	return &codecs.Opus{Desc: &substructs.OpusAudioDescriptor{ChannelConfigCode: config[channels]}}, nil
}

// adts returns the codec of an AudioSpecificConfig whose frames ADTS can hold. It has two bits
// for the kind of AAC and three for the channels: HE-AAC goes as the AAC-LC that it is built on,
// which players find it in; channels that the config describes one by one cannot go.
func adts(config []byte) (*codecs.MPEG4Audio, error) {
	codec := &codecs.MPEG4Audio{}
	if err := codec.Unmarshal(config); err != nil {
		return nil, fmt.Errorf("%w: AudioSpecificConfig: %w", ErrMedia, err)
	}
	if codec.Type != mpeg4audio.ObjectTypeAACLC || codec.ChannelConfig == 0 {
		return nil, fmt.Errorf("%w: AAC of type %d in channels of kind %d", ErrMedia, codec.Type, codec.ChannelConfig)
	}
	return codec, nil
}

// Change gives the stream other parameter sets, from the next key frame on. Errors wrap ErrMedia.
func (m *Writer) Change(avcC []byte) error {
	record, err := avc.DecodeAVCDecConfRec(avcC)
	if err != nil {
		return fmt.Errorf("%w: avcC: %w", ErrMedia, err)
	}
	m.sets = slices.Concat(record.SPSnalus, record.PPSnalus)
	if len(record.SPSnalus) == 0 || len(record.PPSnalus) == 0 {
		return fmt.Errorf("%w: avcC without parameter sets", ErrMedia)
	}
	return nil
}

// Video writes a picture, an access unit with lengths of four bytes, in one Write. A key frame that has
// no parameter sets of its own gets those of the avcC. Errors wrap ErrMedia, after which the stream can
// go on, or are those of the writer below, after which every call returns that error.
func (m *Writer) Video(pts, dts time.Duration, key bool, data []byte) error {
	if m.err != nil {
		return m.err
	}
	var unit h264.AVCC
	if err := unit.Unmarshal(data); err != nil {
		return fmt.Errorf("%w: picture at %v: %w", ErrMedia, pts, err)
	}
	if key && !slices.ContainsFunc(unit, func(nalu []byte) bool { return avc.GetNaluType(nalu[0]) == avc.NALU_SPS }) {
		at := 0
		if avc.GetNaluType(unit[0][0]) == avc.NALU_AUD { // which is always the first (H.264 §7.4.1.2.3)
			at = 1
		}
		unit = slices.Insert(unit, at, m.sets...)
	}
	return m.written(pts, m.ts.WriteH264(m.video, clock(pts), clock(dts), unit))
}

// Audio writes a frame of AAC or a packet of Opus, in one Write. Errors are as those of Video.
func (m *Writer) Audio(pts time.Duration, data []byte) error {
	if m.err != nil {
		return m.err
	}
	if m.audio == nil || len(data) == 0 {
		return fmt.Errorf("%w: sound at %v of %d bytes", ErrMedia, pts, len(data))
	}
	if _, opus := m.audio.Codec.(*codecs.Opus); opus {
		return m.written(pts, m.ts.WriteOpus(m.audio, clock(pts), [][]byte{data}))
	}
	return m.written(pts, m.ts.WriteMPEG4Audio(m.audio, clock(pts), [][]byte{data}))
}

// clock returns a time in MPEG's clock of 90 kHz, whose 33 bits turn over after 26.5 hours
// (ISO/IEC 13818-1 §2.4.3.7). Rounding keeps it within 6 µs.
func clock(t time.Duration) int64 {
	t += Lead
	seconds, rest := int64(t/time.Second), int64(t%time.Second)
	return (seconds*90000 + (rest*90000+int64(time.Second)/2)/int64(time.Second)) & (1<<33 - 1)
}

// written hands on an access unit that the library has written, or nothing of it.
func (m *Writer) written(pts time.Duration, err error) error {
	if err != nil {
		m.buffer.Reset()
		return fmt.Errorf("%w: at %v: %w", ErrMedia, pts, err)
	}
	return m.flush()
}

// flush hands on what was gathered.
func (m *Writer) flush() error {
	_, m.err = m.buffer.WriteTo(m.w)
	m.buffer.Reset()
	return m.err
}
