package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/container"
)

// inMP4 are the tags of the whole file that come through matroskademux and mp4mux
// (1.22), proven in a test.
var inMP4 = []string{
	"TITLE", "ARTIST", "AUTHOR", "ALBUM", "COMMENT", "COMPOSER", "COPYRIGHT", "DATE", "DATE_RELEASED", "GENRE", "KEYWORDS", "LYRICS",
}

// lostInMP4 lists what an MP4 file that mp4mux writes and Finish completes has no
// place for.
func (p *Plan) lostInMP4() {
	x := p.Media.Extras
	if len(x.Attachments) > 0 {
		p.Lost = append(p.Lost, fmt.Sprintf("%d attachments: MP4 has none", len(x.Attachments)))
	}
	if names := lostTags(x.Tags); len(names) > 0 {
		p.Lost = append(p.Lost, "tags: GStreamer's mp4 muxer does not write "+strings.Join(names, ", "))
	}
	labelled := slices.ContainsFunc(p.Changes.Tracks, func(t container.TrackChange) bool {
		plain := container.Label{Language: t.Language, LanguageBCP47: t.LanguageBCP47, Flags: container.Flags{Default: t.Flags.Default}}
		return t.Label != plain
	})
	if labelled && x.Format != container.Unknown {
		p.Lost = append(p.Lost, "names and flags of tracks but for the default: GStreamer's mp4 muxer writes none")
	}
	if !simple(p.Changes.Editions) {
		p.Lost = append(p.Lost, fmt.Sprintf("chapters: MP4's list has one edition of up to %d, without levels, with one title each",
			container.MaxMP4Chapters))
	}
}

// lostTags returns the names, each once, of the tags that do not come into MP4.
func lostTags(tags []container.Tag) []string {
	var names []string
	for _, tag := range tags {
		t := tag.Targets
		whole := len(t.Tracks)+len(t.Editions)+len(t.Chapters)+len(t.Attachments) == 0
		for _, v := range tag.Values {
			kept := whole && slices.Contains(inMP4, v.Name)
			if !kept && !isEncoding(v.Name) && !isStatistic(v.Name) && !slices.Contains(names, v.Name) {
				names = append(names, v.Name)
			}
		}
	}
	return names
}

// simple reports whether chapters are no more than MP4's list holds.
func simple(editions []container.Edition) bool {
	if len(editions) == 0 {
		return true
	}
	return len(editions) == 1 && len(editions[0].Chapters) <= container.MaxMP4Chapters &&
		!slices.ContainsFunc(editions[0].Chapters, func(c container.Chapter) bool { return len(c.Chapters) > 0 || len(c.Titles) > 1 })
}

// lostInStream lists what is not written where nobody can go back and nothing is
// finished: matroskamux and mp4mux write the streams alone, with the languages of the
// tracks; and MPEG-TS has no place for more.
func (p *Plan) lostInStream() {
	x := p.Media.Extras
	what := fmt.Sprintf("a stream of %s has no place for them", p.Spec.Container)
	if !p.Spec.Stream {
		what = "MPEG-TS has none"
	}
	chapters := 0
	for _, e := range x.Editions {
		chapters += len(e.Chapters)
	}
	for _, lost := range []struct {
		n    int
		what string
	}{{chapters, "chapters"}, {len(x.Attachments), "attachments"}, {len(x.Tags), "tags"}} {
		if lost.n > 0 {
			p.Lost = append(p.Lost, fmt.Sprintf("%d %s: %s", lost.n, lost.what, what))
		}
	}
	if x.Title != "" {
		p.Lost = append(p.Lost, "the title: "+what)
	}
	marked := slices.ContainsFunc(p.Changes.Tracks, func(t container.TrackChange) bool {
		return t.Label != container.Label{Language: t.Language, Flags: container.Flags{Default: t.Flags.Default}}
	})
	if marked && x.Format != container.Unknown {
		p.Lost = append(p.Lost, "names and flags of tracks: "+what)
	}
	p.Changes = container.Changes{}
}
