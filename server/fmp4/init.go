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
	record, err := parseAVC(init.CodecData)
	if err != nil {
		return nil, err
	}
	if codec, _ := VideoCodec(init.CodecData); !strings.EqualFold(codec, init.Codec) {
		return nil, fmt.Errorf("%w: codec %.20q with data of %s", ErrMedia, init.Codec, codec)
	}
	if !within(init.Width, 1, maxSide) || !within(init.Height, 1, maxSide) ||
		!within(init.Aspect[0], 1, maxSide) || !within(init.Aspect[1], 1, maxSide) {
		return nil, fmt.Errorf("%w: %d×%d pixels of %d:%d", ErrMedia, init.Width, init.Height, init.Aspect[0], init.Aspect[1])
	}
	colr, err := colour(init.Colour)
	if err != nil {
		return nil, err
	}
	entry := mp4.CreateVisualSampleEntryBox("avc1", uint16(init.Width), uint16(init.Height), &mp4.AvcCBox{DecConfRec: record})
	entry.CompressorName = ""
	if colr != nil {
		entry.AddChild(colr)
	}
	entry.AddChild(&mp4.PaspBox{HSpacing: uint32(init.Aspect[0]), VSpacing: uint32(init.Aspect[1])})

	file, track, err := newFile(timescale, "video")
	if err != nil {
		return nil, err
	}
	// tkhd tells the size as shown, in 16.16, with square pixels.
	track.Tkhd.Width = mp4.Fixed32(min(uint64(init.Width)<<16*uint64(init.Aspect[0])/uint64(init.Aspect[1]), math.MaxUint32))
	track.Tkhd.Height = mp4.Fixed32(init.Height << 16)
	track.Mdia.Minf.Stbl.Stsd.AddChild(entry)
	return encode(file)
}

// AudioInit returns the init segment of a track of sound. Errors wrap ErrMedia.
func AudioInit(init wire.Init, info wire.AudioInfo) ([]byte, error) {
	codec, err := AudioCodec(init.CodecData)
	if err != nil {
		return nil, err
	}
	if codec != init.Codec {
		return nil, fmt.Errorf("%w: codec %.20q with data of %s", ErrMedia, init.Codec, codec)
	}
	if !within(info.Channels, 1, math.MaxUint8) || !within(info.BitRate, 0, math.MaxInt32) {
		return nil, fmt.Errorf("%w: %d channels, %d bit/s", ErrMedia, info.Channels, info.BitRate)
	}
	file, track, err := newFile(int64(info.Rate), "audio")
	if err != nil {
		return nil, err
	}
	// A rate that does not fit the entry's 16 bits is written as 0: the config has it, too.
	rate := info.Rate
	if rate > math.MaxUint16 {
		rate = 0
	}
	entry, config := "mp4a", mp4.Box(nil)
	if codec == CodecOpus {
		entry = "Opus"
		config, err = parseOpus(init.CodecData)
		if err != nil {
			return nil, err
		}
	} else {
		esds := mp4.CreateEsdsBox(init.CodecData)
		esds.DecConfigDescriptor.AvgBitrate = uint32(info.BitRate)
		config = esds
	}
	track.Mdia.Minf.Stbl.Stsd.AddChild(mp4.CreateAudioSampleEntryBox(entry, uint16(info.Channels), 16, uint16(rate), config))
	return encode(file)
}

// newFile returns a file of one track without a sample entry. iso6 is the first brand that has all
// that Fragment writes.
func newFile(timescale int64, kind string) (*mp4.InitSegment, *mp4.TrakBox, error) {
	if timescale < 1 || timescale > math.MaxUint32 {
		return nil, nil, fmt.Errorf("%w: %d ticks a second", ErrMedia, timescale)
	}
	file := mp4.NewMP4Init()
	file.AddChild(mp4.NewFtyp("iso6", 0, []string{"iso6", "mp41"}))
	moov := mp4.NewMoovBox()
	moov.AddChild(mp4.CreateMvhd())
	moov.AddChild(mp4.NewMvexBox())
	file.AddChild(moov)
	return file, file.AddEmptyTrack(uint32(timescale), kind, "und"), nil
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
