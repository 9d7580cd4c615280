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
}

// audioCarry is keyed by media type, with mpegversion where it tells codecs apart.
var audioCarry = map[string]carry{
	"audio/mpeg 1":   {"mpegaudioparse", true, true},
	"audio/mpeg 2":   {"aacparse", true, false},
	"audio/mpeg 4":   {"aacparse", true, true},
	"audio/x-ac3":    {"ac3parse", true, true},
	"audio/x-eac3":   {"ac3parse", true, false},
	"audio/x-dts":    {"dcaparse", true, false},
	"audio/x-flac":   {"flacparse", true, false},
	"audio/x-opus":   {"", true, true},
	"audio/x-vorbis": {"vorbisparse", true, false},
	"audio/x-speex":  {"", true, false},
	"audio/x-alac":   {"", false, true},
	"audio/x-alaw":   {"", true, false},
	"audio/x-mulaw":  {"", true, false},
	"audio/x-tta":    {"", true, false},
	"audio/x-wma":    {"", true, false},
}

func (c carry) into(k Container) bool { return k == Matroska && c.mkv || k == MP4 && c.mp4 }

func audioKey(t Track) string {
	if t.Type() == "audio/mpeg" {
		return "audio/mpeg " + strconv.Itoa(capsInt(t.Caps, "mpegversion"))
	}
	return t.Type()
}

// byteQueue holds compressed data back until its neighbours reach the same
// moment: x264 alone looks seconds ahead. It is bounded by bytes, so that a badly
// interleaved file blocks rather than fills the memory.
func byteQueue(name string) Node {
	return Node{Factory: "queue", Name: name, Props: []Prop{{"max-size-buffers", "0"}, {"max-size-bytes", "134217728"}, {"max-size-time", "0"}}}
}

// audio plans a branch for every audio track.
func (p *Plan) audio(has func(string) bool) {
	for i, t := range p.Media.Audio {
		c := audioCarry[audioKey(t)]
		b := Branch{StreamID: t.StreamID, Pad: "audio_%u"}
		what := fmt.Sprintf("audio %d (%s)", i+1, label(t))
		switch {
		case c.into(p.Spec.Container):
			b.Nodes = []Node{byteQueue("")}
			if c.parser != "" && !headed(t) {
				b.Nodes = append(b.Nodes, Node{Factory: c.parser})
			}
			p.Kept = append(p.Kept, what+" as it is")
		case t.Type() == "audio/x-raw" && p.Spec.Container == Matroska:
			b.Nodes = []Node{byteQueue(""), {Factory: "audioconvert"}}
			p.Kept = append(p.Kept, what+" as it is")
		default:
			n, how := encodeAudio(t, p.Spec.Container, has)
			b.Nodes = n
			p.anew[t.Facts.UID] = true
			p.Changed = append(p.Changed, fmt.Sprintf("%s is encoded anew as %s: %s does not take it", what, how, p.Spec.Container))
		}
		p.keep(b, t, "")
	}
}

// headed reports whether a Vorbis track brings its headers in its caps, as from
// Matroska. Its parser is then not needed, and would count times anew from zero.
func headed(t Track) bool {
	return t.Type() == "audio/x-vorbis" && capsField(t.Caps, "streamheader") != ""
}

// encodeAudio decodes a track and encodes it: without loss where the container
// can, else as AAC.
func encodeAudio(t Track, c Container, has func(string) bool) ([]Node, string) {
	channels := max(1, capsInt(t.Caps, "channels"))
	nodes := []Node{byteQueue(""), {Factory: "decodebin"}, {Factory: "audioconvert"}, {Factory: "audioresample"}}
	if c == Matroska && has("flacenc") {
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
		b := Branch{StreamID: t.StreamID, Pad: "subtitle_%u", Nodes: []Node{byteQueue("")}}
		codecID, mkv := "", p.Spec.Container == Matroska
		switch name := t.Type(); {
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
		case mkv && name == "subpicture/x-dvd" && t.Facts.CodecID == vobSub:
			codecID = vobSub
		case mkv && name == "subpicture/x-dvd" && p.Media.Extras.Format == container.MP4:
			p.Changed = append(p.Changed, what+" may get other colours: GStreamer's mkv muxer garbles the palette of MP4's")
			p.keep(b, t, "")
			continue
		case mkv && (styled(name) || name == "application/x-usf" || name == "subpicture/x-dvd" || name == "subtitle/x-kate"):
		default:
			p.Lost = append(p.Lost, fmt.Sprintf("%s: GStreamer's %s muxer does not write %s", what, p.Spec.Container, t.Type()))
			continue
		}
		p.Kept = append(p.Kept, what+" as they are")
		p.keep(b, t, codecID)
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
	p.keep(b, t, "")
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
