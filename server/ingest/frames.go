package ingest

import (
	"bytes"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg1audio"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// family is a kind of sound whose frames tell themselves what they are.
type family int

const (
	dolby family = iota // AC-3 and E-AC-3: ETSI TS 102 366
	mpeg                // MPEG-1 and MPEG-2 audio of layer II and III: ISO/IEC 11172-3, 13818-3
)

// soundFrame is a frame of such sound.
type soundFrame struct {
	at    time.Duration
	track matroska.Track // that it belongs to
	lasts time.Duration
	more  bool // it goes with the frame before: a substream of E-AC-3
	data  []byte
}

// framer cuts payloads of PES packets into frames. Their begins need not be those of frames, and a frame may lie in two
// of them.
type framer struct {
	family family
	rest   []byte        // begin of a frame
	next   time.Duration // when that is heard
}

// cut returns the frames that are whole with a payload. Its time is that of the first frame that begins in it
// (ISO/IEC 13818-1 §2.4.3.7).
func (f *framer) cut(pts time.Duration, payload []byte) (frames []soundFrame) {
	old := len(f.rest)
	data, at, stamped := append(f.rest, payload...), f.next, false
	place := 0
	for place < len(data) {
		if place >= old && !stamped {
			at, stamped = pts, true
		}
		frame, size, short := f.read(data[place:])
		if short {
			break
		}
		if size == 0 {
			place++ // no frame begins here
			continue
		}
		frame.at, frame.data = at, data[place:place+size:place+size]
		if last := len(frames) - 1; frame.more && last >= 0 {
			frames[last].data = append(frames[last].data, frame.data...)
		} else if !frame.more {
			frames = append(frames, frame)
			at += frame.lasts
		}
		place += size
	}
	f.rest, f.next = bytes.Clone(data[place:]), at
	return frames
}

// read reads the head of a frame: its size, 0 where none begins, and whether more is needed to say so.
func (f *framer) read(data []byte) (frame soundFrame, size int, short bool) {
	const longest = 8 // head
	begins := f.begins(data)
	switch {
	case len(data) < longest:
		return frame, 0, begins || len(data) < 2
	case !begins:
		return frame, 0, false
	case f.family == mpeg:
		frame, size = readMPEG(data)
	case data[5]>>3 <= 10: // bsid
		frame, size = readAC3(data)
	default:
		frame, size = readEAC3(data)
	}
	if size > 0 && len(data) < size {
		return frame, 0, true
	}
	if behind := data[size:]; size > 0 && len(behind) >= 2 && !f.begins(behind) {
		return frame, 0, false // it looked like one
	}
	return frame, size, false
}

// begins reports whether data begin with the sync word.
func (f *framer) begins(data []byte) bool {
	if len(data) < 2 {
		return false
	}
	if f.family == mpeg {
		return data[0] == 0xff && data[1]&0xe0 == 0xe0
	}
	return data[0] == 0x0b && data[1] == 0x77
}

func readMPEG(data []byte) (frame soundFrame, size int) {
	var h mpeg1audio.FrameHeader
	if h.Unmarshal(data) != nil || h.Layer < 2 {
		return frame, 0
	}
	channels := 2
	if h.ChannelMode == mpeg1audio.ChannelModeMono {
		channels = 1
	}
	codec := matroska.MP2
	if h.Layer == 3 {
		codec = matroska.MP3
	}
	return told(codec, h.SampleRate, channels, h.SampleCount()), h.FrameLen()
}

func readAC3(data []byte) (frame soundFrame, size int) {
	const samples = 1536 // of a frame
	var sync ac3.SyncInfo
	var bsi ac3.BSI
	if sync.Unmarshal(data) != nil || bsi.Unmarshal(data[5:]) != nil || sync.SampleRate() <= 0 {
		return frame, 0
	}
	return told(matroska.AC3, sync.SampleRate(), bsi.ChannelCount(), samples), sync.FrameSize()
}

func readEAC3(data []byte) (frame soundFrame, size int) {
	const samples = 256 // of a block
	var sync eac3.SyncInfo
	if sync.Unmarshal(data) != nil || sync.SampleRate() <= 0 {
		return frame, 0
	}
	frame = told(matroska.EAC3, sync.SampleRate(), sync.ChannelCount(), samples*sync.NumBlocks())
	frame.more = sync.Strmtyp == 1 || sync.Substreamid > 0
	return frame, sync.FrameSize()
}

func told(codec matroska.Codec, rate, channels, samples int) soundFrame {
	return soundFrame{
		track: matroska.Track{Codec: codec, Rate: rate, Channels: channels, Default: true}, lasts: ticks(int64(samples), rate),
	}
}
