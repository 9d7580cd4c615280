package pipeline

// #include "glue.h"
import "C"

import (
	"runtime/cgo"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// TextPlan is how a track of subtitles is delivered.
type TextPlan struct {
	Track
	Bitmap bool // pictures, which can be drawn into the film's own only
}

// newTextPlans lists the subtitles that can be delivered, and tells of the others.
func newTextPlans(m Media) (plans []TextPlan, lost []string) {
	for _, t := range m.Text {
		switch name := t.Type(); {
		case drawn(t):
			plans = append(plans, TextPlan{t, true})
		case name == "text/x-raw", styled(name):
			plans = append(plans, TextPlan{t, false})
		default:
			lost = append(lost, "subtitles ("+label(t)+"): nothing here reads "+name)
		}
	}
	return plans, lost
}

// textGraph plans a run of subtitles. The picture is read past: it tells how far
// the film is where nobody speaks. No queue may part the two: the demuxer's thread
// hands over both, each cue before the pictures that follow it in the file.
func (p PlayPlan) textGraph(i int) Graph {
	g, t := playGraph(), p.Text[i]
	n := Node{Factory: "identity"}
	if styled(t.Type()) {
		n = Node{Factory: "ssaparse"}
	}
	g.Branches = []Branch{{StreamID: t.StreamID, Pad: "sink", Nodes: []Node{n}}}
	return g
}

// Cues may lie apart from the picture in a file, by so much.
const apart = 3 * time.Second

// A cue that is shown when a run begins is found if it began at most so long before.
const longCue = 20 * time.Second

// maxText bounds a cue's text in bytes: nobody reads so much at once, and to look for the end of each tag in it takes
// the square of that.
const maxText = 8 << 10

// PlayText prepares a run of a track of subtitles.
func PlayText(f Film, p PlayPlan, track, segment int, out Output, o PlayOptions) (*Play, error) {
	from := p.Timeline.Begin(segment)
	start := p.Timeline.Origin + max(0, from-longCue)
	r := newPlay(f, p, p.textGraph(track), start, o)
	r.assemble = func(r *Play) error {
		l := &textLane{timeline: p.Timeline, from: from, out: out, gate: &r.gate}
		r.lane, r.built.clock, r.built.clocked = l, p.Media.Video.StreamID, l.position
		return nil
	}
	return r, r.build()
}

// textLane hands over cues.
type textLane struct {
	timeline Timeline
	from     time.Duration
	out      Output
	gate     *gate
	told     time.Duration // the last that Reached was called with; used on the demuxer's thread
}

func (l *textLane) caps(string, []byte) error { return nil }

func (l *textLane) buffer(b playBuffer) error {
	start := b.pts - l.timeline.Origin
	text := vtt(string(b.data[:min(len(b.data), maxText)])) // a character that is cut is replaced
	if !b.timed || text == "" || b.duration <= 0 || start+b.duration <= l.from || start >= l.timeline.End {
		return nil
	}
	return l.out.Cue(Cue{Start: max(0, start), End: min(start+b.duration, l.timeline.End), Text: text})
}

// position gets the stream time of each packet of the picture.
func (l *textLane) position(at time.Duration) error {
	until := at - l.timeline.Origin - apart
	if until < l.told+time.Second/2 {
		return nil
	}
	l.told = until
	if err := l.out.Reached(until); err != nil {
		return err
	}
	l.gate.handed(until)
	return l.gate.pass(until)
}

// end tells that no cue follows, which qtdemux knows before the picture is over.
func (l *textLane) end() error {
	l.told = l.timeline.End
	l.gate.handed(l.timeline.End)
	return l.out.Reached(l.timeline.End)
}

// vtt returns cue text of Pango's or SubRip's markup as WebVTT has it: bold,
// italic and underline are kept, other tags are taken out, and what is no tag is
// escaped (https://www.w3.org/TR/webvtt1/#webvtt-cue-text).
func vtt(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	var b strings.Builder
	for s != "" {
		switch s[0] {
		case '<', '{':
			tag, rest, ok := cutTag(s)
			if ok {
				b.WriteString(tag)
				s = rest
				continue
			}
		case '&':
			if entity, rest, ok := cutEntity(s); ok {
				b.WriteString(entity)
				s = rest
				continue
			}
		}
		_, n := utf8.DecodeRuneInString(s)
		writeEscaped(&b, s[:n])
		s = s[n:]
	}
	return strings.TrimSpace(withoutBlankLines(b.String()))
}

func writeEscaped(b *strings.Builder, c string) {
	switch c {
	case "<":
		b.WriteString("&lt;")
	case ">":
		b.WriteString("&gt;")
	case "&":
		b.WriteString("&amp;")
	case "\x00", "\r":
	default:
		b.WriteString(c)
	}
}

// cutTag returns what WebVTT has for the tag that s begins with.
func cutTag(s string) (tag, rest string, ok bool) {
	if strings.HasPrefix(s, `{\`) {
		_, rest, ok = strings.Cut(s, "}")
		return "", rest, ok
	}
	inner, rest, ok := strings.Cut(s[1:], ">")
	if !ok || s[0] != '<' || strings.ContainsAny(inner, "<\n") {
		return "", "", false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(inner, "/"), " ")
	switch name = strings.ToLower(name); name {
	case "b", "i", "u":
		if strings.HasPrefix(inner, "/") {
			return "</" + name + ">", rest, true
		}
		return "<" + name + ">", rest, true
	case "s", "font", "span", "big", "small", "tt", "sub", "sup":
		return "", rest, true
	}
	return "", "", false
}

// cutEntity returns WebVTT's entity for the one that s begins with.
func cutEntity(s string) (entity, rest string, ok bool) {
	for from, to := range map[string]string{
		"&amp;": "&amp;", "&lt;": "&lt;", "&gt;": "&gt;", "&quot;": `"`, "&apos;": "'", "&#39;": "'", "&#34;": `"`, "&nbsp;": "&nbsp;",
	} {
		if rest, ok := strings.CutPrefix(s, from); ok {
			return to, rest, true
		}
	}
	return "", "", false
}

// withoutBlankLines takes out the blank lines, which would end a cue.
func withoutBlankLines(s string) string {
	lines := strings.Split(s, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.TrimRight(l, " \t"); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// clockBy has f called with the stream time of each buffer of a pad, or where own is
// set the buffer's own, and the buffer dropped. It returns the handle to delete when
// the pipeline is in NULL.
func clockBy(pad *gst.Pad, own bool, f func(time.Duration) error) cgo.Handle {
	h := cgo.NewHandle(f)
	C.pad_clock(unsafe.Pointer(pad.Instance()), C.guintptr(h), gboolean(own))
	return h
}

//export goPlayClock
func goPlayClock(h C.guintptr, ns C.gint64) {
	defer func() { _ = recover() }() // a fault here is met again by the lane's own calls
	_ = cgo.Handle(h).Value().(func(time.Duration) error)(time.Duration(ns))
}
