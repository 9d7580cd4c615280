package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upscaled-media/upscaled/container"
)

// match gives each track of m what the container says of it. GStreamer's
// demuxers end the stream id with the track's number: /002:017 in Matroska
// (number and UID), /002 in MP4.
func (m *Media) match() {
	facts := map[uint64]container.Track{}
	for _, t := range m.Extras.Tracks {
		facts[t.Number] = t
	}
	give := func(t *Track) {
		_, id, _ := strings.Cut(t.StreamID, "/")
		id, _, _ = strings.Cut(id, ":")
		if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			t.Facts = facts[n]
		}
	}
	give(&m.Video.Track)
	for _, list := range [][]Track{m.Audio, m.Text, m.Other} {
		for i := range list {
			give(&list[i])
		}
	}
}

// pad returns the template of a muxer's pad for a kind of track.
func (c Container) pad(kind container.TrackType) string {
	if c == TS {
		return "sink_%d"
	}
	return map[container.TrackType]string{container.Video: "video_%u", container.Audio: "audio_%u", container.Subtitle: "subtitle_%u"}[kind]
}

// keep adds a branch to the graph, and what its track is to say. codecID is
// container.TrackChange's.
func (p *Plan) keep(kind container.TrackType, b Branch, t Track, codecID string) {
	b.Pad = p.Spec.Container.pad(kind)
	label := t.Facts.Label
	if p.Media.Extras.Format == container.Unknown {
		label.Name = t.Title
		label.Flags.Default = !p.has(kind) // of each kind the first
	}
	p.Graph.Branches = append(p.Graph.Branches, b)
	change := container.TrackChange{Label: label, Type: kind, UID: t.Facts.UID, CodecID: codecID}
	if codecID == t.Facts.CodecID {
		change.Private = t.Facts.Private
	}
	p.Changes.Tracks = append(p.Changes.Tracks, change)
}

func (p *Plan) has(kind container.TrackType) bool {
	for _, t := range p.Changes.Tracks {
		if t.Type == kind {
			return true
		}
	}
	return false
}

// extras plans chapters and attachments.
func (p *Plan) extras() {
	x, s := p.Media.Extras, p.Spec
	if p.Media.Cover && len(x.Attachments) == 0 { // among attachments it is told with them
		p.Lost = append(p.Lost, fmt.Sprintf("the cover picture: it is a tag, which GStreamer's %s muxer does not get", s.Container))
	}
	if s.Stream || s.Container == TS {
		p.lostInStream()
		return
	}
	end := s.Start + s.Duration
	if s.Duration == 0 {
		end = 0
	}
	editions := x.Editions
	if s.Start > 0 || end > 0 {
		editions = container.Cut(editions, s.Start, end)
	}
	chapters := 0
	for _, e := range editions {
		chapters += len(e.Chapters)
	}
	if chapters > 0 {
		p.Changes.Editions = editions
		p.Kept = append(p.Kept, fmt.Sprintf("%d chapters", chapters))
	}
	if s.Container == MP4 {
		p.lostInMP4()
		p.chooseTracks()
		return
	}
	p.Changes.Title = x.Title
	if len(x.Tags) > 0 {
		p.Changes.Tags = p.tags()
		p.Kept = append(p.Kept, "tags")
	}
	if len(x.Attachments) > 0 {
		p.attachments = true
		p.Kept = append(p.Kept, fmt.Sprintf("%d attachments", len(x.Attachments)))
	}
}

// chooseTracks lets the picture play, and the first sound where none is marked as
// the default: in MP4, what is not chosen is off.
func (p *Plan) chooseTracks() {
	sound := slices.ContainsFunc(p.Changes.Tracks, func(t container.TrackChange) bool { return t.Type == container.Audio && t.Flags.Default })
	for i := range p.Changes.Tracks {
		switch t := &p.Changes.Tracks[i]; {
		case t.Type == container.Video:
			t.Flags.Default = true
		case t.Type == container.Audio && !sound:
			t.Flags.Default, sound = true, true
		}
	}
}
