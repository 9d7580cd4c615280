package pipeline

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upscaled-media/upscaled/container"
)

// carry says how a compressed stream gets into a container.
type carry struct {
	parser string // factory that brings it into the container's form, "" for none
	mkv    bool   // GStreamer's muxers take it; proven against their pad templates in a test
	mp4    bool
	ts     bool
}

// audioCarry is keyed by media type, with mpegversion where it tells codecs apart.
var audioCarry = map[string]carry{
	"audio/mpeg 1":   {"mpegaudioparse", true, true, true},
	"audio/mpeg 2":   {"aacparse", true, false, true},
	"audio/mpeg 4":   {"aacparse", true, true, true},
	"audio/x-ac3":    {"ac3parse", true, true, true},
	"audio/x-eac3":   {"ac3parse", true, false, false},
	"audio/x-dts":    {"dcaparse", true, false, true},
	"audio/x-flac":   {"flacparse", true, false, false},
	"audio/x-opus":   {"", true, true, true},
	"audio/x-vorbis": {"vorbisparse", true, false, false},
	"audio/x-speex":  {"", true, false, false},
	"audio/x-alac":   {"", false, true, false},
	"audio/x-alaw":   {"", true, false, false},
	"audio/x-mulaw":  {"", true, false, false},
	"audio/x-tta":    {"", true, false, false},
	"audio/x-wma":    {"", true, false, false},
}

func (c carry) into(k Container) bool {
	return k == Matroska && c.mkv || k == MP4 && c.mp4 || k == TS && c.ts
}

func audioKey(t Track) string {
	if t.Type() == "audio/mpeg" {
		return "audio/mpeg " + strconv.Itoa(capsInt(t.Caps, "mpegversion"))
	}
	return t.Type()
}

// What queues of compressed data hold, in bytes. A stream is to be made in little
// memory: all that waits in one, and the head of its source, stays below 64 MB unless
// it has very many tracks.
const (
	fileQueue   = 128 << 20
	streamQueue = 8 << 20
	textQueue   = 1 << 20 // of subtitles in a stream
	textCues    = 256     // at most that many of them, for each may keep the block that it came in
)

// byteQueue holds compressed data back until its neighbours reach the same
// moment: x264 alone looks seconds ahead. It is bounded by bytes, so that a badly
// interleaved file blocks rather than fills the memory.
func byteQueue(name string) Node { return boundedQueue(name, fileQueue) }

func boundedQueue(name string, bytes int) Node {
	return Node{Factory: "queue", Name: name, Props: []Prop{{"max-size-buffers", "0"}, {"max-size-bytes", strconv.Itoa(bytes)}, {"max-size-time", "0"}}}
}

// byteQueue is the one that the plan has.
func (p *Plan) byteQueue(name string) Node {
	if p.streams() {
		return boundedQueue(name, streamQueue)
	}
	return byteQueue(name)
}

// textQueue is byteQueue for subtitles.
func (p *Plan) textQueue() Node {
	q := p.byteQueue("")
	if p.streams() {
		q.Props[0].Value, q.Props[1].Value = strconv.Itoa(textCues), strconv.Itoa(textQueue)
	}
	return q
}

// compressed holds pictures that are to be decoded.
func (p *Plan) compressed(name string) Node {
	if p.streams() {
		return boundedQueue(name, streamQueue)
	}
	return queue(name, 64)
}

// streams reports whether an end of the plan is a stream.
func (p *Plan) streams() bool { return p.Spec.Stream || p.Media.Streamed }

// audio plans a branch for every audio track that is asked for.
func (p *Plan) audio(has func(string) bool) error {
	s := p.Spec
	if s.Track < 0 || s.Track > len(p.Media.Audio) {
		return fail(CodeSpec, nil, "track: must be 1 to %d, which is how many tracks of sound there are (got %d)", len(p.Media.Audio), s.Track)
	}
	for i, t := range p.Media.Audio {
		what := fmt.Sprintf("audio %d (%s)", i+1, label(t))
		if s.Audio == AudioNone || s.Track > 0 && s.Track != i+1 {
			p.Lost = append(p.Lost, what+": it is not asked for")
			continue
		}
		b := Branch{StreamID: t.StreamID}
		switch nodes := p.asItIs(t); {
		case nodes != nil:
			b.Nodes = nodes
			p.Kept = append(p.Kept, what+" as it is")
		case s.Audio == AudioCopy:
			return fail(CodeSpec, nil, "audio: %s does not take %s as it is; let it be encoded", s.Container, what)
		default:
			n, how := p.encodeAudio(t, has)
			b.Nodes = n
			p.anew[t.Facts.UID] = true
			why := fmt.Sprintf(": %s does not take it", s.Container)
			if s.Audio != AudioKeep {
				why = ", as was asked for"
			}
			p.Changed = append(p.Changed, fmt.Sprintf("%s is encoded anew as %s%s", what, how, why))
		}
		p.keep(container.Audio, b, t, "")
	}
	return nil
}

// asItIs returns the way of a track that is carried over as it is, nil where it is not.
func (p *Plan) asItIs(t Track) []Node {
	s := p.Spec
	asked := map[AudioMode]string{AudioAAC: "audio/mpeg 4", AudioOpus: "audio/x-opus"}[s.Audio]
	if asked != "" && audioKey(t) != asked {
		return nil
	}
	switch c := audioCarry[audioKey(t)]; {
	case c.into(s.Container):
		nodes := []Node{p.byteQueue("")}
		if c.parser != "" && !headed(t) {
			nodes = append(nodes, Node{Factory: c.parser})
		}
		return nodes
	case t.Type() == "audio/x-raw" && s.Container == Matroska:
		return []Node{p.byteQueue(""), {Factory: "audioconvert"}}
	}
	return nil
}

// headed reports whether a Vorbis track brings its headers in its caps, as from
// Matroska. Its parser is then not needed, and would count times anew from zero.
func headed(t Track) bool {
	return t.Type() == "audio/x-vorbis" && capsField(t.Caps, "streamheader") != ""
}

// encodeAudio decodes a track and encodes it as asked for, else without loss where the
// container can, else as AAC.
func (p *Plan) encodeAudio(t Track, has func(string) bool) ([]Node, string) {
	channels := max(1, capsInt(t.Caps, "channels"))
	nodes := []Node{p.byteQueue(""), {Factory: "decodebin"}, {Factory: "audioconvert"}, {Factory: "audioresample"}}
	switch {
	case p.Spec.Audio == AudioOpus:
		rate := 64000 * channels
		return append(nodes, Node{Factory: "opusenc", Props: []Prop{{"bitrate", strconv.Itoa(rate)}}}),
			fmt.Sprintf("Opus at %d kbit/s", rate/1000)
	case p.Spec.Audio == AudioKeep && p.Spec.Container == Matroska && has("flacenc"):
		return append(nodes, Node{Factory: "flacenc"}), "FLAC"
	}
	rate := 96000 * channels
	return append(nodes, Node{Factory: "avenc_aac", Props: []Prop{{"bitrate", strconv.Itoa(rate)}}}, Node{Factory: "aacparse"}),
		fmt.Sprintf("AAC at %d kbit/s", rate/1000)
}

// Codec ids of Matroska's subtitles that Finish writes. GStreamer's muxer does not
// know PGS, which goes in as DVD subtitles and gets its name back; and the palette
// of DVD subtitles goes through it and comes out with other colours (1.22).
const (
	pgs    = "S_HDMV/PGS"
	vobSub = "S_VOBSUB"
)

// renamed gives a stream other caps and leaves its data alone.
func renamed(caps string) Node {
	return Node{Factory: "capssetter", Props: []Prop{{"caps", caps}, {"replace", "true"}, {"join", "false"}}}
}

// text plans a branch for every subtitle track that the container takes.
func (p *Plan) text() {
	for i, t := range p.Media.Text {
		if t.Facts.Type == container.ChapterText {
			continue // titles of chapters, which are kept as such
		}
		what := fmt.Sprintf("subtitles %d (%s)", i+1, label(t))
		b := Branch{StreamID: t.StreamID, Nodes: []Node{p.textQueue()}}
		codecID, mkv := "", p.Spec.Container == Matroska
		switch name := t.Type(); {
		case p.Spec.Container == TS, p.Spec.Stream && name == "subpicture/x-pgs":
			p.Lost = append(p.Lost, fmt.Sprintf("%s: GStreamer's %s muxer does not write %s", what, p.Spec.Container, t.Type()))
			continue
		case name == "text/x-raw" && mkv && t.Facts.CodecID != "tx3g":
			if capsField(t.Caps, "format") == "pango-markup" {
				b.Nodes, b.Text = append(b.Nodes, renamed("text/x-raw,format=utf8")), SubRip
			}
		case name == "text/x-raw" || !mkv && styled(name):
			p.plain(b, t, what)
			continue
		case mkv && name == "subpicture/x-pgs":
			b.Nodes = append(b.Nodes, renamed("subpicture/x-dvd"))
			codecID = pgs
		case mkv && name == "subpicture/x-dvd" && t.Facts.CodecID == vobSub && !p.Spec.Stream:
			codecID = vobSub
		case mkv && name == "subpicture/x-dvd" && p.Spec.Stream:
			p.Changed = append(p.Changed, what+" may get other colours: GStreamer's mkv muxer garbles the palette, which is mended in files alone")
			p.keep(container.Subtitle, b, t, "")
			continue
		case mkv && name == "subpicture/x-dvd" && p.Media.Extras.Format == container.MP4:
			p.Changed = append(p.Changed, what+" may get other colours: GStreamer's mkv muxer garbles the palette of MP4's")
			p.keep(container.Subtitle, b, t, "")
			continue
		case mkv && (styled(name) || name == "application/x-usf" || name == "subpicture/x-dvd" || name == "subtitle/x-kate"):
		default:
			p.Lost = append(p.Lost, fmt.Sprintf("%s: GStreamer's %s muxer does not write %s", what, p.Spec.Container, t.Type()))
			continue
		}
		p.Kept = append(p.Kept, what+" as they are")
		p.keep(container.Subtitle, b, t, codecID)
	}
}

// styled reports whether a media type is one of the subtitles that bring fonts,
// colours and places.
func styled(name string) bool { return name == "application/x-ass" || name == "application/x-ssa" }

// plain plans a track of which the bare text is kept. GStreamer hands on no
// styles of MP4's text and writes none, and MP4 shows one cue at a time.
func (p *Plan) plain(b Branch, t Track, what string) {
	if styled(t.Type()) {
		b.Nodes = append(b.Nodes, Node{Factory: "ssaparse"})
	}
	if styled(t.Type()) || capsField(t.Caps, "format") == "pango-markup" {
		b.Nodes, b.Text = append(b.Nodes, renamed("text/x-raw,format=utf8")), PlainText
	}
	how := " become plain text"
	if p.Spec.Container == MP4 {
		how += "; cues that overlap follow one another"
	}
	p.Changed = append(p.Changed, what+how)
	if styled(t.Type()) {
		p.Lost = append(p.Lost, fmt.Sprintf("fonts, colours and places of %s", what))
	}
	p.keep(container.Subtitle, b, t, "")
}

// label tells a track by its codec, language and title.
func label(t Track) string {
	_, codec, _ := strings.Cut(t.Type(), "/")
	language, title := t.Language, t.Title
	if t.Facts.Type != container.Other { // tags may be those of the whole file
		title = t.Facts.Name
	}
	parts := []string{strings.TrimPrefix(codec, "x-")}
	for _, s := range []string{language, title} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}
