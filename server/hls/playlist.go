package hls

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// version is EXT-X-VERSION: EXT-X-MAP needs 6, and 7 is the last that RFC 8216 describes.
const version = 7

// Change says that segments from one on are of another generation: made anew with
// another codec configuration or size. A list of changes ascends and begins with
// segment 0.
//
// Every playlist of a film is given the changes of its picture, sound and text
// with the same generation throughout: discontinuities must be at the same places
// in all of them (RFC 8216 §6.2.4). hls.js holds back sound of a discontinuity
// that it has not seen in the picture.
type Change struct {
	Segment    int
	Generation int
}

// listing is a media playlist to be written.
type listing struct {
	stream wire.Stream
	scale  int64           // ticks a second
	target int64           // seconds, grown where a segment is longer
	count  int             // of segments
	begin  func(int) int64 // tick of a segment, 0 of the first one, the end of count
	listed func(int) bool  // what is not listed takes no time
	query  string          // appended to each URI
}

// Playlist returns the media playlist of the picture: all segments at once, each
// with the generation that changes say. The query, empty or as in "?cap=…", is
// appended to every URI. Errors wrap ErrCaller.
func (t Timeline) Playlist(changes []Change, query string) ([]byte, error) {
	return t.listing(wire.StreamVideo).write(changes, query)
}

// TextPlaylist returns the media playlist of a track of text, as Playlist does.
func (t Timeline) TextPlaylist(changes []Change, query string) ([]byte, error) {
	return t.listing(wire.StreamText).write(changes, query)
}

func (t Timeline) listing(kind wire.StreamKind) listing {
	return listing{
		stream: wire.Stream{Kind: kind}, scale: t.scale, target: t.target(), count: t.count,
		begin: t.Begin, listed: func(int) bool { return true },
	}
}

// Playlist returns the media playlist of the track, as Timeline's does. Empty
// segments are not listed. Where the track begins later than the film, the first
// segment's duration holds the silence before it, so that what follows stands
// where it belongs.
func (s Sound) Playlist(changes []Change, query string) ([]byte, error) {
	return listing{
		stream: wire.Stream{Kind: wire.StreamAudio}, scale: s.rate, target: s.film.target(), count: s.film.count,
		begin: func(segment int) int64 {
			if s.before(segment) == 0 {
				return 0
			}
			return s.Begin(segment)
		},
		listed: func(segment int) bool { return !s.Empty(segment) },
	}.write(changes, query)
}

// write returns the playlist.
func (l listing) write(changes []Change, query string) ([]byte, error) {
	if err := checkChanges(changes, l.count); err != nil {
		return nil, err
	}
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	l.query = query
	l.grow()
	b := make([]byte, 0, 256+l.count*(40+len(query)))
	b = fmt.Appendf(b, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n"+
		"#EXT-X-PLAYLIST-TYPE:VOD\n", version, l.target)
	if l.stream.Kind != wire.StreamText {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	// Discontinuities ahead of the first segment have interrupted nothing here, but they count.
	if passed := l.passed(changes); passed > 0 {
		b = fmt.Appendf(b, "#EXT-X-DISCONTINUITY-SEQUENCE:%d\n", passed)
	}
	generation, broken, first := -1, false, true
	for k := range l.count {
		now := changes[0]
		if len(changes) > 1 && changes[1].Segment <= k {
			changes = changes[1:]
			now, broken = changes[0], true
		}
		if !l.listed(k) {
			continue
		}
		if broken && !first {
			b = append(b, "#EXT-X-DISCONTINUITY\n"...)
		}
		if now.Generation != generation && l.stream.Kind != wire.StreamText {
			b = fmt.Appendf(b, "#EXT-X-MAP:URI=\"%s%s\"\n", l.uri(FileInit, now.Generation, 0), query)
		}
		generation, broken, first = now.Generation, false, false
		b = appendSeconds(append(b, "#EXTINF:"...), l.micros(k+1)-l.micros(k))
		b = append(append(append(append(b, ",\n"...), l.uri(FileSegment, now.Generation, k)...), query...), '\n')
	}
	return append(b, "#EXT-X-ENDLIST\n"...), nil
}

// passed returns how many discontinuities lie at or ahead of the first segment that is listed.
func (l listing) passed(changes []Change) int {
	first := 0
	for first < l.count && !l.listed(first) {
		first++
	}
	n := 0
	for n+1 < len(changes) && changes[n+1].Segment <= first {
		n++
	}
	return n
}

// uri returns the path of a file of the stream, from its playlist's folder.
func (l listing) uri(file File, generation, segment int) string {
	return Resource{File: file, Stream: l.stream, Generation: generation, Segment: segment}.name()
}

// micros returns where a segment begins in microseconds. Durations are differences of such rounded
// ends and not rounded themselves: their sum up to any segment is within half a microsecond of its
// begin, in the third hour as in the first.
func (l listing) micros(segment int) int64 { return mulDivNear(l.begin(segment), 1_000_000, l.scale) }

// grow makes the target long enough for every segment, which a late first one of sound can exceed.
func (l *listing) grow() {
	for k := range l.count {
		if l.listed(k) {
			l.target = max(l.target, (l.micros(k+1)-l.micros(k)+500_000)/1_000_000)
		}
	}
}

// appendSeconds appends microseconds as seconds with six decimals.
func appendSeconds(b []byte, micros int64) []byte {
	b = append(strconv.AppendInt(b, micros/1_000_000, 10), '.')
	for digit := int64(100_000); digit > 0; digit /= 10 {
		b = append(b, byte('0'+micros/digit%10))
	}
	return b
}

// checkChanges checks a list of changes.
func checkChanges(changes []Change, count int) error {
	if len(changes) == 0 || changes[0].Segment != 0 {
		return fmt.Errorf("%w: changes that do not begin with segment 0", ErrCaller)
	}
	for i, c := range changes {
		if c.Generation < 0 || c.Segment >= count || i > 0 && c.Segment <= changes[i-1].Segment {
			return fmt.Errorf("%w: change %d at segment %d of %d", ErrCaller, c.Generation, c.Segment, count)
		}
	}
	return nil
}

// checkQuery checks that a query can stand in a playlist and in a quoted string of one.
func checkQuery(query string) error {
	if query != "" && query[0] != '?' || strings.ContainsFunc(query, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"#<>\^{|}`+"`", r)
	}) {
		return fmt.Errorf("%w: query", ErrCaller) // not quoted: it is a secret
	}
	return nil
}
