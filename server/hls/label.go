package hls

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// maxLabel bounds a name in characters: titles come from files that anybody made.
const maxLabel = 80

// label returns a title as it can stand in a quoted string (RFC 8216 §4.1 and §4.2): printable
// characters of normal form C, neither quotes nor line ends.
func label(title string) string {
	title = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case !unicode.IsPrint(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(title, " "))
	runes := []rune(norm.NFC.String(strings.Join(strings.Fields(title), " ")))
	return strings.TrimSpace(string(runes[:min(len(runes), maxLabel)]))
}

// labels gives the tracks of a group names that differ and are not empty (§4.3.4.1.1).
type labels map[string]bool

// name returns the name of a track: its title, or else what it is with its number and language.
func (l labels) name(title, kind string, number int, tag string) string {
	wish := label(title)
	if wish == "" {
		wish = fmt.Sprintf("%s %d", kind, number)
		if tag != "" {
			wish += " (" + tag + ")"
		}
	}
	name := wish
	for n := 2; l[name]; n++ {
		name = fmt.Sprintf("%s (%d)", wish, n)
	}
	l[name] = true
	return name
}

// languageTag returns what a file calls a language, mostly ISO 639-2 as in ger, as the shortest tag
// of RFC 5646, as in de, which RFC 8216 asks for; "" for none, and for what is no language.
func languageTag(s string) string {
	tag, err := language.Parse(s)
	if err != nil || tag == language.Und {
		return ""
	}
	return tag.String()
}
