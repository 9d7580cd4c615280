package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Session is one playback of one film: a Life, a worker, and the renditions that are
// made of what it sends. Its methods may be called by any goroutine.
//
// Lock order: Manager.mu, Life.mu, then the locks of the cache, the ledger and
// the hub, of which none is held while another one is taken.
type Session struct {
	Life

	request  Request
	cache    *cache.Cache
	patience time.Duration // longest wait for a segment
	idle     time.Duration
	scale    func(model string) (int, error)
	cost     func(*wire.Opened, Settings) (wire.Cost, bool)

	// Set before the session is known to others.
	worker Worker
	line   hls.Timeline
	ahead  int // segments
	video  *rendition
	audio  []*rendition
	text   []*rendition

	setting chan struct{} // has one while a Set goes on, since each builds on the one before

	paused   bool      // guarded by mu, as all that follows; the client wants a pause
	seeking  time.Time // since when a seek waits for its segment, zero: none does
	changed  bool      // settings may not be those that the worker has
	position position
	sought   chan struct{} // closed when the client goes to another place, and another one made
	touched  time.Time     // last request or ping
	served   bool          // a segment was delivered
	made     bool          // a segment of the picture was made
	last     bool          // the film's last segment was delivered, and none of before since
	runs     map[uint32]*run
	lastRun  uint32
	counted  counted
}

// attach gives a session the film that its worker opened.
func (s *Session) attach(worker Worker, film *wire.Opened, readAhead time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil { // the worker has gone again
		return err
	}
	line, err := hls.NewTimeline(film)
	if err != nil {
		return err
	}
	length, _ := line.Span(min(1, line.Count()-1))
	if length == 0 {
		length = line.Duration()
	}
	s.worker, s.film, s.line = worker, film, line
	s.ahead = max(1, int((readAhead+length-1)/length))
	s.video = newRendition(wire.Stream{Kind: wire.StreamVideo}, picture{line}, line.Count(), length)
	for i, info := range film.Audio {
		track, err := hls.NewSound(line, info)
		if err != nil {
			return err
		}
		stream := wire.Stream{Kind: wire.StreamAudio, Index: i}
		s.audio = append(s.audio, newRendition(stream, sound{track, info}, line.Count(), length))
	}
	for i := range film.Text {
		stream := wire.Stream{Kind: wire.StreamText, Index: i}
		s.text = append(s.text, newRendition(stream, text{line}, line.Count(), length))
	}
	return s.checkTracks()
}

// checkTracks checks the tracks that the client chose without knowing the film.
func (s *Session) checkTracks() error {
	a, t, b := s.request.Audio, s.request.Text, s.request.Settings.Burn
	switch {
	case a < -1 || a >= len(s.audio):
		return fmt.Errorf("%w: audio track %d of %d", ErrNoStream, a, len(s.audio))
	case t < -1 || t >= len(s.text) || t >= 0 && s.film.Text[t].Bitmap:
		return fmt.Errorf("%w: text subtitles %d of %d", ErrNoStream, t, len(s.text))
	case b < -1 || b >= len(s.text) || b >= 0 && !s.film.Text[b].Bitmap:
		return fmt.Errorf("%w: bitmap subtitles %d of %d", ErrNoStream, b, len(s.text))
	}
	return nil
}

// run plays the session until it ends, and leaves nothing of it but what Snapshot
// tells. An end of ctx ends it.
func (s *Session) run(ctx context.Context) {
	producing, stop := context.WithCancel(ctx)
	defer stop()
	var producers sync.WaitGroup
	for _, r := range s.renditions() {
		producers.Go(func() { s.produce(producing, r) })
	}
	_ = s.Seek(s.request.Start) // if it has ended already, that is seen below
	s.watch(ctx)
	stop()
	_ = s.worker.Close(context.WithoutCancel(ctx)) // which is bounded by itself
	producers.Wait()
	s.cache.DropSession(s.id)
	s.forgetAll()
	s.Conclude()
}

// forgetAll lets go what the renditions hold: a session that was costs little.
func (s *Session) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.runs)
	for _, r := range s.renditions() {
		r.made, r.waiters, r.run = nil, nil, nil
	}
}

// watch returns when the session ends, which it sees to itself when nobody uses
// it any more.
func (s *Session) watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.End(CauseShutdown)
		case <-s.ending:
			return
		case now := <-ticker.C:
			s.look(now)
		}
	}
}

// renditions returns all there are.
func (s *Session) renditions() []*rendition {
	all := make([]*rendition, 0, 1+len(s.audio)+len(s.text))
	return append(append(append(all, s.video), s.audio...), s.text...)
}

// rendition returns the rendition of a stream, unless the session is over. The
// caller holds mu.
func (s *Session) rendition(stream wire.Stream) (*rendition, error) {
	if err := s.over(); err != nil {
		return nil, err
	}
	of := map[wire.StreamKind][]*rendition{wire.StreamVideo: {s.video}, wire.StreamAudio: s.audio, wire.StreamText: s.text}[stream.Kind]
	if stream.Index < 0 || stream.Index >= len(of) {
		return nil, ErrNoStream
	}
	if stream.Kind == wire.StreamText && s.film.Text[stream.Index].Bitmap {
		return nil, ErrNoStream
	}
	return of[stream.Index], nil
}

// going returns a run whose segments are wanted, nil where they are not.
func (s *Session) going(id uint32) *run {
	if run := s.runs[id]; run != nil && !run.stale {
		return run
	}
	return nil
}

// failure returns what an error is to the client: what the worker said, or else a
// failure of ours, which is of the given code where the error tells no better.
func failure(err error, code string) *wire.Error {
	if said := (*wire.Error)(nil); errors.As(err, &said) {
		return &wire.Error{Code: cut(said.Code, maxCode), Sentence: cut(said.Sentence, maxSentence), Detail: said.Detail}
	}
	if gone := (*pool.GoneError)(nil); errors.As(err, &gone) {
		code = codes[gone.Reason]
	}
	f := &wire.Error{Code: code, Sentence: sentences[code]}
	if err != nil {
		f.Detail = err.Error()
	}
	return f
}

var codes = map[pool.Reason]string{
	pool.ReasonCrashed: CodeWorkerFailed, pool.ReasonProtocol: CodeWorkerFailed, pool.ReasonHung: CodeWorkerHung,
	pool.ReasonExited: CodeWorkerLost, pool.ReasonStart: CodeWorkerLost, pool.ReasonStopped: CodeWorkerLost,
}

var sentences = map[string]string{
	CodeWorkerFailed: "The process that made the picture failed.",
	CodeWorkerHung:   "The process that made the picture stood still.",
	CodeWorkerMemory: "The process that made the picture took too much memory.",
	CodeWorkerLost:   "The process that made the picture has ended.",
}
