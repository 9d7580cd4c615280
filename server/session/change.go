package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// setWait bounds how long a change of settings may take; a model may have to be
// loaded.
const setWait = 30 * time.Second

// Set changes how the picture is made, and returns when the worker has taken it. A
// model of equal scale, the strength and the filters take effect between two
// frames; anything else begins a new generation of the picture. Errors are the
// worker's *wire.Error, after which all is as before, a RefusedError where the
// machine has no room for it, ErrNoStream, an EndedError, or ctx's.
func (s *Session) Set(ctx context.Context, c Change) error {
	ctx, cancel := context.WithTimeoutCause(ctx, setWait, ErrLate)
	defer cancel()
	select {
	case s.setting <- struct{}{}:
		defer func() { <-s.setting }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	anew, err := s.begins(c)
	if err != nil {
		return err
	}
	before := s.ticket.booked()
	if err := s.book(c); err != nil {
		return err
	}
	do := s.change
	if anew {
		do = s.regenerate
	}
	err = do(ctx, c)
	if err != nil {
		s.ticket.restore(before)
	}
	return err
}

// book takes what the session will cost after a change, where that is known.
func (s *Session) book(c Change) error {
	s.mu.Lock()
	settings := s.settings
	s.mu.Unlock()
	if !differs(c.Model, settings.Model) && !differs(c.Height, settings.Height) {
		return nil
	}
	cost, known := s.cost(s.film, c.Apply(settings))
	if !known {
		return nil
	}
	err := s.ticket.book(cost, time.Now())
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		s.hooks.Refused(refused.Reason)
	}
	return err
}

// change has the worker change what runs.
func (s *Session) change(ctx context.Context, c Change) error {
	if err := s.because(ctx, s.worker.Set(ctx, c.Live())); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings, s.changed, s.touched = c.Apply(s.settings), true, time.Now()
	if c.From != nil {
		s.forget(s.video, s.line.At(*c.From))
		s.refetch(s.line.At(*c.From), false)
	}
	s.video.wake()
	s.tell()
	return s.over()
}

// begins reports whether a change needs a new generation.
func (s *Session) begins(c Change) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return false, err
	}
	now := s.settings
	if c.Burn != nil && (*c.Burn < -1 || *c.Burn >= len(s.text) || *c.Burn >= 0 && !s.film.Text[*c.Burn].Bitmap) {
		return false, fmt.Errorf("%w: bitmap subtitles %d", ErrNoStream, *c.Burn)
	}
	if differs(c.Height, now.Height) || differs(c.Quality, now.Quality) || differs(c.Burn, now.Burn) {
		return true, nil
	}
	if !differs(c.Model, now.Model) {
		return false, nil
	}
	before, err := s.scale(now.Model)
	if err != nil {
		return false, err
	}
	after, err := s.scale(*c.Model)
	return before != after, err
}

func differs[T comparable](to *T, from T) bool { return to != nil && *to != from }

// regenerate begins a generation of the picture with other settings, which is
// taken back where the worker refuses them or does not answer.
func (s *Session) regenerate(ctx context.Context, c Change) error {
	g, err := s.turn(c)
	if err != nil {
		return err
	}
	select {
	case err := <-g.answer:
		return s.because(ctx, err)
	case <-s.ending:
		return s.Err()
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-g.answer: // it came at the same moment
		return err
	default:
	}
	if err := s.over(); err != nil {
		return err
	}
	g.undo()
	return context.Cause(ctx)
}

// turn makes a new generation the newest.
func (s *Session) turn(c Change) (*generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return nil, err
	}
	r, g := s.video, newGeneration()
	before := s.settings
	first := s.unmade(r)
	if c.From != nil {
		k := s.line.At(*c.From)
		s.forget(r, k)
		first = min(first, k)
	}
	g.undo = func() {
		if g.void { // before the worker refused it; other settings may have come since
			return
		}
		g.void = true
		s.settings = before // the worker may have taken the others, and so is told again
		s.turned()
		s.refetch(first, true)
	}
	s.settings, s.changed, s.touched = c.Apply(before), true, time.Now()
	r.generations = append(r.generations, g)
	s.prove(g)
	s.turned()
	s.refetch(first, true)
	return g, nil
}

// unmade returns the first segment from the client's position on that is still to
// be made, count where all are there.
func (s *Session) unmade(r *rendition) int {
	k := s.line.At(s.position.at)
	for k < r.count && !s.missing(r, k) {
		k++
	}
	return k
}

// refetch tells clients which segments of the picture become others. The caller
// holds mu.
func (s *Session) refetch(first int, changed bool) {
	from := s.film.Duration
	if first < s.video.count {
		from, _ = s.line.Span(first)
	}
	s.publish(Event{Playlist: &Playlist{Generation: s.video.newest(), From: from, Changed: changed}})
}

// turned has what is made next be of the newest generation.
func (s *Session) turned() {
	if run := s.video.run; run != nil {
		run.stale = true
	}
	s.video.wake()
	s.tell()
}

// prove has something made of a generation although nobody may ask for it, so that
// the worker's answer tells whether it takes the settings.
func (s *Session) prove(g *generation) {
	r := s.video
	for k := max(0, r.head); k < r.count; k++ {
		if s.missing(r, k) {
			r.waiters = append(r.waiters, &waiter{rendition: r, segment: k, asked: time.Now()})
			return
		}
	}
	g.answer <- nil // all is there to the end, so that nothing is made of it yet
}

// because returns how the session ended in place of an error that came of it. That
// the worker is gone may be met before it is known how that came about.
func (s *Session) because(ctx context.Context, err error) error {
	if errors.Is(err, pool.ErrGone) {
		select {
		case <-s.ending:
		case <-ctx.Done():
		}
	}
	if err == nil || errors.As(err, new(*wire.Error)) || ctx.Err() != nil {
		return err
	}
	if over := s.Err(); over != nil {
		return over
	}
	return err
}
