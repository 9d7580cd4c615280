package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// Graph is a pipeline as plain data: one source that parsebin takes apart, a
// branch for each stream that is kept, one muxer.
type Graph struct {
	Source   []Node // parsebin last; none where every branch has its own
	Branches []Branch
	Mux      []Node // the muxer first
	// Begin is the earliest time of a Matroska file, whose demuxer may find it
	// late; nil for other formats.
	Begin *time.Duration
}

// Branch is the way of one stream from the source to the muxer.
type Branch struct {
	StreamID string // "" for a branch that begins with a source
	Pad      string // template of the muxer's pad
	Into     string // name of another element than the muxer that it ends in
	Nodes    []Node
	Text     TextForm // that cues are brought into on the way, "" for the one they have
}

// TextForm is how cues of text are marked up.
type TextForm string

// The forms of text that come of Pango's markup.
const (
	SubRip    TextForm = "SubRip"
	PlainText TextForm = "plain text"
)

// Node is an element, or a caps filter when Factory is empty.
type Node struct {
	Factory string
	Name    string // "" for any
	Props   []Prop // in order
	Caps    string
	Stage   Stage // set on the element whose output ends a stage
	Steady  bool  // of a decoder: the times of its pictures are guessed in part, and are evened out
	Stamps  bool  // of a parser: what leaves it keeps the times that it came with
	Polite  bool  // of a queue: the threads behind it give way to the upscaler's
}

// Prop is a property and its value as gst-launch writes it.
type Prop struct{ Name, Value string }

// Stage is a part of the way of the picture.
type Stage string

// The stages in the order in which a picture passes them.
const (
	StageRead    Stage = "read"
	StageDecode  Stage = "decode"
	StageUpscale Stage = "upscale"
	StageEncode  Stage = "encode"
	StageWrite   Stage = "write"
)

// String writes the graph much as gst-launch would read it, one branch a
// paragraph.
func (g Graph) String() string {
	var b strings.Builder
	writeNodes(&b, "", g.Source)
	if g.Begin != nil {
		fmt.Fprintf(&b, "(begins at %s)\n", *g.Begin)
	}
	for _, br := range g.Branches {
		fmt.Fprintf(&b, "\nstream %s → %s\n", br.StreamID, br.Pad)
		writeNodes(&b, "  ", br.Nodes)
		if br.Text != "" {
			fmt.Fprintf(&b, "  (markup to %s)\n", br.Text)
		}
	}
	b.WriteString("\n")
	writeNodes(&b, "", g.Mux)
	return b.String()
}

func writeNodes(b *strings.Builder, indent string, nodes []Node) {
	for _, n := range nodes {
		b.WriteString(indent)
		if n.Factory == "" {
			b.WriteString(n.Caps)
		} else {
			b.WriteString(n.Factory)
		}
		if n.Name != "" {
			b.WriteString(" name=" + n.Name)
		}
		for _, p := range n.Props {
			fmt.Fprintf(b, " %s=%s", p.Name, p.Value)
		}
		if n.Stage != "" {
			fmt.Fprintf(b, "   [%s]", n.Stage)
		}
		if n.Stamps {
			b.WriteString("   (keeps times)")
		}
		if n.Polite {
			b.WriteString("   (polite)")
		}
		b.WriteString("\n")
	}
}
