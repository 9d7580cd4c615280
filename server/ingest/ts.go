package ingest

import (
	"bufio"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts"
	tscodecs "github.com/bluenviron/mediacommon/v2/pkg/formats/mpegts/codecs"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// A transport stream (ISO/IEC 13818-1) is packets of tsPacket bytes that begin with tsSync. So many in a row are
// looked for, in so many bytes, before anything is taken for one.
const (
	tsPacket = 188
	tsSync   = 0x47
	tsRow    = 3
	tsLooked = 16 * tsPacket
	tsRate   = 90000
)

// isTS reports whether what comes is a transport stream.
func isTS(r *bufio.Reader) bool {
	begin, _ := r.Peek(tsLooked)
	for at := range max(0, len(begin)-(tsRow-1)*tsPacket) {
		in := 0
		for in < tsRow && begin[at+in*tsPacket] == tsSync {
			in++
		}
		if in == tsRow {
			return true
		}
	}
	return false
}

// readTS reads a transport stream until it breaks off.
func (i *Intake) readTS(l *line, r *bufio.Reader) error {
	if !isTS(r) {
		return final(CodeNotMedia, nil, "%q is no MPEG transport stream and no playlist", i.name)
	}
	reader := &mpegts.Reader{R: r}
	if err := reader.Initialize(); err != nil {
		return final(CodeNotMedia, err, "the streams of %q are not found", i.name)
	}
	reader.OnDecodeError(func(err error) { i.log.Debug("transport stream damaged", "source", i.name, "error", err) })
	if err := i.chooseTS(l, reader); err != nil {
		return err
	}
	for {
		if err := reader.Read(); err != nil {
			return err
		}
	}
}

// chooseTS takes the first picture, and the first sound that can be carried.
func (i *Intake) chooseTS(l *line, reader *mpegts.Reader) error {
	clock := &mpegts.TimeDecoder{}
	at := func(t int64) time.Duration { return ticks(clock.Decode(t), tsRate) }
	var picture sets
	var sound *matroska.Track
	var unknown string
	heard, awaited := false, false // there is sound; it tells itself what it is
	for _, track := range reader.Tracks() {
		take := func(pts, _ int64, au [][]byte) error { return l.picture(at(pts), au) }
		switch codec := track.Codec.(type) {
		case *tscodecs.H264:
			if picture.codec == "" {
				picture.codec = matroska.AVC
				reader.OnDataH264(track, take)
			}
		case *tscodecs.H265:
			if picture.codec == "" {
				picture.codec = matroska.HEVC
				reader.OnDataH265(track, take)
			}
		case *tscodecs.MPEG1Video, *tscodecs.MPEG4Video:
			unknown = "MPEG-1, MPEG-2 or MPEG-4 Part 2"
		default:
			heard = heard || isSound(codec)
			if sound == nil && !awaited {
				sound = soundTS(l, reader, track, codec, at)
			}
			if f := familyOf(codec); f != nil && sound == nil && !awaited {
				awaited = true
				framesTS(l, reader, track, *f, at)
			}
		}
	}
	sounds := silent
	switch {
	case sound != nil || awaited:
		sounds = announced
	case heard && picture.codec != "":
		i.mute(carried)
	}
	if sounds == silent && privateTS(l, reader, at) {
		sounds = possible
	}
	switch {
	case picture.codec != "":
		l.tracks(picture, sound, sounds)
		return nil
	case unknown != "":
		return final(CodeUnknown, nil, "the picture of %q is %s; H.264 and H.265 are taken in live", i.name, unknown)
	}
	return final(CodeNoVideo, nil, "%q has no picture that can be taken in", i.name)
}

// isSound reports whether a codec is one of sound.
func isSound(codec tscodecs.Codec) bool {
	switch codec.(type) {
	case *tscodecs.MPEG4Audio, *tscodecs.MPEG4AudioLATM, *tscodecs.Opus, *tscodecs.MPEG1Audio, *tscodecs.AC3, *tscodecs.EAC3:
		return true
	}
	return false
}

// soundTS describes a track of sound and has its frames go to the line; nil where it cannot be carried.
func soundTS(l *line, reader *mpegts.Reader, track *mpegts.Track, codec tscodecs.Codec, at func(int64) time.Duration) *matroska.Track {
	switch codec := codec.(type) {
	case *tscodecs.MPEG4Audio:
		described := aac(&codec.Config)
		if described == nil {
			return nil
		}
		reader.OnDataMPEG4Audio(track, func(pts int64, frames [][]byte) error {
			return l.frames(at(pts), ticks(mpeg4audio.SamplesPerAccessUnit, described.Rate), frames)
		})
		return described
	case *tscodecs.Opus:
		described := opus(codec.ChannelCount) //nolint:staticcheck // the descriptor that replaces it may be absent
		if described == nil {
			return nil
		}
		reader.OnDataOpus(track, func(pts int64, packets [][]byte) error {
			return l.packets(at(pts), packets)
		})
		return described
	}
	return nil
}

// familyOf returns that of a codec whose frames tell themselves what they are; nil for another one.
func familyOf(codec tscodecs.Codec) *family {
	f := dolby
	switch codec.(type) {
	case *tscodecs.AC3, *tscodecs.EAC3:
		return &f
	case *tscodecs.MPEG1Audio:
		f = mpeg
		return &f
	}
	return nil
}

// framesTS has the frames of a track go to the line. The library's own readers of these codecs take no PES packets of
// several frames of AC-3, nor of a part of one; the one for subtitles hands on what comes.
func framesTS(l *line, reader *mpegts.Reader, track *mpegts.Track, f family, at func(int64) time.Duration) {
	cutter := &framer{family: f}
	reader.OnDataDVBSubtitle(track, func(pts int64, payload []byte) error {
		return l.told(cutter, at(pts), payload)
	})
}

// privateTS looks for AC-3 and E-AC-3 in the tracks of which the library knows nothing, and reports whether there are
// any: DVB has sound as private data (ETSI EN 300 468 annex D), whose descriptors the library does not hand on.
func privateTS(l *line, reader *mpegts.Reader, at func(int64) time.Duration) (found bool) {
	for _, track := range reader.Tracks() {
		if _, unknown := track.Codec.(*tscodecs.Unsupported); unknown {
			framesTS(l, reader, track, dolby, at)
			found = true
		}
	}
	return found
}
