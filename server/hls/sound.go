package hls

import (
	"fmt"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// What a Sound may have; AAC ends at 96 kHz and frames of 2048 samples.
const (
	maxRate         = 192_000
	maxFrameSamples = 8192
)

// Sound says which frames of a track of sound belong to which segment: those that
// begin within it, and to the last one all that are left. Segments of sound
// therefore end within a frame of the picture's and never drift from them.
type Sound struct {
	film         Timeline
	rate         int64 // samples, and so ticks, a second
	samples      int64 // in a frame
	first, count int64 // tick of the first frame, number of frames
}

// NewSound returns the segments of a track. Errors wrap ErrFilm.
func NewSound(film Timeline, track wire.AudioInfo) (Sound, error) {
	s := Sound{film, int64(track.Rate), int64(track.FrameSamples), track.First, track.Frames}
	longest := int64(MaxDuration.Seconds()) * s.rate // ticks
	switch {
	case s.rate < 1 || s.rate > maxRate:
		return Sound{}, fmt.Errorf("%w: %d samples a second", ErrFilm, track.Rate)
	case s.samples < 1 || s.samples > maxFrameSamples:
		return Sound{}, fmt.Errorf("%w: frames of %d samples", ErrFilm, track.FrameSamples)
	case s.first < 0 || s.first > longest:
		return Sound{}, fmt.Errorf("%w: sound begins at %d/%d s", ErrFilm, s.first, track.Rate)
	case s.count < 1 || s.count > (longest-s.first)/s.samples+1:
		return Sound{}, fmt.Errorf("%w: %d frames of sound", ErrFilm, s.count)
	}
	return s, nil
}

// Frames returns the frames of a segment, from ≤ n < to.
func (s Sound) Frames(segment int) (from, to int64) { return s.before(segment), s.before(segment + 1) }

// before returns how many frames begin before a segment does.
func (s Sound) before(segment int) int64 {
	if segment >= s.film.count {
		return s.count
	}
	tick := mulDivUp(s.film.Begin(segment), s.rate, s.film.scale) // the first that is not before
	return max(0, min((tick-s.first+s.samples-1)/s.samples, s.count))
}

// Empty reports whether no frame belongs to a segment: the track begins later or ends earlier than
// the film, or the film's last segment is shorter than a frame. Playlists do not list it.
func (s Sound) Empty(segment int) bool {
	from, to := s.Frames(segment)
	return from == to
}

// Begin returns the tick at which the first frame of a segment begins. Of an empty one it is where
// the frame before ends, or the next begins.
func (s Sound) Begin(segment int) int64 { return s.first + s.before(segment)*s.samples }

// Ticks returns how long the frames of a segment last.
func (s Sound) Ticks(segment int) int64 { return s.Begin(segment+1) - s.Begin(segment) }

// Index returns the segment that a frame belongs to which begins at a time in ticks.
func (s Sound) Index(ticks int64) int {
	ticks = max(0, min(ticks, s.End()))
	return int(min(mulDiv(ticks, s.film.scale, s.film.length*s.rate), int64(s.film.count)-1))
}

// Rate returns the ticks in a second.
func (s Sound) Rate() int64 { return s.rate }

// End returns where the last frame ends, in ticks.
func (s Sound) End() int64 { return s.first + s.count*s.samples }
