package live

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/ingest"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Worker is a worker that relays. Any goroutine may call its methods.
type Worker interface {
	Set(ctx context.Context, change wire.Set) error
	KeyFrame(ctx context.Context, run uint32) error
	// Close ends the process, and waits less than a second for that unless ctx ends.
	Close(ctx context.Context) error
}

// Relay has a worker of its own make a live stream, as session.Films.Relay does.
type Relay func(ctx context.Context, session string, s session.Settings, m wire.Relay, stream *os.File, h session.Handler) (Worker, wire.Opened, error)

// Feed writes a live stream, Matroska or MPEG-TS, until it ends, for which it returns nil, fails, or ctx ends. Errors
// that are *wire.Error say why to the client.
type Feed func(ctx context.Context, w io.Writer) error

// Options are what a Studio works with.
type Options struct {
	Sessions *session.Manager
	Relay    Relay
	Scale    func(model string) (int, error) // of a model, by its id
	Ingest   ingest.Options                  // of sources that clients name; Log and Warn are the session's

	Open   time.Duration // in which a worker must find its stream, from the first of it on
	Window time.Duration // of LL-HLS, that can be gone back
	Part   time.Duration // longest of LL-HLS
	Idle   time.Duration // after which a session that nobody watches ends
}

// Studio has the live sessions. Make it with New and Run it.
type Studio struct {
	o    Options
	work chan func(ctx context.Context, start func(func())) // that Run is to start
	over chan struct{}                                      // closed when Run takes no more
}

// New checks the options.
func New(o Options) (*Studio, error) {
	switch {
	case o.Sessions == nil || o.Relay == nil || o.Scale == nil:
		return nil, errors.New("live: sessions, relay and scale are needed")
	case min(o.Open, o.Window, o.Part, o.Idle) <= 0:
		return nil, errors.New("live: durations must be positive")
	}
	return &Studio{o: o, work: make(chan func(context.Context, func(func()))), over: make(chan struct{})}, nil
}

// Run lives sessions until ctx ends, then ends all and returns when the last worker is gone. It may be called once.
func (s *Studio) Run(ctx context.Context) error {
	var lives sync.WaitGroup
	defer lives.Wait()
	defer close(s.over)
	for {
		select {
		case <-ctx.Done():
			return nil
		case live := <-s.work:
			lives.Go(func() { live(ctx, lives.Go) })
		}
	}
}

// Stream is what a session is begun with beside its About.
type Stream struct {
	Feed  Feed
	Audio wire.AudioMode // wire.AudioAAC without
	// HLS says whether there is LL-HLS of it. It needs AAC, or a stream without sound.
	HLS bool
	// Figures tell of the feed; nil where nobody knows.
	Figures func() ingest.Figures
	// Begun is told of the session as soon as it has its place, before its feed is asked for anything: whoever is fed by
	// a browser must answer that first. nil: nobody is.
	Begun func(*Session)
}

// Take begins a session of a source that a client named, and returns when its stream is found. Errors are those of
// ingest.New and of Start.
func (s *Studio) Take(ctx context.Context, r session.Request) (*Session, error) {
	var life *Session
	o := s.o.Ingest
	o.Warn = func(w wire.Warning) { life.Warn(w) }
	intake, err := ingest.New(r.Source, o)
	if err != nil {
		return nil, err
	}
	about := session.About{Kind: session.KindLive, Owner: r.Owner, Source: r.Source, Settings: r.Settings}
	return s.start(ctx, about, Stream{Feed: intake.Run, HLS: true, Figures: intake.Figures}, func(l *Session) { life = l })
}

// Start begins a session and returns when the worker has found its stream. Errors are a RefusedError, ErrDraining, the
// feed's and the worker's *wire.Error, those of a pool, and ctx's; nothing is left after one but what the Manager
// remembers.
func (s *Studio) Start(ctx context.Context, about session.About, stream Stream) (*Session, error) {
	return s.start(ctx, about, stream, func(*Session) {})
}

// start is Start, and hands the session out before anything of it runs.
func (s *Studio) start(ctx context.Context, about session.About, stream Stream, begun func(*Session)) (*Session, error) {
	if stream.Audio == "" {
		stream.Audio = wire.AudioAAC
	}
	type outcome struct {
		live *Session
		err  error
	}
	result := make(chan outcome, 1)
	live := func(run context.Context, start func(func())) {
		l, err := s.begin(about, stream)
		if err != nil {
			result <- outcome{err: err}
			return
		}
		begun(l)
		if stream.Begun != nil {
			stream.Begun(l)
		}
		l.live(run, ctx, start, func(err error) { result <- outcome{l, err} })
	}
	select {
	case s.work <- live:
	case <-s.over:
		return nil, session.ErrDraining
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r := <-result // ctx's end ends the opening, too
	if r.err != nil {
		return nil, r.err
	}
	return r.live, nil
}

// begin makes a session known.
func (s *Studio) begin(about session.About, stream Stream) (*Session, error) {
	life, err := s.o.Sessions.Begin(about)
	if err != nil {
		return nil, s.o.Sessions.Refuse(err)
	}
	l := &Session{
		Life: life, studio: s, stream: stream, settings: about.Settings, touched: time.Now(),
		keys: make(chan struct{}, 1), setting: make(chan struct{}, 1), ready: make(chan struct{}),
	}
	l.broadcast = newBroadcast(l.wantKey)
	if stream.HLS {
		l.packager = newPackager(s.o.Part, s.o.Window, life.Log())
	}
	s.o.Sessions.Represent(l)
	return l, nil
}
