package hlstest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Media is a media playlist of a whole film.
type Media struct {
	Target      time.Duration
	Independent bool
	Segments    []Segment
}

// Segment is a segment of a Media.
type Segment struct {
	URI           string
	Begin         time.Duration // the sum of the durations before it
	Duration      time.Duration
	Init          string // URI of EXT-X-MAP in force, "" for none
	Discontinuity int    // how many were before it, with those of EXT-X-DISCONTINUITY-SEQUENCE
}

// Duration returns the sum of the segments' durations.
func (m *Media) Duration() time.Duration {
	last := m.Segments[len(m.Segments)-1]
	return last.Begin + last.Duration
}

// duration is a decimal floating point of seconds, as exact as a microsecond.
var duration = regexp.MustCompile(`^([0-9]+)\.([0-9]{6}),$`)

// mediaParser is the state of ParseMedia.
type mediaParser struct {
	media   Media
	seen    map[string]bool
	pending Segment
	timed   bool // EXTINF was read and its URI was not
	broken  bool
	init    string
}

// ParseMedia reads a media playlist: VOD, complete, with the segments of a film
// from its begin to its end.
func ParseMedia(playlist []byte) (*Media, error) {
	all, err := lines(playlist)
	if err != nil {
		return nil, err
	}
	p := mediaParser{seen: map[string]bool{}}
	for i, line := range all {
		if p.seen["#EXT-X-ENDLIST"] {
			return nil, fmt.Errorf("line %d is after the end", i+2)
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
	}
	for _, tag := range []string{"#EXT-X-VERSION", "#EXT-X-TARGETDURATION", "#EXT-X-PLAYLIST-TYPE", "#EXT-X-ENDLIST"} {
		if !p.seen[tag] {
			return nil, fmt.Errorf("no %s", tag)
		}
	}
	if len(p.media.Segments) == 0 || p.timed || p.broken {
		return nil, fmt.Errorf("no segments, or tags without a segment at the end")
	}
	return &p.media, p.media.checkDurations()
}

// line reads a line.
func (p *mediaParser) line(line string) error {
	if !strings.HasPrefix(line, "#") {
		return p.uri(line)
	}
	tag, value, _ := strings.Cut(line, ":")
	switch tag {
	case "#EXTINF":
		return p.extinf(value)
	case "#EXT-X-DISCONTINUITY":
		if p.timed || p.broken || value != "" || len(p.media.Segments) == 0 {
			return fmt.Errorf("a discontinuity of nothing")
		}
		p.broken = true
		return nil
	case "#EXT-X-MAP":
		l := newList(tag, value)
		if p.init = l.quoted("URI"); p.timed || p.init == "" {
			l.fail("a map without URI, or between EXTINF and its segment")
		}
		return l.end(tag)
	}
	if p.seen[tag] {
		return fmt.Errorf("%s twice", tag)
	}
	p.seen[tag] = true
	if tag != "#EXT-X-ENDLIST" && len(p.media.Segments) > 0 {
		return fmt.Errorf("%s after the first segment", tag)
	}
	return p.head(tag, value)
}

// head reads a tag of the whole playlist.
func (p *mediaParser) head(tag, value string) error {
	ok := false
	switch tag {
	case "#EXT-X-VERSION":
		n, err := strconv.Atoi(value)
		ok = err == nil && n >= 6 && n <= 7 // 6: EXT-X-MAP without EXT-X-I-FRAMES-ONLY (§7)
	case "#EXT-X-TARGETDURATION":
		n, err := strconv.Atoi(value)
		p.media.Target, ok = time.Duration(n)*time.Second, err == nil && n > 0
	case "#EXT-X-MEDIA-SEQUENCE":
		ok = value == "0"
	case "#EXT-X-DISCONTINUITY-SEQUENCE":
		n, err := strconv.Atoi(value)
		p.pending.Discontinuity, ok = n, err == nil && n > 0
	case "#EXT-X-PLAYLIST-TYPE":
		ok = value == "VOD"
	case "#EXT-X-INDEPENDENT-SEGMENTS":
		p.media.Independent, ok = true, value == ""
	case "#EXT-X-ENDLIST":
		ok = value == "" && !p.timed
	}
	if !ok {
		return fmt.Errorf("%s:%s is unknown or out of place", tag, value)
	}
	return nil
}

func (p *mediaParser) extinf(value string) error {
	found := duration.FindStringSubmatch(value)
	if found == nil || p.timed {
		return fmt.Errorf("EXTINF:%s is no duration, or the second of a segment", value)
	}
	micros, err := strconv.ParseInt(found[1]+found[2], 10, 64)
	if err != nil || micros <= 0 {
		return fmt.Errorf("EXTINF:%s is not above 0", value)
	}
	p.pending.Duration, p.timed = time.Duration(micros)*time.Microsecond, true
	return nil
}

func (p *mediaParser) uri(uri string) error {
	if !p.timed {
		return fmt.Errorf("%s without EXTINF", uri)
	}
	s := p.pending
	s.URI, s.Init = uri, p.init
	if n := len(p.media.Segments); n > 0 {
		before := p.media.Segments[n-1]
		s.Begin, s.Discontinuity = before.Begin+before.Duration, before.Discontinuity
		if p.broken {
			s.Discontinuity++
		} else if s.Init != before.Init {
			return fmt.Errorf("%s: another map without a discontinuity", uri)
		}
	}
	p.media.Segments = append(p.media.Segments, s)
	p.pending, p.timed, p.broken = Segment{}, false, false
	return nil
}

// checkDurations holds the segments to the target duration (§4.3.3.1).
func (m *Media) checkDurations() error {
	for _, s := range m.Segments {
		if s.Duration.Round(time.Second) > m.Target {
			return fmt.Errorf("%s lasts %s, the target is %s", s.URI, s.Duration, m.Target)
		}
	}
	return nil
}

// Check holds a playlist against a film: how many segments of which length it
// has, and how long the film lasts. Every segment's begin must be within a
// microsecond of its place, and the end as well; the lengths are fractions of a
// second, numerator and denominator.
func (m *Media) Check(count int, segment, film [2]int64) error {
	if len(m.Segments) != count {
		return fmt.Errorf("%d segments, want %d", len(m.Segments), count)
	}
	for k, s := range m.Segments {
		// Within a day and at a microsecond, 64 bits of floating point tell a nanosecond.
		want := float64(k) * float64(segment[0]) / float64(segment[1])
		if off := s.Begin.Seconds() - want; off > 1e-6 || off < -1e-6 {
			return fmt.Errorf("%s begins at %s, want %.9f s", s.URI, s.Begin, want)
		}
	}
	want := float64(film[0]) / float64(film[1])
	if off := m.Duration().Seconds() - want; off > 1e-6 || off < -1e-6 {
		return fmt.Errorf("it lasts %s, want %.9f s", m.Duration(), want)
	}
	return nil
}

// Align holds the playlist of another stream of the film to that of the picture (§6.2.4): the same
// target duration, and discontinuities at the same places within the tolerance, which is a frame
// for sound.
func (m *Media) Align(other *Media, tolerance time.Duration) error {
	if m.Target != other.Target {
		return fmt.Errorf("target durations %s and %s", m.Target, other.Target)
	}
	mine, others := m.breaks(), other.breaks()
	if len(mine) != len(others) {
		return fmt.Errorf("discontinuities at %v and %v", mine, others)
	}
	for i := range mine {
		if off := others[i] - mine[i]; off < -tolerance || off > tolerance {
			return fmt.Errorf("discontinuities at %v and %v", mine, others)
		}
	}
	return nil
}

// breaks returns where discontinuities are; those before the first segment are at its begin.
func (m *Media) breaks() []time.Duration {
	all := make([]time.Duration, m.Segments[0].Discontinuity)
	for i, s := range m.Segments {
		if i > 0 && s.Discontinuity != m.Segments[i-1].Discontinuity {
			all = append(all, s.Begin)
		}
	}
	return all
}
