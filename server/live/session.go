package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/upscaled-media/upscaled/server/ingest"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// keyFrames is the longest time between two key pictures: that of a segment, and of the wait of who joins.
	keyFrames = time.Second
	// keyRest is the shortest time between two key pictures that are asked for, since each costs much.
	keyRest = 500 * time.Millisecond
	// keyWait bounds the wait for a worker's answer.
	keyWait = 5 * time.Second
	// setWait bounds how long a change of settings may take; a model may have to be loaded.
	setWait = 30 * time.Second
	// farewell is for how long players are told that the stream has ended, and get what they lack of it.
	farewell = 5 * time.Second
	// lag is how far what is made may lie behind what came before the user is told.
	lag = 3 * time.Second
)

// Session is a live stream that is being made. Its methods may be called by any goroutine.
type Session struct {
	*session.Life
	studio    *Studio
	stream    Stream
	broadcast *broadcast
	keys      chan struct{} // has one when a key picture is wanted
	setting   chan struct{} // has one while a Set goes on, since each builds on the one before
	ready     chan struct{} // closed when there is a worker
	worker    Worker        // set before that

	mu       sync.Mutex
	packager *packager // guarded by mu, as all below; nil without LL-HLS, and when its farewell is over
	settings session.Settings
	touched  time.Time     // when somebody asked for something last
	viewers  int           // subscriptions of others
	made     time.Duration // of the stream: the picture that came last from the worker
}

// Subscribe returns what is made from the next key picture on. The session lasts as long as somebody subscribes;
// Subscription.Close is the caller's to call.
func (s *Session) Subscribe() *Subscription {
	s.mu.Lock()
	s.viewers++
	s.mu.Unlock()
	sub := s.broadcast.subscribe()
	sub.left = sync.OnceFunc(func() {
		if n := sub.Dropped(); n > 0 {
			s.Log().Info("a viewer was too slow", "packets_dropped", n)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.viewers--
		s.touched = time.Now()
	})
	return sub
}

// Ping says that somebody watches. The time is of no meaning in a live stream. The error is an EndedError.
func (s *Session) Ping(time.Duration) error {
	s.mu.Lock()
	s.touched = time.Now()
	s.mu.Unlock()
	return s.Err()
}

// Fetch returns what LL-HLS has of a name, and its content type: master.m3u8, and what playlists name relative to it, with
// their queries. It waits for what is not made yet. When the stream has ended it answers for a few seconds more, with
// playlists that say so. The content is not to be changed.
func (s *Session) Fetch(ctx context.Context, name string, query url.Values) (content []byte, kind string, err error) {
	ended := s.Ping(-1)
	s.mu.Lock()
	p := s.packager
	s.mu.Unlock()
	switch {
	case ended != nil && (p == nil || !endsWell(ended)):
		return nil, "", ended
	case p == nil:
		return nil, "", fmt.Errorf("%w: there is no HLS of it", session.ErrKind)
	}
	content, kind, err = p.fetch(ctx, name, query)
	if errors.Is(err, errEnded) {
		if ended := s.Err(); ended != nil {
			return nil, "", ended
		}
	}
	return content, kind, err
}

// endsWell reports whether a session's end is that of its stream: somebody wants no more of it, or there is no more. Of
// what fails in the midst of it players are told as an error.
func endsWell(err error) bool {
	var ended *session.EndedError
	return errors.As(err, &ended) && (ended.Failure == nil || ended.Failure.Code == ingest.CodeLost || ended.Failure.Code == string(source.CodeChanged))
}

// sayFarewell has players served for a while after the session's end.
func (s *Session) sayFarewell(ctx context.Context) {
	s.mu.Lock()
	speaks := s.packager != nil && endsWell(s.Err())
	s.mu.Unlock()
	if speaks {
		select {
		case <-time.After(farewell):
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packager = nil // and the memory that it has
}

// live lives the session from its worker's begin to its end. opened is told once whether it came to something;
// until then the end of the client's context ends it.
func (s *Session) live(ctx, client context.Context, start func(func()), opened func(error)) {
	run := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var failed error
	defer func() { // when nothing is left of it
		if failed != nil {
			opened(failed)
		} else {
			s.sayFarewell(run)
		}
	}()
	defer s.Conclude()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel(nil)
	part := func(do func()) {
		parts.Add(1)
		start(func() {
			defer parts.Done()
			defer s.contain()
			do()
		})
	}
	part(func() {
		select {
		case <-s.Ending():
			cancel(s.over())
		case <-ctx.Done():
		}
	})
	detach := context.AfterFunc(client, func() { cancel(context.Cause(client)) })
	err := s.open(ctx, part)
	detach()
	if client.Err() != nil {
		err = context.Cause(client)
		s.Leave(err)
	}
	if err != nil {
		s.fail(ctx, err)
		failed = err
	} else {
		part(func() { s.askKeys(ctx) })
		opened(nil)
		s.watch(ctx)
	}
	s.broadcast.end(s.over())
	cancel(nil)
	if s.worker != nil {
		_ = s.worker.Close(context.WithoutCancel(ctx)) // which is bounded by itself
	}
}

// Leave ends the session since its client is gone: as failed where the cause, a *wire.Error, is a failure.
func (s *Session) Leave(cause error) {
	if failure := (*wire.Error)(nil); errors.As(cause, &failure) {
		s.Fail(failure, failure.Code)
	}
	s.End(session.CauseClient) // unless it has ended
}

// contain ends the session where a part of it panics: they read what anybody may have sent, and a fault of ours there
// costs this session and not the server.
func (s *Session) contain() {
	if fault := recover(); fault != nil {
		s.Log().Error("part of a live session panicked", "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		s.Fail(ErrFault, ErrFault.Code)
	}
}

// fail ends a session that could not begin.
func (s *Session) fail(ctx context.Context, err error) {
	code := session.CodeWorkerFailed
	var refused *session.RefusedError
	switch {
	case ctx.Err() != nil:
		s.End(session.CauseShutdown) // unless it has ended, and that is why
		return
	case errors.As(err, &refused):
		code = string(problem.Busy)
	case errors.Is(err, pool.ErrNoWorker):
		code = string(problem.WorkerUnavailable)
	}
	s.Fail(err, code)
}

// over is what subscriptions end with.
func (s *Session) over() error {
	if err := s.Err(); err != nil {
		return err
	}
	return session.ErrDraining
}

// open starts the feed and has a worker relay it. Parts run until ctx ends.
func (s *Session) open(ctx context.Context, part func(func())) error {
	stream, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // the worker has a copy, of which the feed sees when it goes
	opening, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	late := time.AfterFunc(math.MaxInt64, func() { stop(pool.ErrNoReply) }) // once something of the stream has come
	defer late.Stop()
	part(func() {
		err := s.stream.Feed(ctx, &announced{w: feed, first: func() { late.Reset(s.studio.o.Open) }})
		if err != nil && ctx.Err() == nil && !errors.Is(err, syscall.EPIPE) { // that the worker is gone, Gone tells
			stop(err)
			s.Fail(err, codeFeed) // before the worker tells of the end
		}
		_ = feed.Close() // the end of the stream, which the worker tells as that of its run
	})
	part(func() {
		<-ctx.Done()
		_ = feed.Close() // wakes who writes
	})
	if p := s.packager; p != nil { // which is changed on this goroutine alone
		sub := s.broadcast.subscribe()
		part(func() {
			defer sub.Close()
			p.run(ctx, sub, part)
		})
	}
	worker, found, err := s.studio.o.Relay(opening, s.ID(), s.settings, wire.Relay{
		Name: source.Name(s.Snapshot().Source), Audio: s.stream.Audio, KeyFrames: keyFrames,
	}, stream, handler{s})
	if err != nil {
		if opening.Err() != nil {
			err = context.Cause(opening) // the feed's own error says more
		}
		return err
	}
	s.worker = worker
	close(s.ready)
	if err := s.Book(found.Cost); err != nil {
		return s.studio.o.Sessions.Refuse(err)
	}
	if found.Video.TimeScale != wire.RelayTimeScale || len(found.Audio) > 1 {
		return fmt.Errorf("a stream of %d ticks a second with %d tracks of sound", found.Video.TimeScale, len(found.Audio))
	}
	s.Describe(found)
	runs := []uint32{wire.RelayVideo}
	if len(found.Audio) > 0 {
		runs = append(runs, wire.RelayAudio)
	}
	s.broadcast.expect(runs...)
	return s.Err()
}

// announced is a Writer of which somebody is told when the first is written.
type announced struct {
	w     io.Writer
	once  sync.Once
	first func()
}

// Write implements io.Writer.
func (a *announced) Write(b []byte) (int, error) {
	a.once.Do(a.first)
	return a.w.Write(b)
}

// watch returns when the session ends, which it sees to itself when nobody watches any more.
func (s *Session) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.End(session.CauseShutdown)
			return
		case <-s.Ending():
			return
		case now := <-tick.C:
			s.mu.Lock()
			idle := s.viewers == 0 && now.Sub(s.touched) >= s.studio.o.Idle
			s.mu.Unlock()
			if idle {
				s.End(session.CauseIdle)
			}
		}
	}
}

// KeyFrame asks for a key picture, for a subscriber that has lost one. It does not wait.
func (s *Session) KeyFrame() { s.wantKey() }

// wantKey asks for a key picture.
func (s *Session) wantKey() {
	select {
	case s.keys <- struct{}{}:
	default: // it is asked for already
	}
}

// askKeys asks the worker for key pictures until ctx ends.
func (s *Session) askKeys(ctx context.Context) {
	for {
		select {
		case <-s.keys:
		case <-ctx.Done():
			return
		}
		asking, done := context.WithTimeout(ctx, keyWait)
		if err := s.worker.KeyFrame(asking, wire.RelayVideo); err != nil && ctx.Err() == nil {
			s.Log().Debug("no key picture", "error", err) // one comes within keyFrames in any case
		}
		done()
		select {
		case <-time.After(keyRest):
		case <-ctx.Done():
			return
		}
	}
}

// Set changes how the picture is made, and returns when the worker has taken it: the strength, the filters, and a
// model of the same scale. Errors are the worker's *wire.Error, after which all is as before, session.ErrRequest, an
// EndedError, and ctx's.
func (s *Session) Set(ctx context.Context, c session.Change) error {
	ctx, cancel := context.WithTimeoutCause(ctx, setWait, session.ErrLate)
	defer cancel()
	select {
	case s.setting <- struct{}{}:
		defer func() { <-s.setting }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	settings := s.settings
	s.mu.Unlock()
	if err := s.check(c, settings); err != nil {
		return err
	}
	change := c.Live()
	if change.Model == nil && change.Strength == nil && change.Filters == nil {
		return s.Err()
	}
	select {
	case <-s.ready:
	case <-s.Ending():
		return s.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := s.worker.Set(ctx, change); err != nil {
		if ended := s.Err(); ended != nil {
			return ended
		}
		return err
	}
	settings = c.Apply(settings)
	s.mu.Lock()
	s.settings = settings
	s.mu.Unlock()
	s.Changed(settings)
	return s.Err()
}

// check refuses what a live stream cannot change.
func (s *Session) check(c session.Change, now session.Settings) error {
	differs := func(to *int, from int) bool { return to != nil && *to != from }
	if differs(c.Height, now.Height) || differs(c.Quality, now.Quality) || differs(c.Burn, now.Burn) {
		return fmt.Errorf("%w: of a live stream the strength, the filters and a model of the same scale can be changed; begin another session", session.ErrRequest)
	}
	if c.Model == nil || *c.Model == now.Model {
		return nil
	}
	from, err := s.studio.o.Scale(now.Model)
	if err != nil {
		return err
	}
	to, err := s.studio.o.Scale(*c.Model)
	if err != nil {
		return err
	}
	if from != to {
		return fmt.Errorf("%w: %s scales by %d and not by %d, as the model of this live stream does; begin another session", session.ErrRequest, *c.Model, to, from)
	}
	return nil
}
