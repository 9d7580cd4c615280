package hlstest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// VTT is a segment of WebVTT.
type VTT struct {
	MPEGTS int64         // ticks of 90 kHz that X-TIMESTAMP-MAP gives to …
	Local  time.Duration // … this time of the cues
	Cues   []Cue
}

// Cue is a cue of a VTT.
type Cue struct {
	Start, End time.Duration // as written
	Text       string
}

var (
	timestampMap = regexp.MustCompile(`^X-TIMESTAMP-MAP=MPEGTS:([0-9]+),LOCAL:(\S+)$`)
	timing       = regexp.MustCompile(`^(\S+) --> (\S+)$`)
	clock        = regexp.MustCompile(`^([0-9]{2,}):([0-5][0-9]):([0-5][0-9])\.([0-9]{3})$`)
)

// ParseVTT reads a segment of WebVTT (RFC 8216 §3.5): a header with a time map,
// then cues in the order of their begins.
func ParseVTT(segment []byte) (*VTT, error) {
	text := string(segment)
	if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\x00") || !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("not UTF-8, or with characters that WebVTT lacks, or without an end")
	}
	blocks := strings.Split(strings.TrimSuffix(text, "\n"), "\n\n")
	head := strings.Split(blocks[0], "\n")
	if len(head) != 2 || head[0] != "WEBVTT" {
		return nil, fmt.Errorf("header %q", blocks[0])
	}
	found := timestampMap.FindStringSubmatch(head[1])
	if found == nil {
		return nil, fmt.Errorf("time map %q", head[1])
	}
	v := &VTT{}
	var err error
	if v.MPEGTS, err = strconv.ParseInt(found[1], 10, 64); err != nil || v.MPEGTS >= 1<<33 {
		return nil, fmt.Errorf("MPEG's clock has 33 bits: %s", found[1])
	}
	if v.Local, err = parseClock(found[2]); err != nil {
		return nil, err
	}
	for _, block := range blocks[1:] {
		cue, err := parseCue(block)
		if err != nil {
			return nil, err
		}
		if n := len(v.Cues); n > 0 && cue.Start < v.Cues[n-1].Start {
			return nil, fmt.Errorf("cue %q comes after one that begins later", block)
		}
		v.Cues = append(v.Cues, cue)
	}
	return v, nil
}

func parseCue(block string) (Cue, error) {
	first, text, _ := strings.Cut(block, "\n")
	found := timing.FindStringSubmatch(first)
	if found == nil || text == "" || strings.Contains(text, "-->") {
		return Cue{}, fmt.Errorf("cue %q", block)
	}
	start, err := parseClock(found[1])
	if err != nil {
		return Cue{}, err
	}
	end, err := parseClock(found[2])
	if err != nil || end <= start {
		return Cue{}, fmt.Errorf("cue %q ends before it begins: %w", block, err)
	}
	return Cue{start, end, text}, nil
}

func parseClock(s string) (time.Duration, error) {
	found := clock.FindStringSubmatch(s)
	if found == nil {
		return 0, fmt.Errorf("time %q", s)
	}
	var n [4]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(found[i+1], 10, 32); err != nil {
			return 0, fmt.Errorf("time %q: %w", s, err)
		}
	}
	return time.Duration(((n[0]*60+n[1])*60+n[2])*1000+n[3]) * time.Millisecond, nil
}
