package playout

import (
	"context"
	"fmt"
	"html"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// textWait is how long the subtitles of a segment are waited for when its picture and sound are there, and once they
// have come too late, no longer than those until they are in time again: cues seldom matter so much as what they are of.
const textWait = time.Second

// text is where a Reader is with subtitles.
type text struct {
	info   wire.TextInfo
	stream wire.Stream
	line   hls.Timeline
	until  time.Duration // cues that begin before it were read
	late   bool          // those of the segment before did not come in time
}

// caption has text subtitles read, too.
func (r *Reader) caption(line hls.Timeline, number int) error {
	if number == StandardText {
		number = r.session.StandardText()
		if number < 0 {
			return nil
		}
	}
	if number == NoText {
		return nil
	}
	if number < 0 || number >= len(r.film.Text) || r.film.Text[number].Bitmap {
		return fmt.Errorf("%w: text subtitles %d of %d", session.ErrNoStream, number, len(r.film.Text))
	}
	r.text = &text{info: r.film.Text[number], stream: wire.Stream{Kind: wire.StreamText, Index: number}, line: line}
	return nil
}

// Text returns what is known of the subtitles, and whether any are read.
func (r *Reader) Text() (wire.TextInfo, bool) {
	if r.text == nil {
		return wire.TextInfo{}, false
	}
	return r.text.info, true
}

// fetchText begins to read the subtitles of the next segment. What it returns is called when the picture and the sound
// are there, and returns the cues, none when they do not come in time.
func (r *Reader) fetchText(ctx context.Context) func() []Sample {
	if r.text == nil {
		return func() []Sample { return nil }
	}
	waiting, cancel := context.WithCancel(ctx)
	var part session.Part
	var err error
	var fetching sync.WaitGroup
	segment := r.next
	fetching.Go(func() { part, err = r.session.Part(waiting, r.text.stream, segment) })
	return func() []Sample {
		defer cancel()
		wait := textWait
		if r.text.late {
			wait = 0
		}
		late := time.AfterFunc(wait, cancel)
		defer late.Stop()
		fetching.Wait()
		var cues []wire.Cue
		if err == nil {
			cues, err = hls.Cues(part.Data)
		}
		if err != nil && !r.text.late && ctx.Err() == nil {
			r.session.Log().Warn("subtitles are late in a stream", "segment", segment, "error", err)
		}
		if r.text.late = err != nil; err != nil {
			return nil
		}
		return r.text.samples(segment, cues)
	}
}

// samples returns the cues of a segment that were not read with an earlier one. What has begun before is shown from the
// segment's begin on: the stream begins there, or the cues were late.
func (t *text) samples(segment int, cues []wire.Cue) (all []Sample) {
	const scale = 1000 // of WebVTT
	begin, end := t.line.Span(segment)
	for _, c := range cues {
		if c.Start < t.until || c.Start >= end {
			continue
		}
		at := max(c.Start, begin.Truncate(time.Millisecond))
		if c.End <= at {
			continue
		}
		p := wire.Packet{Key: true, PTS: at.Milliseconds(), Duration: (c.End - at).Milliseconds(), Data: []byte(html.UnescapeString(c.Text))}
		p.DTS = p.PTS
		all = append(all, Sample{Kind: wire.StreamText, Packet: p, Scale: scale})
	}
	t.until = end
	return all
}
