package container

import (
	"bytes"
	"iter"
	"math"
)

// matroskaReader walks one file. Each kind of element is taken once: the first
// that is met, be it on the way to the first cluster or through the seek head.
type matroskaReader struct {
	source
	extras  Extras
	segment int64          // where the segment's content starts: what seek positions count from
	end     int64          // where the segment ends
	scale   uint64         // nanoseconds of one tick
	claim   claim          // how long the file says it is
	taken   map[int64]bool // offsets of the elements that were looked at
	seeks   []int64        // offsets from seek heads, still to be looked at

	// What may still be taken of tags, of which a file may have several elements.
	tagBytes int64
	tags     int
}

// Real files have one seek head with about five entries.
const (
	maxSeeks    = 64       // entries followed
	maxSeekHead = 64 << 10 // bytes of one
)

func readMatroska(src source) (Extras, error) {
	ebml, err := src.element(0)
	if err != nil {
		return Extras{}, err
	}
	segment, err := src.element(ebml.end(src.size))
	if err != nil || segment.id != idSegment {
		return Extras{Format: Matroska}, err
	}
	m := &matroskaReader{
		source:  src,
		extras:  Extras{Format: Matroska},
		segment: segment.data(),
		end:     min(segment.end(src.size), src.size),
		scale:   defaultScale,
		taken:   map[int64]bool{},

		tagBytes: maxMaster,
		tags:     maxTags,
	}
	if err := m.walk(); ignoreBroken(err) != nil {
		return m.extras, err
	}
	err = m.follow()
	if m.claim.ticks > 0 && m.claim.ticks < math.MaxInt64 {
		m.extras.Claimed = m.duration(int64(m.claim.ticks))
	}
	m.extras.Mend = m.mend()
	return m.extras, err
}

// walk takes what lies before the first cluster.
func (m *matroskaReader) walk() error {
	for p, err := range m.elements(m.segment, m.end) {
		if err != nil {
			return err
		}
		if p.id == idCluster {
			if err := m.readBegin(p.start); ignoreBroken(err) != nil {
				return err
			}
			return m.readLast(p.start)
		}
		if err := m.take(p); ignoreBroken(err) != nil {
			return err
		}
	}
	return nil
}

// follow takes what the seek head names after the clusters. A file without one
// was streamed and has all it has in front.
func (m *matroskaReader) follow() error {
	for range maxSeeks {
		if len(m.seeks) == 0 {
			return nil
		}
		off := m.seeks[0]
		m.seeks = m.seeks[1:]
		p, err := m.element(off)
		if err == nil {
			err = m.take(p)
		}
		if ignoreBroken(err) != nil {
			return err
		}
	}
	return nil
}

func (m *matroskaReader) take(p placed) error {
	if m.taken[p.start] {
		return nil
	}
	m.taken[p.start] = true
	if p.id == idAttachments {
		if m.extras.Attachments != nil {
			return nil
		}
		var err error
		m.extras.Attachments, err = m.readAttachments(p)
		return err
	}
	var parse func([]byte)
	limit := int64(maxMaster)
	switch {
	case p.id == idSeekHead:
		parse, limit = m.readSeekHead, maxSeekHead
	case p.id == idInfo:
		parse = func(b []byte) { m.readInfo(b, p.data()) }
	case p.id == idTracks && m.extras.Tracks == nil:
		parse = m.readTracks
	case p.id == idTags:
		limit = m.tagBytes
		m.tagBytes -= p.size
		parse = func(b []byte) { m.extras.Tags = append(m.extras.Tags, readTags(b, &m.tags)...) }
	case p.id == idChapters && m.extras.Editions == nil:
		parse = func(b []byte) { m.extras.Editions = readChapters(b) }
	default:
		return nil
	}
	b, err := m.content(p, limit)
	if err != nil {
		return err
	}
	parse(b)
	return nil
}

func (m *matroskaReader) readSeekHead(b []byte) {
	for id, position := range seekEntries(b) {
		switch id {
		case idSeekHead, idInfo, idTracks, idChapters, idAttachments, idTags:
			if position < uint64(m.end-m.segment) && len(m.seeks) < maxSeeks {
				m.seeks = append(m.seeks, m.segment+int64(position))
			}
		}
	}
}

// seekEntries yields the ID and the segment position of what a seek head names.
func seekEntries(seekHead []byte) iter.Seq2[uint32, uint64] {
	return func(yield func(uint32, uint64) bool) {
		for seek := range intact(seekHead) {
			if seek.id != idSeek {
				continue
			}
			id, position := uint64(0), uint64(math.MaxUint64)
			for e := range intact(seek.data) {
				switch e.id {
				case idSeekID:
					id = e.asUint()
				case idSeekPosition:
					position = e.asUint()
				}
			}
			if id <= math.MaxUint32 && !yield(uint32(id), position) {
				return
			}
		}
	}
}

// readInfo reads the content of an Info element, which lies at an offset.
func (m *matroskaReader) readInfo(b []byte, at int64) {
	for e := range intact(b) {
		at += int64(len(e.raw)) // now its end
		switch e.id {
		case idTitle:
			m.extras.Title = e.asText()
		case idTimestampScale:
			m.scale = e.asUint()
		case idDuration:
			m.claim = claim{at: at - int64(len(e.data)), width: len(e.data), ticks: e.asFloat()}
		}
	}
}

func (m *matroskaReader) readTracks(b []byte) {
	for e := range intact(b) {
		if len(m.extras.Tracks) == maxTracks {
			return
		}
		if e.id == idTrackEntry {
			m.extras.Tracks = append(m.extras.Tracks, readTrack(e.data))
		}
	}
}

// readTrack reads a TrackEntry; what it does not say has RFC 9559's default.
func readTrack(b []byte) Track {
	t := Track{Label: Label{Language: "eng", Flags: Flags{Default: true}}}
	for e := range intact(b) {
		if flag := t.Flags.byID(e.id); flag != nil {
			*flag = e.asUint() == 1
			continue
		}
		switch e.id {
		case idFlagEnabled:
			t.Flags.Disabled = e.asUint() == 0
		case idTrackNumber:
			t.Number = e.asUint()
		case idTrackUID:
			t.UID = e.asUint()
		case idTrackType:
			t.Type = trackType(e.asUint())
		case idCodecID:
			t.CodecID = e.asText()
		case idCodecPrivate:
			t.Private = e.data
		case idName:
			t.Name = e.asText()
		case idLanguage:
			t.Language = e.asText()
		case idLanguageBCP47:
			t.LanguageBCP47 = e.asText()
		case idVideo:
			t.Rotation = readRotation(e.data)
		}
	}
	if t.Type != Subtitle || len(t.Private) > maxPrivate {
		t.Private = nil
	}
	t.Private = bytes.Clone(t.Private) // b holds all tracks
	return t
}

// byID is the flag that an element of a TrackEntry sets, or nil. FlagEnabled is
// not among them: it is the only one that says a good thing by being absent.
func (f *Flags) byID(id uint32) *bool {
	switch id {
	case idFlagDefault:
		return &f.Default
	case idFlagForced:
		return &f.Forced
	case idFlagHearingImpaired:
		return &f.HearingImpaired
	case idFlagVisualImpaired:
		return &f.VisualImpaired
	case idFlagTextDescription:
		return &f.TextDescriptions
	case idFlagOriginal:
		return &f.Original
	case idFlagCommentary:
		return &f.Commentary
	}
	return nil
}

// trackType maps Matroska's TrackType numbers (RFC 9559 §5.1.4.1.3).
func trackType(v uint64) TrackType {
	switch v {
	case 1:
		return Video
	case 2:
		return Audio
	case 17:
		return Subtitle
	}
	return Other
}

// readRotation finds the roll of a Video element's projection, which Matroska
// counts counter-clockwise.
func readRotation(video []byte) float64 {
	for e := range intact(video) {
		if e.id != idProjection {
			continue
		}
		for pose := range intact(e.data) {
			if pose.id == idProjectionPoseRoll {
				return clockwise(-pose.asFloat())
			}
		}
	}
	return 0
}

// clockwise brings an angle into [0, 360) degrees; what is no angle is 0.
func clockwise(degrees float64) float64 {
	if math.IsNaN(degrees) || math.IsInf(degrees, 0) {
		return 0
	}
	degrees = math.Mod(degrees, 360)
	if degrees < 0 {
		degrees += 360
	}
	return math.Mod(degrees, 360) // a tiny negative angle rounds up to 360
}
