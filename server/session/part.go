package session

import (
	"context"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Part is a segment with what it is decoded with, for who makes something else of it
// than HLS.
type Part struct {
	Generation int
	Init       wire.Init // of the generation; zero of text
	Data       []byte    // a fragment, or WebVTT; it must not be written to
}

// Part returns a segment, in whichever generation it was made. It is otherwise like
// Segment.
func (s *Session) Part(ctx context.Context, stream wire.Stream, segment int) (Part, error) {
	w, err := s.fetch(ctx, stream, 0, segment)
	if err != nil {
		return Part{}, err
	}
	s.deliver(w, w.made)
	s.mu.Lock()
	defer s.mu.Unlock()
	return Part{Generation: w.made, Init: w.rendition.generations[w.made].codec, Data: w.data}, nil
}

// Standard returns the number of the track of sound that plays where nobody chooses,
// -1 where the film has none.
func (s *Session) Standard() int { return s.standard() }

// StandardText returns the number of the text subtitles that are shown where nobody chooses, -1 where the film has
// none: those that the session was asked for, or else the film's default, or else its first.
func (s *Session) StandardText() int {
	if s.request.Text >= 0 {
		return s.request.Text
	}
	first := -1
	for i, t := range s.film.Text {
		if t.Default && !t.Bitmap {
			return i
		}
		if first < 0 && !t.Bitmap {
			first = i
		}
	}
	return first
}
