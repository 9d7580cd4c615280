package hls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// The groups of EXT-X-MEDIA.
const (
	audioGroup = "audio"
	textGroup  = "text"
)

// overhead is what fMP4 adds to a stream in bit/s: 16 bytes for a picture or frame of sound and 160
// for a segment are below it up to 60 pictures a second.
const overhead = 10_000

// Master is what a master playlist tells of a film: one variant, with every track
// of sound and text.
type Master struct {
	Video wire.VideoInfo
	Codec string // of the picture: fmp4.VideoCodec, and as in wire.Init
	// Average is the picture's expected bit rate in kbit/s; 0 leaves AVERAGE-BANDWIDTH out.
	Average int
	Audio   []Track
	Text    []wire.TextInfo // those that are bitmaps are left out; the others keep their index
}

// Track is a track of sound in a Master.
type Track struct {
	wire.AudioInfo
	Codec string // RFC 6381, as in mp4a.40.2
}

// Playlist returns the master playlist. URIs are relative to it, with the query
// appended as in Timeline.Playlist. Titles and languages may be anything. Other
// errors of the film wrap ErrFilm, a bad query ErrCaller.
func (m Master) Playlist(query string) ([]byte, error) {
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "#EXTM3U\n#EXT-X-VERSION:%d\n#EXT-X-INDEPENDENT-SEGMENTS\n", version)
	b = m.appendAudio(b, query)
	b = m.appendText(b, query)
	b = m.appendVariant(b)
	return fmt.Appendf(b, "%s%s\n", Resource{File: FilePlaylist, Stream: wire.Stream{Kind: wire.StreamVideo}}.Path(), query), nil
}

// check finds what a playlist cannot hold.
func (m Master) check() error {
	v := m.Video
	if v.Size[0] < 1 || v.Size[1] < 1 || v.Aspect[0] < 0 || v.Aspect[1] < 0 || v.MaxRate < 1 || v.Rate[0] < 0 || v.Rate[1] < 1 {
		return fmt.Errorf("%w: size %v, aspect %v, rate %v, %d kbit/s", ErrFilm, v.Size, v.Aspect, v.Rate, v.MaxRate)
	}
	codecs := []string{m.Codec}
	for _, track := range m.Audio {
		codecs = append(codecs, track.Codec)
		if track.Channels < 1 || track.BitRate < 0 {
			return fmt.Errorf("%w: sound of %d channels, %d bit/s", ErrFilm, track.Channels, track.BitRate)
		}
	}
	for _, codec := range codecs {
		if codec == "" || strings.ContainsFunc(codec, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.'
		}) {
			return fmt.Errorf("%w: codec %q", ErrFilm, codec)
		}
	}
	return nil
}

// appendAudio appends the group of sound. One track is the default, the one that the film flags or
// else the first. Tracks that a player may choose by itself differ in language (RFC 8216
// §4.3.4.1.1), so a second one of a language is for the viewer to choose.
func (m Master) appendAudio(b []byte, query string) []byte {
	standard := max(0, slices.IndexFunc(m.Audio, func(t Track) bool { return t.Default }))
	names, chosen := labels{}, map[string]bool{}
	if len(m.Audio) > 0 {
		chosen[languageTag(m.Audio[standard].Language)] = true
	}
	for i, track := range m.Audio {
		tag := languageTag(track.Language)
		b = appendRendition(b, rendition{
			kind: "AUDIO", group: audioGroup, tag: tag, name: names.name(track.Title, "Audio", i+1, tag),
			standard: i == standard, auto: i == standard || !chosen[tag], channels: track.Channels,
			uri: Resource{File: FilePlaylist, Stream: wire.Stream{Kind: wire.StreamAudio, Index: i}}.Path() + query,
		})
		chosen[tag] = true
	}
	return b
}

// appendText appends the group of subtitles. The default is the one that the film flags, if any:
// subtitles that nobody asked for are none.
func (m Master) appendText(b []byte, query string) []byte {
	type key struct {
		tag    string
		forced bool
	}
	standard := slices.IndexFunc(m.Text, func(t wire.TextInfo) bool { return t.Default && !t.Bitmap })
	names, chosen := labels{}, map[key]bool{}
	if standard >= 0 {
		chosen[key{languageTag(m.Text[standard].Language), m.Text[standard].Forced}] = true
	}
	for i, track := range m.Text {
		if track.Bitmap {
			continue
		}
		k := key{languageTag(track.Language), track.Forced}
		b = appendRendition(b, rendition{
			kind: "SUBTITLES", group: textGroup, tag: k.tag, name: names.name(track.Title, "Subtitles", i+1, k.tag),
			standard: i == standard, auto: i == standard || !chosen[k], forced: track.Forced,
			uri: Resource{File: FilePlaylist, Stream: wire.Stream{Kind: wire.StreamText, Index: i}}.Path() + query,
		})
		chosen[k] = true
	}
	return b
}

// rendition is a line of EXT-X-MEDIA.
type rendition struct {
	kind, group, tag, name, uri string
	standard, auto, forced      bool
	channels                    int
}

func appendRendition(b []byte, r rendition) []byte {
	b = fmt.Appendf(b, `#EXT-X-MEDIA:TYPE=%s,GROUP-ID="%s",NAME="%s"`, r.kind, r.group, r.name)
	if r.tag != "" {
		b = fmt.Appendf(b, `,LANGUAGE="%s"`, r.tag)
	}
	b = fmt.Appendf(b, ",DEFAULT=%s,AUTOSELECT=%s", yes(r.standard), yes(r.auto))
	if r.forced {
		b = append(b, ",FORCED=YES"...)
	}
	if r.channels > 0 {
		b = fmt.Appendf(b, `,CHANNELS="%d"`, r.channels)
	}
	return fmt.Appendf(b, ",URI=\"%s\"\n", r.uri)
}

func yes(is bool) string {
	if is {
		return "YES"
	}
	return "NO"
}

// appendVariant appends EXT-X-STREAM-INF. Its bit rates are those of the picture with the track of
// sound that has the most, as RFC 8216 §4.3.4.2 counts them.
func (m Master) appendVariant(b []byte) []byte {
	codecs, sound := []string{m.Codec}, 0
	for _, track := range m.Audio {
		sound = max(sound, track.BitRate+overhead)
		if !slices.Contains(codecs, track.Codec) {
			codecs = append(codecs, track.Codec)
		}
	}
	rest := overhead + sound
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d", m.Video.MaxRate*1000+rest)
	if m.Average > 0 {
		b = fmt.Appendf(b, ",AVERAGE-BANDWIDTH=%d", min(m.Average, m.Video.MaxRate)*1000+rest)
	}
	width, height := m.shown()
	b = fmt.Appendf(b, `,CODECS="%s",RESOLUTION=%dx%d`, strings.Join(codecs, ","), width, height)
	if m.Video.Rate[0] > 0 {
		b = fmt.Appendf(b, ",FRAME-RATE=%.3f", float64(m.Video.Rate[0])/float64(m.Video.Rate[1]))
	}
	if len(m.Audio) > 0 {
		b = fmt.Appendf(b, `,AUDIO="%s"`, audioGroup)
	}
	if slices.ContainsFunc(m.Text, func(t wire.TextInfo) bool { return !t.Bitmap }) {
		b = fmt.Appendf(b, `,SUBTITLES="%s"`, textGroup)
	}
	return append(b, ",CLOSED-CAPTIONS=NONE\n"...)
}

// shown returns the size at which the picture is shown, in square pixels: RESOLUTION is that of the
// display, not of the coded picture (§4.3.4.2).
func (m Master) shown() (width, height int) {
	width, height = m.Video.Size[0], m.Video.Size[1]
	if n, d := m.Video.Aspect[0], m.Video.Aspect[1]; n > 0 && d > 0 {
		width = int(mulDivNear(int64(width), int64(n), int64(d)))
	}
	return width, height
}
