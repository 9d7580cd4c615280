package container

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Limits on what Read takes from one file. A file may claim anything, so each
// bound stands on its own; what lies beyond is left out.
const (
	maxMaster      = 16 << 20 // bytes of a Tracks, Chapters, Info or SeekHead element, loaded whole
	maxText        = 4 << 10  // bytes of one name or title
	maxTracks      = 1 << 10
	maxEditions    = 1 << 6
	maxChapters    = 1 << 13 // over all editions and levels
	maxTitles      = 32      // a chapter's, one for each language
	maxDepth       = 8       // chapters inside chapters
	maxAttachments = 1 << 12
	maxTags        = 1 << 12  // tags and values of tags, over all levels
	maxTagText     = 64 << 10 // bytes of a tag's text
	maxTargets     = 1 << 8   // a tag's, of each kind
	maxPrivate     = 1 << 20  // bytes of a subtitle track's private data
	maxElements    = 1 << 16  // headers looked at in one file, whatever it nests
)

// Format says what kind of file Read recognised.
type Format int

// The formats; the zero value is any other file.
const (
	Unknown  Format = iota
	Matroska        // Matroska or WebM
	MP4             // MP4 or QuickTime
)

// Extras is what a file holds beside the streams, tags and timing that
// GStreamer hands on.
type Extras struct {
	Format      Format
	Title       string // of the whole, from Matroska's Info
	Editions    []Edition
	Attachments []Attachment
	Tracks      []Track       // in the order of the file
	Begin       time.Duration // the earliest time among Matroska's first blocks; 0 for other formats
	Claimed     time.Duration // how long the file says it is; 0 where it does not
	Last        time.Duration // the latest time among Matroska's last blocks; 0 where that is not found
	Fragments   bool          // MP4: the movie box tells of none or few of the samples; each fragment tells of its own
	Mend        Over          // what is to be read instead of a duration that ends before Matroska's last blocks; empty where it does not
	Tags        []Tag         // Matroska's; GStreamer hands on the tags of MP4
}

// TrackType is the kind of a track.
type TrackType int

// The track types.
const (
	Other TrackType = iota
	Video
	Audio
	Subtitle
	ChapterText // a QuickTime text track that holds only the chapters' titles
)

// String is the type's name in messages.
func (t TrackType) String() string {
	switch t {
	case Video:
		return "video"
	case Audio:
		return "audio"
	case Subtitle:
		return "subtitle"
	case ChapterText:
		return "chapter text"
	case Other:
	}
	return "other"
}

// Track is what a file says about one of its tracks.
type Track struct {
	Label
	Number  uint64 // Matroska's TrackNumber, MP4's track_ID
	UID     uint64 // Matroska's TrackUID, 0 in MP4
	Type    TrackType
	CodecID string // Matroska's CodecID, or the four characters of MP4's sample entry

	// Private is the private data of a subtitle track's codec in Matroska.
	Private []byte
	// AlternateGroup is MP4's: of the tracks in one group, other than 0, one plays at a time.
	AlternateGroup int
	// Rotation is the turn, in degrees clockwise in [0, 360), that shows the picture upright.
	Rotation float64
}

// Label is what a track tells its listener: the facts that travel with the
// track however its samples are encoded.
type Label struct {
	Name          string // "" for none
	Language      string // ISO 639-2 code, "und" or "" when not known
	LanguageBCP47 string // "" when the file gives none
	Flags         Flags
}

// Flags are Matroska's track flags (RFC 9559 §5.1.4.1). From MP4, Default is
// tkhd's track_enabled, and the rest comes from tx3g's display flags and from
// kind boxes of the DASH role scheme.
type Flags struct {
	Default          bool // may be chosen when nobody asks for another
	Forced           bool // subtitles shown even when subtitles are off
	Disabled         bool // not meant to be played at all
	HearingImpaired  bool
	VisualImpaired   bool
	TextDescriptions bool // describes the picture in text, for a reader aloud
	Original         bool // in the content's original language
	Commentary       bool
}

// Edition is one set of chapters; most files have one.
type Edition struct {
	UID      uint64 // 0 for none
	Default  bool
	Hidden   bool
	Ordered  bool // chapters are the playing order, not marks in it
	Chapters []Chapter
}

// Chapter is a named part of the film. Start and End count from the start of
// the file's time line; End is 0 when the file does not say.
type Chapter struct {
	UID         uint64 // 0 for none
	Start, End  time.Duration
	Hidden      bool
	Disabled    bool
	Titles      []Title
	SegmentUUID []byte    // Matroska: 16 bytes naming another file that holds the part, or nil
	Chapters    []Chapter // parts of this part
}

// Title is a chapter's name in one language.
type Title struct {
	Text          string
	Language      string // ISO 639-2, "und" when not known
	LanguageBCP47 string // "" when the file gives none
}

// Tag is what a Matroska file tells of itself or of some of its parts.
type Tag struct {
	Targets Targets
	Values  []TagValue
}

// Targets says of what a tag tells: of the parts whose UIDs it lists, of the
// whole file where it lists none. A UID of 0 means all parts of its kind.
type Targets struct {
	Level       uint64 // 30 for a part as long as a scene or song, 50 for a film, and so on; 0 when not given
	Type        string // the level's name
	Tracks      []uint64
	Editions    []uint64
	Chapters    []uint64
	Attachments []uint64
}

// TagValue is one fact of a tag.
type TagValue struct {
	Name          string // as in TITLE
	Language      string // ISO 639-2, "und" when not known
	LanguageBCP47 string // "" when the file gives none
	Other         bool   // not in the original language
	Text          string
	Binary        []byte     // nil where the value is Text
	Values        []TagValue // facts about this one
}

// Attachment is a file inside a Matroska file, mostly a font for subtitles.
type Attachment struct {
	Name        string // as the file says it: not safe as a path
	MIME        string
	Description string
	UID         uint64 // 0 for none
	// Data reads the content where it lies, from the reader that Read was
	// given; that has to stay open while it is used. Finish uses only ReadAt.
	Data *io.SectionReader
}

// Read finds the extras of the size bytes in r. A file that is neither
// Matroska nor MP4 gives empty extras and no error, and a broken part of one
// is left out; an error is r's own.
func Read(r io.ReaderAt, size int64) (Extras, error) {
	src := newSource(r, size)
	start, err := src.bytes(0, min(12, size))
	if err != nil {
		return Extras{}, ignoreBroken(err)
	}
	var extras Extras
	switch sniff(start) {
	case Matroska:
		extras, err = readMatroska(src)
	case MP4:
		extras, err = readMP4(src)
	case Unknown:
	}
	return extras, ignoreBroken(err)
}

// sniff recognises a format by the first 12 bytes of a file.
func sniff(start []byte) Format {
	if len(start) < 8 {
		return Unknown
	}
	if bytes.HasPrefix(start, []byte{0x1A, 0x45, 0xDF, 0xA3}) {
		return Matroska
	}
	switch string(start[4:8]) {
	case "ftyp", "moov", "mdat", "free", "skip", "wide", "pnot":
		return MP4
	}
	return Unknown
}

func ignoreBroken(err error) error {
	if errors.Is(err, errBroken) {
		return nil
	}
	return err
}

// source is a file to be read in pieces.
type source struct {
	r     io.ReaderAt
	size  int64 // bytes
	looks *int  // headers that may still be looked at
}

func newSource(r io.ReaderAt, size int64) source {
	looks := maxElements
	return source{r: r, size: size, looks: &looks}
}

// bytes reads n bytes at off, or fails with errBroken where the file is shorter.
// The caller has bounded n.
func (s source) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || n > s.size-off {
		return nil, errBroken
	}
	b := make([]byte, n)
	switch got, err := s.r.ReadAt(b, off); {
	case int64(got) == n:
		return b, nil
	case errors.Is(err, io.EOF), err == nil:
		return nil, errBroken
	default:
		return nil, err
	}
}

// Cut returns the chapters that lie between start and end, with times counted
// from start: what a part of the file keeps. An end of 0 is the end of the file.
func Cut(editions []Edition, start, end time.Duration) []Edition {
	var kept []Edition
	for _, edition := range editions {
		edition.Chapters = cutChapters(edition.Chapters, start, end)
		if len(edition.Chapters) > 0 {
			kept = append(kept, edition)
		}
	}
	return kept
}

func cutChapters(chapters []Chapter, start, end time.Duration) []Chapter {
	var kept []Chapter
	for i, c := range chapters {
		last := c.End
		if last == 0 && i+1 < len(chapters) {
			last = chapters[i+1].Start
		}
		over := last != 0 && last <= start && c.Start < start
		if over || end != 0 && c.Start >= end {
			continue
		}
		if end != 0 && c.End > end {
			c.End = end
		}
		c.Start = max(c.Start-start, 0)
		c.End = max(c.End-start, 0)
		c.Chapters = cutChapters(c.Chapters, start, end)
		kept = append(kept, c)
	}
	return kept
}
