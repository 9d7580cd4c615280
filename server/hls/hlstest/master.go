package hlstest

import (
	"fmt"
	"regexp"
	"strings"
)

// Master is a master playlist.
type Master struct {
	Renditions []Rendition
	Variants   []Variant
}

// Rendition is an EXT-X-MEDIA.
type Rendition struct {
	Type, Group, Name, Language, Channels, URI string
	Default, Autoselect, Forced                bool
}

// Variant is an EXT-X-STREAM-INF and its URI.
type Variant struct {
	URI                         string
	Bandwidth, AverageBandwidth int // bit/s, the latter 0 where absent
	Codecs                      []string
	Resolution                  string
	FrameRate                   string // "" where absent
	Audio, Subtitles            string // groups
}

var (
	resolution = regexp.MustCompile(`^[1-9][0-9]*x[1-9][0-9]*$`)
	frameRate  = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,3})?$`)
	codec      = regexp.MustCompile(`^(avc1\.[0-9a-fA-F]{6}|mp4a\.40\.[0-9]+|opus)$`)
)

// ParseMaster reads a master playlist.
func ParseMaster(playlist []byte) (*Master, error) {
	all, err := lines(playlist)
	if err != nil {
		return nil, err
	}
	m := &Master{}
	var pending *Variant
	for i, line := range all {
		tag, value, _ := strings.Cut(line, ":")
		switch {
		case pending != nil:
			if pending.URI = line; strings.HasPrefix(line, "#") {
				return nil, fmt.Errorf("line %d: %s where the URI of a variant belongs", i+2, line)
			}
			m.Variants, pending = append(m.Variants, *pending), nil
		case line == "#EXT-X-VERSION:7" && i == 0, line == "#EXT-X-INDEPENDENT-SEGMENTS" && i == 1:
		case tag == "#EXT-X-MEDIA":
			r, err := parseRendition(value)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+2, err)
			}
			m.Renditions = append(m.Renditions, r)
		case tag == "#EXT-X-STREAM-INF":
			if pending, err = parseVariant(value); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+2, err)
			}
		default:
			return nil, fmt.Errorf("line %d: %s is unknown or out of place", i+2, line)
		}
	}
	if len(m.Variants) == 0 || pending != nil {
		return nil, fmt.Errorf("no variant, or one without URI")
	}
	return m, m.check()
}

func parseRendition(value string) (Rendition, error) {
	const tag = "#EXT-X-MEDIA"
	l := newList(tag, value)
	r := Rendition{
		Type: l.enumerated("TYPE", "", "AUDIO", "SUBTITLES"), Group: l.quoted("GROUP-ID"), Name: l.quoted("NAME"),
		Language: l.quoted("LANGUAGE"), Channels: l.quoted("CHANNELS"), URI: l.quoted("URI"),
		Default: l.enumerated("DEFAULT", "NO", "YES") == "YES", Autoselect: l.enumerated("AUTOSELECT", "NO", "YES") == "YES",
		Forced: l.enumerated("FORCED", "NO", "YES") == "YES",
	}
	switch {
	case r.Type == "" || r.Group == "" || r.Name == "" || r.URI == "":
		l.fail("TYPE, GROUP-ID, NAME or URI is missing: %s", value)
	case r.Default && !r.Autoselect:
		l.fail("DEFAULT without AUTOSELECT: %s", value)
	case r.Forced && r.Type != "SUBTITLES", (r.Channels != "") != (r.Type == "AUDIO"):
		l.fail("FORCED or CHANNELS of the wrong type: %s", value)
	}
	return r, l.end(tag)
}

func parseVariant(value string) (*Variant, error) {
	const tag = "#EXT-X-STREAM-INF"
	l := newList(tag, value)
	v := &Variant{
		Bandwidth: l.number("BANDWIDTH"), AverageBandwidth: l.number("AVERAGE-BANDWIDTH"),
		Codecs: strings.Split(l.quoted("CODECS"), ","), Audio: l.quoted("AUDIO"), Subtitles: l.quoted("SUBTITLES"),
	}
	v.Resolution, _ = l.take("RESOLUTION")
	v.FrameRate, _ = l.take("FRAME-RATE")
	if captions, _ := l.take("CLOSED-CAPTIONS"); captions != "NONE" {
		l.fail("CLOSED-CAPTIONS=%s", captions)
	}
	if v.Bandwidth < max(1, v.AverageBandwidth) {
		l.fail("BANDWIDTH is missing or below the average: %s", value)
	}
	if !resolution.MatchString(v.Resolution) || v.FrameRate != "" && !frameRate.MatchString(v.FrameRate) {
		l.fail("RESOLUTION or FRAME-RATE: %s", value)
	}
	seen := map[string]bool{}
	for _, c := range v.Codecs {
		if !codec.MatchString(c) || seen[c] {
			l.fail("codec %q is unknown or there twice", c)
		}
		seen[c] = true
	}
	return v, l.end(tag)
}

// check holds groups to §4.3.4.1.1 and variants to §4.3.4.2.
func (m *Master) check() error {
	names, defaults, chosen, groups := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range m.Renditions {
		group := r.Type + " " + r.Group
		groups[group] = true
		name := group + " " + r.Name
		if names[name] {
			return fmt.Errorf("%s: two are named so", name)
		}
		names[name] = true
		if r.Default && defaults[group] {
			return fmt.Errorf("%s: two defaults", group)
		}
		defaults[group] = defaults[group] || r.Default
		if key := fmt.Sprint(group, r.Language, r.Forced); r.Autoselect && chosen[key] {
			return fmt.Errorf("%s: a player cannot choose between two of %q", group, r.Language)
		} else if r.Autoselect {
			chosen[key] = true
		}
	}
	for _, v := range m.Variants {
		if v.Audio != "" && !groups["AUDIO "+v.Audio] || v.Subtitles != "" && !groups["SUBTITLES "+v.Subtitles] {
			return fmt.Errorf("%s: groups %q and %q are not both there", v.URI, v.Audio, v.Subtitles)
		}
	}
	return nil
}
