package hls

import (
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// What a Timeline may hold.
const (
	// MaxDuration is a day. WebVTT's clock in HLS, 33 bits of 90 kHz, would turn over after 26.5 h.
	MaxDuration = 24 * time.Hour
	// MaxSegments is a day in segments of half a second; such a playlist has about 6 MB.
	MaxSegments = 172_800
	// MaxTimeScale is a nanosecond: nothing tells time finer.
	MaxTimeScale = 1_000_000_000
)

const (
	maxSegmentSeconds = 60
	// tail is the shortest last segment, as a part of a second, of a film whose rate varies: half a
	// picture at 25 a second.
	tail = 50
)

// Timeline says where the segments of a film lie. Segment k begins at k times the
// length of a segment; the last one ends with the film.
//
// The end is rounded so that the last segment can be made. At a constant rate it
// is the nearest whole picture, at least one: a rest shorter than half a picture
// is dropped, a longer one is a picture. At a varying rate it is exact, and a
// rest shorter than 1/50 s belongs to the segment before.
type Timeline struct {
	length int64 // of a segment, ticks
	scale  int64 // ticks a second
	end    int64 // of the film, ticks
	count  int
}

// NewTimeline returns the timeline of a film. Errors wrap ErrFilm.
func NewTimeline(film *wire.Opened) (Timeline, error) {
	t := Timeline{length: film.Segment.Ticks, scale: film.Video.TimeScale}
	frames := int64(film.Segment.Frames)
	switch {
	case t.scale < 1 || t.scale > MaxTimeScale:
		return Timeline{}, fmt.Errorf("%w: %d ticks a second", ErrFilm, t.scale)
	case t.length < 1 || t.length > maxSegmentSeconds*t.scale:
		return Timeline{}, fmt.Errorf("%w: segments of %d/%d s", ErrFilm, t.length, t.scale)
	case frames < 0 || frames > 0 && t.length%frames != 0:
		return Timeline{}, fmt.Errorf("%w: %d pictures in segments of %d ticks", ErrFilm, frames, t.length)
	case film.Duration <= 0 || film.Duration > MaxDuration:
		return Timeline{}, fmt.Errorf("%w: it lasts %s", ErrFilm, film.Duration)
	}
	t.end = max(1, mulDivNear(int64(film.Duration), t.scale, int64(time.Second)))
	shortest := t.scale / tail
	if frames > 0 {
		picture := t.length / frames
		t.end = max(1, (t.end+picture/2)/picture) * picture
		shortest = 0
	}
	count := (t.end + t.length - 1) / t.length
	if rest := t.end - (count-1)*t.length; count > 1 && rest < shortest {
		count--
	}
	if count > MaxSegments {
		return Timeline{}, fmt.Errorf("%w: %d segments, of at most %d", ErrFilm, count, MaxSegments)
	}
	t.count = int(count)
	return t, nil
}

// Count returns the number of segments, at least 1.
func (t Timeline) Count() int { return t.count }

// Scale returns the ticks in a second.
func (t Timeline) Scale() int64 { return t.scale }

// End returns the end of the film in ticks.
func (t Timeline) End() int64 { return t.end }

// Begin returns where a segment begins, in ticks; that of Count is the end of the film. The
// number must be 0 to Count.
func (t Timeline) Begin(segment int) int64 {
	if segment >= t.count {
		return t.end
	}
	return int64(segment) * t.length
}

// Ticks returns the length of a segment in ticks.
func (t Timeline) Ticks(segment int) int64 { return t.Begin(segment+1) - t.Begin(segment) }

// Index returns the segment that a picture at a time in ticks belongs to: the first for what lies
// before the film, the last for what lies behind it.
func (t Timeline) Index(ticks int64) int {
	return int(max(0, min(ticks/t.length, int64(t.count)-1)))
}

// At returns the segment that is shown at a time of the film; times outside of it mean its first
// and last segment.
func (t Timeline) At(film time.Duration) int {
	film = max(0, min(film, MaxDuration))
	return t.Index(mulDiv(int64(film), t.scale, int64(time.Second)))
}

// Span returns the time of a segment, each end rounded down to the nanosecond, so that spans meet.
func (t Timeline) Span(segment int) (begin, end time.Duration) {
	return t.time(t.Begin(segment)), t.time(t.Begin(segment + 1))
}

// Duration returns the length of the film, rounded down to the nanosecond.
func (t Timeline) Duration() time.Duration { return t.time(t.end) }

func (t Timeline) time(ticks int64) time.Duration {
	return time.Duration(mulDiv(ticks, int64(time.Second), t.scale))
}

// target returns EXT-X-TARGETDURATION in seconds. It must be the same in every playlist of a film
// (RFC 8216 §6.2.4) and no segment may round to more (§4.3.3.1): the length of a segment rounded up
// leaves half a second for sound, whose frames do not end where pictures do.
func (t Timeline) target() int64 { return (t.length + t.scale - 1) / t.scale }
