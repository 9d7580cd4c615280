package container

import (
	"bytes"
	"math"
	"slices"
	"time"
)

// mp4Track is a track while its movie box is read.
type mp4Track struct {
	Track
	trak      box
	timescale uint32   // ticks in a second
	chapters  []uint64 // track IDs of the tracks that hold this one's chapters
}

// readMP4 finds the movie box, wherever it lies, and reads what it says.
func readMP4(src source) (Extras, error) {
	extras := Extras{Format: MP4}
	for b, err := range src.boxes(0, src.size) {
		if err != nil {
			return extras, err
		}
		if b.kind == "moov" {
			return extras, readMovie(src, b, &extras)
		}
	}
	return extras, nil
}

func readMovie(src source, moov box, extras *Extras) error {
	mvhd, err := src.load(maxText, moov, "mvhd")
	if ignoreBroken(err) != nil {
		return err
	}
	extras.Claimed = claimed(mvhd)
	var tracks []mp4Track
	for b, err := range src.boxes(moov.data, moov.end) {
		if err != nil {
			if ignoreBroken(err) != nil {
				return err
			}
			break
		}
		if b.kind == "mvex" { // in fragments, which the movie header does not count
			mehd, err := src.load(maxText, b, "mehd")
			if ignoreBroken(err) != nil {
				return err
			}
			extras.Fragments, extras.Claimed = true, claimedInFragments(mehd, mvhd)
		}
		if b.kind != "trak" || len(tracks) == maxTracks {
			continue
		}
		track, err := readMP4Track(src, b)
		if err != nil {
			return err
		}
		tracks = append(tracks, track)
	}
	markChapterTracks(tracks)
	for _, track := range tracks {
		extras.Tracks = append(extras.Tracks, track.Track)
	}
	chapters, err := readMP4Chapters(src, moov, tracks)
	if len(chapters) > 0 {
		extras.Editions = []Edition{{Default: true, Chapters: chapters}}
	}
	return err
}

// claimed returns how long a movie header (ISO/IEC 14496-12 §8.2.2) says the film is,
// 0 where it does not know.
func claimed(mvhd fields) time.Duration {
	return lengthAt(mvhd, mvhd.wide(16, 24), movieScale(mvhd))
}

// claimedInFragments returns how long a movie extends header (§8.8.2) says the film is,
// fragments and all; 0 where there is none, or it does not know.
func claimedInFragments(mehd, mvhd fields) time.Duration {
	return lengthAt(mehd, 4, movieScale(mvhd))
}

// lengthAt returns the duration at an offset of a full box, 0 where it is all ones: not
// known.
func lengthAt(f fields, off int, scale uint32) time.Duration {
	length, unknown := uint64(f.u32(off)), uint64(math.MaxUint32)
	if f.wide(0, 1) == 1 {
		length, unknown = f.u64(off), math.MaxUint64
	}
	if length == unknown {
		return 0
	}
	return ticks(length, scale)
}

// movieScale returns how many ticks of a movie header make a second.
func movieScale(mvhd fields) uint32 { return mvhd.u32(mvhd.wide(12, 20)) }

// markChapterTracks finds the text tracks that others name as their chapters.
func markChapterTracks(tracks []mp4Track) {
	for i := range tracks {
		named := slices.ContainsFunc(tracks, func(t mp4Track) bool {
			return slices.Contains(t.chapters, tracks[i].Number)
		})
		if named && tracks[i].Type == Subtitle {
			tracks[i].Type = ChapterText
		}
	}
}

// readMP4Track reads a trak box. Boxes that are missing or broken leave what
// they would say at its zero value.
func readMP4Track(src source, trak box) (mp4Track, error) {
	track := mp4Track{trak: trak}
	read := []struct {
		path []string
		take func(fields)
	}{
		{[]string{"tkhd"}, track.takeHeader},
		{[]string{"tref", "chap"}, track.takeChapterReference},
		{[]string{"mdia", "mdhd"}, track.takeMediaHeader},
		{[]string{"mdia", "hdlr"}, track.takeHandler},
		{[]string{"mdia", "elng"}, func(f fields) { track.LanguageBCP47 = textOf(f.from(4)) }},
		{[]string{"mdia", "minf", "stbl", "stsd"}, track.takeSampleEntry},
		{[]string{"udta", "name"}, func(f fields) { track.Name = textOf(f) }},
	}
	for _, r := range read {
		f, err := src.load(maxText, trak, r.path...)
		if ignoreBroken(err) != nil {
			return track, err
		}
		if err == nil {
			r.take(f)
		}
	}
	return track, ignoreBroken(track.takeKinds(src))
}

func (t *mp4Track) takeHeader(f fields) {
	t.Number = uint64(f.u32(f.wide(12, 20)))
	t.Flags.Default = f.u32(0)&1 != 0
	t.AlternateGroup = int(int16(f.u16(f.wide(34, 46))))
	// The matrix maps (x, y) to (ax+cy, bx+dy), with y downwards, in 16.16.
	matrix := f.wide(40, 52)
	a, b := int32(f.u32(matrix)), int32(f.u32(matrix+4))
	t.Rotation = clockwise(math.Round(math.Atan2(float64(b), float64(a)) * 180 / math.Pi))
}

func (t *mp4Track) takeChapterReference(f fields) {
	for off := 0; off+4 <= len(f); off += 4 {
		t.chapters = append(t.chapters, uint64(f.u32(off)))
	}
}

func (t *mp4Track) takeMediaHeader(f fields) {
	t.timescale = f.u32(f.wide(12, 20))
	t.Language = packedLanguage(f.u16(f.wide(20, 32)))
}

// packedLanguage unpacks three letters of five bits. QuickTime's older numbers,
// below 0x400, are given up as not known.
func packedLanguage(v uint16) string {
	if v < 0x400 || v == 0x7FFF {
		return "und"
	}
	code := []byte{byte(v>>10&31) + 0x60, byte(v>>5&31) + 0x60, byte(v&31) + 0x60}
	for _, c := range code {
		if c < 'a' || c > 'z' {
			return "und"
		}
	}
	return string(code)
}

func (t *mp4Track) takeHandler(f fields) {
	switch string(f.from(8)[:min(4, len(f.from(8)))]) {
	case "vide":
		t.Type = Video
	case "soun":
		t.Type = Audio
	case "subt", "sbtl", "text", "subp", "clcp":
		t.Type = Subtitle
	}
}

// takeSampleEntry reads the first sample entry's kind, and from timed text
// (3GPP TS 26.245 §5.16) whether all of it is forced.
func (t *mp4Track) takeSampleEntry(f fields) {
	if len(f) < 16 {
		return
	}
	t.CodecID = string(bytes.ToValidUTF8(f[12:16], nil))
	const allForced = 0x80000000 // Apple's flag in a field that 3GPP reserves
	if t.CodecID == "tx3g" && f.u32(24)&allForced != 0 {
		t.Flags.Forced = true
	}
}

// takeKinds reads the roles of a track (ISO/IEC 14496-12 §8.10.4) in the scheme
// of ISO/IEC 23009-1 §5.8.5.5.
func (t *mp4Track) takeKinds(src source) error {
	udta, err := src.find(t.trak, "udta")
	if err != nil {
		return err
	}
	for b, err := range src.boxes(udta.data, udta.end) {
		if err != nil {
			return err
		}
		if b.kind != "kind" {
			continue
		}
		f, err := src.bytes(b.data, min(b.end-b.data, maxText))
		if err != nil {
			return err
		}
		scheme, value, _ := bytes.Cut(fields(f).from(4), []byte{0})
		if string(scheme) != "urn:mpeg:dash:role:2011" {
			continue
		}
		switch textOf(value) {
		case "commentary":
			t.Flags.Commentary = true
		case "caption":
			t.Flags.HearingImpaired = true
		case "description":
			t.Flags.VisualImpaired = true
		case "forced-subtitle", "forced_subtitle":
			t.Flags.Forced = true
		}
	}
	return nil
}

// textOf is UTF-8 text up to its end or a zero byte.
func textOf(f fields) string { return element{data: f}.asText() }

// ticks is a time of n ticks, of which scale make a second; times beyond what
// a Duration holds are cut there.
func ticks(n uint64, scale uint32) time.Duration {
	if scale == 0 {
		return 0
	}
	seconds, rest := n/uint64(scale), n%uint64(scale)
	if seconds >= math.MaxInt64/uint64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(seconds)*time.Second + time.Duration(rest*uint64(time.Second)/uint64(scale))
}
