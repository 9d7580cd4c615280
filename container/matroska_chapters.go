package container

import (
	"math"
	"time"
)

// readChapters reads the content of a Chapters element (RFC 9559 §5.1.7).
func readChapters(b []byte) []Edition {
	left := maxChapters
	var editions []Edition
	for e := range intact(b) {
		if len(editions) == maxEditions {
			break
		}
		if e.id == idEditionEntry {
			editions = append(editions, readEdition(e.data, &left))
		}
	}
	return editions
}

func readEdition(b []byte, left *int) Edition {
	var edition Edition
	for e := range intact(b) {
		switch e.id {
		case idEditionUID:
			edition.UID = e.asUint()
		case idEditionFlagHidden:
			edition.Hidden = e.asUint() == 1
		case idEditionFlagDefault:
			edition.Default = e.asUint() == 1
		case idEditionFlagOrdered:
			edition.Ordered = e.asUint() == 1
		case idChapterAtom:
			if *left > 0 {
				*left--
				edition.Chapters = append(edition.Chapters, readChapter(e.data, left, 1))
			}
		}
	}
	return edition
}

// readChapter reads a ChapterAtom at a depth; left counts down the chapters that
// may still be taken.
func readChapter(b []byte, left *int, depth int) Chapter {
	var c Chapter
	for e := range intact(b) {
		switch e.id {
		case idChapterUID:
			c.UID = e.asUint()
		case idChapterTimeStart:
			c.Start = chapterTime(e.asUint())
		case idChapterTimeEnd:
			c.End = chapterTime(e.asUint())
		case idChapterFlagHidden:
			c.Hidden = e.asUint() == 1
		case idChapterFlagEnabled:
			c.Disabled = e.asUint() == 0
		case idChapterSegmentUUID:
			if len(e.data) == 16 {
				c.SegmentUUID = append([]byte(nil), e.data...)
			}
		case idChapterDisplay:
			if len(c.Titles) < maxTitles {
				c.Titles = append(c.Titles, readTitle(e.data))
			}
		case idChapterAtom:
			if *left > 0 && depth < maxDepth {
				*left--
				c.Chapters = append(c.Chapters, readChapter(e.data, left, depth+1))
			}
		}
	}
	return c
}

func readTitle(b []byte) Title {
	title := Title{Language: "eng"} // RFC 9559 §5.1.7.1.4.11: the default
	for e := range intact(b) {
		switch e.id {
		case idChapString:
			title.Text = e.asText()
		case idChapLanguage:
			title.Language = e.asText()
		case idChapLanguageBCP47:
			title.LanguageBCP47 = e.asText()
		}
	}
	return title
}

// chapterTime reads a time in nanoseconds; one beyond 292 years is cut there.
func chapterTime(nanoseconds uint64) time.Duration {
	return time.Duration(min(nanoseconds, math.MaxInt64))
}

// appendChapters writes a whole Chapters element, or nothing for no chapters.
func appendChapters(b []byte, editions []Edition) []byte {
	used := map[uint64]bool{0: true}
	var content []byte
	for _, edition := range editions {
		if len(edition.Chapters) == 0 {
			continue
		}
		var e []byte
		if edition.UID != 0 {
			e = appendUint(e, idEditionUID, edition.UID)
		}
		e = appendFlag(e, idEditionFlagHidden, edition.Hidden)
		e = appendFlag(e, idEditionFlagDefault, edition.Default)
		e = appendFlag(e, idEditionFlagOrdered, edition.Ordered)
		for _, c := range edition.Chapters {
			e = appendChapter(e, c, used)
		}
		content = appendElement(content, idEditionEntry, e)
	}
	if content == nil {
		return b
	}
	return appendElement(b, idChapters, content)
}

func appendChapter(b []byte, c Chapter, used map[uint64]bool) []byte {
	atom := appendUint(nil, idChapterUID, freshUID(c.UID, "chapter", used))
	atom = appendUint(atom, idChapterTimeStart, uint64(max(c.Start, 0)))
	if c.End > c.Start {
		atom = appendUint(atom, idChapterTimeEnd, uint64(c.End))
	}
	if c.Hidden {
		atom = appendFlag(atom, idChapterFlagHidden, true)
	}
	if c.Disabled {
		atom = appendFlag(atom, idChapterFlagEnabled, false)
	}
	if len(c.SegmentUUID) == 16 {
		atom = appendElement(atom, idChapterSegmentUUID, c.SegmentUUID)
	}
	for _, title := range c.Titles {
		display := appendText(nil, idChapString, title.Text)
		language := title.Language
		if language == "" {
			language = "und"
		}
		display = appendText(display, idChapLanguage, language)
		if title.LanguageBCP47 != "" {
			display = appendText(display, idChapLanguageBCP47, title.LanguageBCP47)
		}
		atom = appendElement(atom, idChapterDisplay, display)
	}
	for _, part := range c.Chapters {
		atom = appendChapter(atom, part, used)
	}
	return appendElement(b, idChapterAtom, atom)
}
