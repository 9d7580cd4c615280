package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Transport is how RTSP carries its packets.
type Transport string

// The transports.
const (
	TransportAuto Transport = "auto" // TCP, or UDP where the server has no TCP
	TransportTCP  Transport = "tcp"
	TransportUDP  Transport = "udp"
)

// Options are what an Intake works with.
type Options struct {
	Outside   *source.Outside
	Connect   time.Duration // until there is a first picture
	Reconnect time.Duration // how long a source that broke off may be gone
	Stall     time.Duration // without a picture, until a connection is given up
	Transport Transport
	Log       *slog.Logger // nil: none
	// Warn is told what a user should know and that ends nothing; nil: nobody is.
	Warn func(wire.Warning)
}

// Intake takes one live source in. Make it with New and Run it.
type Intake struct {
	o    Options
	url  *url.URL
	name string // for sentences
	log  *slog.Logger

	queue *queue
	shown time.Time // time of day of the last picture of HLS; of the connection that there is

	mu      sync.Mutex
	clock   *clock           // guarded by mu, as all below
	header  []matroska.Track // nil before the first picture
	known   chan struct{}    // closed when header is there
	figures Figures
}

// Figures tell how an intake goes.
type Figures struct {
	Dropped
	Reconnects int64
	Newest     time.Duration // of the feed: the picture that came last
}

// New checks the URL and the options, and that the host may be reached at all; it connects to nothing. Errors are
// *source.Error where they are about the URL.
func New(rawURL string, o Options) (*Intake, error) {
	u, err := source.ParseLive(rawURL)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Outside == nil:
		return nil, errors.New("ingest: outside is needed")
	case min(o.Connect, o.Reconnect, o.Stall) <= 0:
		return nil, errors.New("ingest: durations must be positive")
	}
	if err := o.Outside.Check(u); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Warn == nil {
		o.Warn = func(wire.Warning) {}
	}
	return &Intake{
		o: o, url: u, name: source.Name(rawURL), log: o.Log, queue: newQueue(), clock: newClock(), known: make(chan struct{}),
	}, nil
}

// Figures returns the figures.
func (i *Intake) Figures() Figures {
	i.mu.Lock()
	defer i.mu.Unlock()
	f := i.figures
	f.Newest, f.Dropped = i.clock.newest, i.queue.count()
	return f
}

// Run takes the source in until it says that it has ended, for which it returns nil, it is lost for good, whose
// errors are *wire.Error, w fails, or ctx ends. It may be called once.
func (i *Intake) Run(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var writing sync.WaitGroup
	defer writing.Wait()
	var written error
	writing.Go(func() {
		if written = i.write(ctx, w); written != nil {
			cancel(written)
		}
	})
	err := i.connect(ctx)
	select {
	case <-i.known:
	default:
		if errors.Is(err, errEnd) {
			err = final(CodeNoVideo, nil, "%q has ended, and had no picture", i.name)
		}
	}
	if errors.Is(err, errEnd) {
		i.queue.end(io.EOF) // what waits is written
		writing.Wait()
		return written
	}
	cancel(err)
	return because(ctx, err)
}

// The wait between two tries doubles from firstWait to lastWait. A connection that lasted proven begins with
// firstWait again.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 8 * time.Second
	proven    = 10 * time.Second
)

// connect connects, again and again, and returns why it does not any more.
func (i *Intake) connect(ctx context.Context) error {
	wait, left, patience := firstWait, time.Now(), i.o.Connect // left is when there was a picture last
	seen := false
	for {
		begun := time.Now()
		last, err := i.once(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !last.IsZero() {
			seen, left, patience = true, last, i.o.Reconnect
			if last.Sub(begun) >= proven {
				wait = firstWait
			}
		}
		if !passes(err, seen) {
			return err
		}
		pause := wait/2 + rand.N(wait) //nolint:gosec // spreads tries, keeps no secret
		if time.Since(left)+pause > patience {
			return i.lost(err, seen)
		}
		i.log.Info("live source broke off", "source", i.name, "error", err, "detail", detail(err), "again_in", pause.Round(time.Millisecond))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait = min(2*wait, lastWait)
	}
}

// lost is the error of a source that does not come back.
func (i *Intake) lost(err error, seen bool) error {
	if !seen {
		return err
	}
	return final(CodeLost, err, "%q broke off and did not come back within %s", i.name, i.o.Reconnect)
}

// once reads a connection until it breaks, and returns when its last picture came, zero for none, and why it broke.
func (i *Intake) once(ctx context.Context) (last time.Time, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(i.o.Stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	var mu sync.Mutex
	l := newLine(i, func() {
		stalled.Reset(i.o.Stall)
		mu.Lock()
		last = time.Now()
		mu.Unlock()
	})
	err = i.read(ctx, l)
	if failed := l.end(); failed != nil {
		err = failed
	}
	mu.Lock()
	defer mu.Unlock()
	if errors.Is(err, errEnd) {
		return last, err
	}
	return last, unreachable(i.name, because(ctx, err))
}

// read reads a connection until it breaks.
func (i *Intake) read(ctx context.Context, l *line) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = i.panicked(p)
		}
	}()
	switch i.url.Scheme {
	case "rtsp", "rtsps":
		return i.readRTSP(ctx, l)
	default:
		return i.readHTTP(ctx, l)
	}
}

// panicked logs a panic over what came, and returns what users are told of it.
func (i *Intake) panicked(p any) error {
	i.log.Error("reading a live source panicked", "source", i.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return final(codeInternal, nil, "what comes from %q could not be read; the log says why", i.name)
}

// begin has the feed go on with a line that has these tracks, and returns the feed's track of sound, nil where it has none.
// The feed's tracks are those of the first line, its sound only if any of it came.
func (i *Intake) begin(picture matroska.Track, sound *matroska.Track, sounds bool) (*matroska.Track, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.header == nil {
		i.header = []matroska.Track{picture}
		if sounds {
			i.header = append(i.header, *sound)
		}
		close(i.known)
		i.log.Info("live source found", "source", i.name, "codec", picture.Codec, "width", picture.Width, "height", picture.Height, "tracks", len(i.header))
		return i.sound(), nil
	}
	i.figures.Reconnects++
	i.clock.restart()
	if picture.Codec != i.header[0].Codec {
		return nil, final(string(source.CodeChanged), nil, "the picture of %q is of another codec than before", i.name)
	}
	of := i.sound()
	if sound != nil && of != nil && (sound.Codec != of.Codec || !bytes.Equal(sound.CodecPrivate, of.CodecPrivate)) {
		return nil, final(string(source.CodeChanged), nil, "the sound of %q is of another kind than before", i.name)
	}
	return of, nil
}

// sound returns the feed's track of sound, nil for none. The caller holds mu.
func (i *Intake) sound() *matroska.Track {
	if len(i.header) < 2 {
		return nil
	}
	return &i.header[1]
}

// carried says what sound is.
const carried = "AAC, Opus, MPEG audio, AC-3 and E-AC-3 are taken in live."

// mute tells that there is sound and none of it is carried, and why.
func (i *Intake) mute(because string) {
	i.o.Warn(wire.Warning{Code: CodeMute, Sentence: fmt.Sprintf("The sound of %q is left out: %s", i.name, because)})
}

// place puts a unit at its time into the queue.
func (i *Intake) place(when func(*clock) (time.Duration, bool), u unit) {
	i.mu.Lock()
	defer i.mu.Unlock()
	at, ok := when(i.clock)
	if !ok {
		return
	}
	u.at = at
	i.queue.put(u)
}

// write writes the feed. The error is w's, or what ctx or the queue ended with; nil for the source's end.
func (i *Intake) write(ctx context.Context, w io.Writer) error {
	select {
	case <-i.known:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	feed, err := matroska.NewWriter(w, i.header)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	for {
		u, err := i.queue.take(ctx)
		if errors.Is(err, io.EOF) {
			return feed.Close()
		}
		if err != nil {
			return err
		}
		track := 0
		if !u.picture {
			track = 1
		}
		if err := feed.Write(track, u.at, u.key || !u.picture, u.data); err != nil {
			return fmt.Errorf("feed: %w", err)
		}
	}
}
