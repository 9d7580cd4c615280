package fmp4

import (
	"fmt"
	"math"
	"strings"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// trackID is that of the only track in a file.
const trackID = 1

// maxSide bounds a side of a picture in pixels, and a term of its pixels' aspect.
const maxSide = math.MaxUint16

// VideoInit returns the init segment of a picture's stream whose packets count
// timescale ticks a second. Errors wrap ErrMedia.
func VideoInit(init wire.Init, timescale int64) ([]byte, error) {
	file := newFile()
	if err := addVideo(file, "avc1", init, timescale); err != nil {
		return nil, err
	}
	return encode(file)
}

// AudioInit returns the init segment of a track of sound. Errors wrap ErrMedia.
func AudioInit(init wire.Init, info wire.AudioInfo) ([]byte, error) {
	file := newFile()
	if err := addAudio(file, init, info, ""); err != nil {
		return nil, err
	}
	return encode(file)
}

// addVideo adds a track of pictures, whose sample entry is avc1 or avc3.
func addVideo(file *mp4.InitSegment, entryType string, init wire.Init, timescale int64) error {
	record, err := parseAVC(init.CodecData)
	if err != nil {
		return err
	}
	if codec, _ := VideoCodec(init.CodecData); !strings.EqualFold(codec, init.Codec) {
		return fmt.Errorf("%w: codec %.20q with data of %s", ErrMedia, init.Codec, codec)
	}
	if !within(init.Width, 1, maxSide) || !within(init.Height, 1, maxSide) ||
		!within(init.Aspect[0], 1, maxSide) || !within(init.Aspect[1], 1, maxSide) {
		return fmt.Errorf("%w: %d×%d pixels of %d:%d", ErrMedia, init.Width, init.Height, init.Aspect[0], init.Aspect[1])
	}
	colr, err := colour(init.Colour)
	if err != nil {
		return err
	}
	entry := mp4.CreateVisualSampleEntryBox(entryType, uint16(init.Width), uint16(init.Height), &mp4.AvcCBox{DecConfRec: record})
	entry.CompressorName = ""
	if colr != nil {
		entry.AddChild(colr)
	}
	entry.AddChild(&mp4.PaspBox{HSpacing: uint32(init.Aspect[0]), VSpacing: uint32(init.Aspect[1])})

	track, err := addTrack(file, timescale, "video", "")
	if err != nil {
		return err
	}
	// tkhd tells the size as shown, in 16.16, with square pixels.
	track.Tkhd.Width = mp4.Fixed32(min(uint64(init.Width)<<16*uint64(init.Aspect[0])/uint64(init.Aspect[1]), math.MaxUint32))
	track.Tkhd.Height = mp4.Fixed32(init.Height << 16)
	track.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return nil
}

// addAudio adds a track of sound.
func addAudio(file *mp4.InitSegment, init wire.Init, info wire.AudioInfo, language string) error {
	codec, err := AudioCodec(init.CodecData)
	if err != nil {
		return err
	}
	if codec != init.Codec {
		return fmt.Errorf("%w: codec %.20q with data of %s", ErrMedia, init.Codec, codec)
	}
	if !within(info.Channels, 1, math.MaxUint8) || !within(info.BitRate, 0, math.MaxInt32) {
		return fmt.Errorf("%w: %d channels, %d bit/s", ErrMedia, info.Channels, info.BitRate)
	}
	track, err := addTrack(file, int64(info.Rate), "audio", language)
	if err != nil {
		return err
	}
	// A rate that does not fit the entry's 16 bits is written as 0: the config has it, too.
	rate := info.Rate
	if rate > math.MaxUint16 {
		rate = 0
	}
	entry, config, err := audioEntry(codec, init.CodecData, info)
	if err != nil {
		return err
	}
	track.Mdia.Minf.Stbl.Stsd.AddChild(mp4.CreateAudioSampleEntryBox(entry, uint16(info.Channels), 16, uint16(rate), config))
	return nil
}

// audioEntry returns what a sample entry of a codec is called, and its box of codec data.
func audioEntry(codec string, data []byte, info wire.AudioInfo) (name string, config mp4.Box, err error) {
	if codec == CodecOpus {
		config, err = parseOpus(data)
		return "Opus", config, err
	}
	esds := mp4.CreateEsdsBox(data)
	esds.DecConfigDescriptor.AvgBitrate = uint32(info.BitRate)
	return "mp4a", esds, nil
}

// newFile returns a file without tracks. iso6 is the first brand that has all that fragments of
// this package hold.
func newFile() *mp4.InitSegment {
	file := mp4.NewMP4Init()
	file.AddChild(mp4.NewFtyp("iso6", 0, []string{"iso6", "mp41"}))
	moov := mp4.NewMoovBox()
	moov.AddChild(mp4.CreateMvhd())
	moov.AddChild(mp4.NewMvexBox())
	file.AddChild(moov)
	return file
}

// addTrack adds a track without a sample entry. Its number is that of tracks so far, from 1 on;
// a language that is none of ISO 639-2 is left out.
func addTrack(file *mp4.InitSegment, timescale int64, kind, language string) (*mp4.TrakBox, error) {
	if timescale < 1 || timescale > math.MaxUint32 {
		return nil, fmt.Errorf("%w: %d ticks a second", ErrMedia, timescale)
	}
	if !isISO639(language) {
		language = "und"
	}
	return file.AddEmptyTrack(uint32(timescale), kind, language), nil
}

// isISO639 reports whether a language has the form that mdhd has room for, three small letters.
func isISO639(language string) bool {
	return len(language) == 3 && strings.Trim(language, "abcdefghijklmnopqrstuvwxyz") == ""
}

// encode writes an init segment.
func encode(file *mp4.InitSegment) ([]byte, error) {
	w := bits.NewFixedSliceWriter(int(file.Size()))
	if err := file.EncodeSW(w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	return w.Bytes(), nil
}

func within(n, low, high int) bool { return n >= low && n <= high }
