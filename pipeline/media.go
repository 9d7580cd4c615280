package pipeline

import (
	"fmt"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/container"
)

// Media is what Probe found in a file.
type Media struct {
	Path      string
	Streamed  bool          // read from begin to end: what is told of the file is what its beginning tells
	Container string        // media type of the file, as in video/x-matroska
	Duration  time.Duration // 0 when unknown
	Begin     time.Duration // where GStreamer's time line of the file begins; not 0 in transport streams
	Ahead     time.Duration // how far what is taken for stream time is ahead of GStreamer's; not 0 in Matroska
	First     time.Duration // when the first picture is shown, as buffers tell the time
	Demuxers  []string      // element factories, the outermost first
	BrokenOff string        // a sentence, where the file has fewer bytes than it announces
	Video     Video
	Audio     []Track
	Text      []Track          // subtitles, written or drawn
	Other     []Track          // further video, data: never carried over
	Cover     bool             // a picture is in the tags
	Extras    container.Extras // what the container says beside; without the attachments' data
}

// complete reports whether the format lists all streams at its beginning, so
// that none can turn up later.
func (m Media) complete() bool {
	for _, d := range m.Demuxers {
		switch d {
		case "matroskademux", "qtdemux", "avidemux", "oggdemux":
		case "tsdemux": // its tables may change, which a file is read for
			if !m.Streamed {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ownTimes reports whether buffers' own time is taken for stream time.
// matroskademux (1.22) begins its time line at the block that it meets first,
// which is another one after a seek; a place to seek to is still one on that line.
// tsdemux (1.22) has the two alike, but moves its segment's start without its time
// where after a seek the first packet of another stream lies behind the place.
func (m Media) ownTimes() bool {
	return slices.Contains(m.Demuxers, "matroskademux") || slices.Contains(m.Demuxers, "tsdemux")
}

// sought reports whether a part of the film begins with a seek. A stream has none. In a
// film of fragments qtdemux (1.22) takes the times of its index, which are those at which
// pictures are shown (ISO/IEC 14496-12 §8.8.10.3), for times of decoding, so that what
// follows until the next fragment is late; and without an index it does not seek.
func (m Media) sought() bool { return !m.Streamed && !m.Extras.Fragments }

// stopsEarly reports whether the demuxer does not give all pictures up to the end of a
// seek: flvdemux (1.22) stops at the first that is shown behind it, and those that are
// shown before may follow.
func (m Media) stopsEarly() bool { return slices.Contains(m.Demuxers, "flvdemux") }

// length returns the duration as it is best known before anything is measured: the
// file's last blocks tell it where it claims another one.
func (m Media) length() time.Duration {
	last := m.Extras.Last - m.Extras.Begin
	if m.Extras.Last == 0 || last < 0 || m.Duration >= last && m.Duration-last < time.Second {
		return m.Duration
	}
	return last
}

// begin returns where the time line of the film's buffers begins.
func (m Media) begin() time.Duration { return m.Begin + m.Ahead }

// flowing returns the ids of the streams that have data all the time: picture and
// sound.
func (m Media) flowing() map[string]bool {
	ids := map[string]bool{m.Video.StreamID: true}
	for _, t := range m.Audio {
		ids[t.StreamID] = true
	}
	return ids
}

// promised returns the duration that the file's own index tells, 0 for formats
// in which it is an estimate.
func (m Media) promised() time.Duration {
	if slices.Contains(m.Demuxers, "matroskademux") || slices.Contains(m.Demuxers, "qtdemux") {
		return m.Duration
	}
	return 0
}

// Track is one stream of a file.
type Track struct {
	StreamID string // see streamID: the same each time the film is opened
	Caps     string // of the parsed stream
	Language string // ISO 639, "" when unknown
	Title    string
	Facts    container.Track // what the container says of it, the zero value for formats other than Matroska and MP4
}

// Type returns the media type of the caps, as in audio/mpeg.
func (t Track) Type() string { return capsName(t.Caps) }

// Video is the video track that is upscaled, with what its first picture told.
type Video struct {
	Track
	Decoder     []string // element factories from the parsed stream to raw video, in order
	Width       int      // coded pixels
	Height      int
	Format      string // GStreamer's raw format of the decoder's output
	Bits        int    // of a sample
	Interlaced  bool
	Rate        Fraction // frames a second, 0/1 when it varies
	PixelAspect Fraction // width of a pixel over its height
	Colorimetry string   // GStreamer's, "" when the stream does not tell
	ChromaSite  string   // GStreamer's, "" when the stream does not tell
	Orientation string   // the tag image-orientation, "" for upright
	Mastering   string   // the caps field mastering-display-info
	LightLevel  string   // the caps field content-light-level
	DolbyVision bool
}

// HDR reports whether the transfer function is PQ or HLG.
func (v Video) HDR() bool { return hdrTransfer(v.Colorimetry) != "" }

// Fraction is a rational number of GStreamer's caps.
type Fraction struct{ Num, Den int }

// String returns the fraction as in caps.
func (f Fraction) String() string { return fmt.Sprintf("%d/%d", f.Num, f.Den) }

// Float returns the value, 0 for 0/1 and for a missing denominator.
func (f Fraction) Float() float64 {
	if f.Den == 0 {
		return 0
	}
	return float64(f.Num) / float64(f.Den)
}
