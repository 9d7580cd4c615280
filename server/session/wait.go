package session

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Media is what a player gets: parts one after the other, which must not be
// written to.
type Media [][]byte

// Size returns the length in bytes.
func (m Media) Size() int64 {
	var n int64
	for _, part := range m {
		n += int64(len(part))
	}
	return n
}

// WriteTo implements io.WriterTo.
func (m Media) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for _, part := range m {
		n, err := w.Write(part)
		sum += int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Get returns what a path below the session's hls folder names; query is appended
// to the URIs in playlists. It waits for what is not there yet. Errors are
// ErrNoStream, ErrNoSegment, ErrLate, an EndedError, or ctx's.
func (s *Session) Get(ctx context.Context, resource hls.Resource, query string) (Media, error) {
	switch resource.File {
	case hls.FileMaster:
		return s.Master(ctx, query)
	case hls.FilePlaylist:
		return s.Playlist(resource.Stream, query)
	case hls.FileInit:
		return s.InitSegment(ctx, resource.Stream, resource.Generation)
	default:
		return s.Segment(ctx, resource.Stream, resource.Generation, resource.Segment)
	}
}

// Segment returns a media segment and waits for it where it has to be made. A
// segment that was made in another generation than the player knows comes with
// that one's init segment in front. The wait ends at once when ctx does, and the
// segment is then no longer made on its account.
func (s *Session) Segment(ctx context.Context, stream wire.Stream, generation, segment int) (Media, error) {
	w, err := s.fetch(ctx, stream, generation, segment)
	if err != nil {
		return nil, err
	}
	return s.deliver(w, generation), nil
}

// fetch waits for a segment. What it returns has its data.
func (s *Session) fetch(ctx context.Context, stream wire.Stream, generation, segment int) (*waiter, error) {
	began := time.Now()
	for {
		w, err := s.ask(stream, generation, segment, began)
		if err != nil {
			return nil, err
		}
		if w.done == nil { // it was there a moment ago
			if data, ok := s.cache.Get(w.rendition.key(s.id, w.made, segment)); ok {
				w.data = data
				return w, nil
			}
			continue
		}
		if err := s.wait(ctx, w.done); err != nil {
			s.leave(w)
			return nil, err
		}
		return w, nil
	}
}

// ask notes a request for a segment. Without done the segment is there.
func (s *Session) ask(stream wire.Stream, generation, segment int, now time.Time) (*waiter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rendition(stream)
	if err != nil {
		return nil, err
	}
	if segment < 0 || segment >= r.count || r.track.empty(segment) || generation < 0 || generation >= len(r.generations) {
		return nil, ErrNoSegment
	}
	s.touched = now
	r.ask(segment, now)
	w := &waiter{rendition: r, segment: segment, asked: now}
	var there bool
	if w.made, there = s.where(r, segment); !there {
		w.done = make(chan struct{})
		r.waiters = append(r.waiters, w)
	}
	r.wake()
	return w, nil
}

// leave takes back a request that nobody waits for any more.
func (s *Session) leave(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.rendition.waiters = slices.DeleteFunc(w.rendition.waiters, func(o *waiter) bool { return o == w })
	w.rendition.wake()
}

// deliver returns the answer to a request.
func (s *Session) deliver(w *waiter, generation int) Media {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := w.rendition
	s.touched = time.Now()
	if r == s.video {
		s.delivered(w, s.touched)
	}
	if w.made == generation || r.stream.Kind == wire.StreamText {
		return Media{w.data}
	}
	return Media{r.generations[w.made].init, w.data}
}

// InitSegment returns the init segment of a generation, and waits until a run has
// told it. One of a generation of which nothing was made is the newest's.
func (s *Session) InitSegment(ctx context.Context, stream wire.Stream, generation int) (Media, error) {
	g, err := s.generation(stream, generation)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, g.ready); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Media{g.init}, nil
}

// generation returns the generation whose init segment a player is given, and
// has it begun where nobody did yet.
func (s *Session) generation(stream wire.Stream, generation int) (*generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rendition(stream)
	if err != nil {
		return nil, err
	}
	if stream.Kind == wire.StreamText || generation < 0 || generation >= len(r.generations) {
		return nil, ErrNoSegment
	}
	s.touched = time.Now()
	g := r.generations[generation]
	if g.init == nil {
		g = r.generations[r.newest()]
	}
	if g.init == nil && (r.run == nil || r.run.stale) {
		s.hint(r)
	}
	return g, nil
}

// wait waits for done. Errors are ErrLate, ctx's and how the session ended.
func (s *Session) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done: // at once, whatever else is true
		return nil
	default:
	}
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-s.ending:
		return s.Err()
	case <-timer.C:
		return fmt.Errorf("%w (%s)", ErrLate, s.patience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
