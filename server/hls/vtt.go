package hls

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// maxCue bounds a cue's text in bytes. Nobody reads 8 KiB at once, and a cue is
// repeated in every segment that it touches.
const maxCue = 8 << 10

// WebVTT returns the segment of subtitles that covers a span of the film, as
// Timeline.Span gives it: every cue that is shown within it, in the order of
// begins, with the cue's own whole time. A cue that touches several segments is
// so in each of them alike (RFC 8216 §3.5), and players show it once. Cues without
// text or length are left out.
//
// The header maps the segment's begin in the cues' time to the same time of the
// media's. The clause allows any pair of equal times; hls.js takes the pair 0, 0
// after a discontinuity to mean that cue times begin at zero there, and no other.
// Its pairs are exact: a millisecond is 90 ticks of MPEG's clock.
func WebVTT(cues []wire.Cue, begin, end time.Duration) []byte {
	shown := make([]wire.Cue, 0, 8)
	for _, cue := range cues {
		if cue.Start < end && cue.End > begin && cue.Start < cue.End {
			shown = append(shown, cue)
		}
	}
	slices.SortStableFunc(shown, func(a, b wire.Cue) int { return cmp.Compare(a.Start, b.Start) })

	local := begin.Truncate(time.Millisecond)
	b := fmt.Appendf(nil, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:", local.Milliseconds()*90)
	b = append(appendClock(b, local), '\n')
	for _, cue := range shown {
		text := cueText(cue.Text)
		if text == "" {
			continue
		}
		b = append(b, '\n')
		b = appendClock(b, max(0, cue.Start))
		b = append(b, " --> "...)
		// A cue that ends in the millisecond that it begins in would be none.
		b = appendClock(b, max(cue.End, max(0, cue.Start).Truncate(time.Millisecond)+time.Millisecond))
		b = append(append(append(b, '\n'), text...), '\n')
	}
	return b
}

// appendClock appends a time as WebVTT writes it, rounded down to the millisecond.
func appendClock(b []byte, t time.Duration) []byte {
	ms := t.Milliseconds()
	return fmt.Appendf(b, "%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// cueText returns text as it can stand in a cue: without what would end the cue or
// begin another. Its markup is kept; players know a few harmless tags only.
func cueText(text string) string {
	if end := maxCue; len(text) > end {
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\uFFFD", "-->", "--&gt;").Replace(text)
	lines := strings.Split(text, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	return strings.Join(lines, "\n")
}

// Cues reads back what WebVTT has written: the cues of a segment, in the order of their begins, to the millisecond.
// Errors wrap ErrText.
func Cues(segment []byte) (cues []wire.Cue, err error) {
	head, rest, _ := strings.Cut(string(segment), "\n\n")
	if !strings.HasPrefix(head, "WEBVTT\n") {
		return nil, fmt.Errorf("%w: it begins with %.20q", ErrText, head)
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(rest, "\n"), "\n\n") {
		if block == "" {
			continue
		}
		line, text, _ := strings.Cut(block, "\n")
		from, to, _ := strings.Cut(line, " --> ")
		cue := wire.Cue{Text: text}
		if cue.Start, err = clock(from); err == nil {
			cue.End, err = clock(to)
		}
		if err != nil {
			return nil, err
		}
		cues = append(cues, cue)
	}
	return cues, nil
}

// clock reads a time that appendClock has written.
func clock(text string) (time.Duration, error) {
	var h, m, s, ms int
	if n, err := fmt.Sscanf(text, "%d:%2d:%2d.%3d", &h, &m, &s, &ms); n != 4 || err != nil || min(h, m, s, ms) < 0 || h > int(MaxDuration/time.Hour) {
		return 0, fmt.Errorf("%w: time %.20q", ErrText, text)
	}
	return time.Duration(((h*60+m)*60+s)*1000+ms) * time.Millisecond, nil
}
