package session

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// quiet is how long a warning is not told again; trouble of single frames would
	// otherwise fill the queues of subscribers.
	quiet = 10 * time.Second
	// maxWarned bounds the codes that are remembered for that, and told at all; there are a dozen.
	maxWarned = 100
	// What workers say is cut to so many bytes: codes are keys of maps and labels of metrics, and sentences go to each
	// subscriber and the log.
	maxCode     = 64
	maxSentence = 1 << 10
)

// Kind says what a session makes.
type Kind string

// The kinds.
const (
	KindPlayback  Kind = "playback"  // segments of a film, as a player asks for them
	KindTranscode Kind = "transcode" // one stream of another
	KindLive      Kind = "live"      // what comes, as it comes
	KindJob       Kind = "job"       // a file of another
)

// About says what a session is.
type About struct {
	Kind     Kind
	Owner    string // who may see it; not told to a worker
	Source   string // as clients name it
	Settings Settings
}

// Entry is a session of any kind, as the Manager lists it.
type Entry interface {
	ID() string
	Owner() string
	Kind() Kind
	State() State
	Created() time.Time
	Snapshot() Snapshot
	// End has the session end; only the first cause counts.
	End(cause Cause)
	// Ended is closed when nothing is left of the session but its Snapshot.
	Ended() <-chan struct{}
	finishedAt() time.Time
}

// Life is what every session has, whatever it makes: a name and a place in the
// ledger, states, a cause of its end, figures and events. Its methods may be called
// by any goroutine.
type Life struct {
	id      string
	about   About
	created time.Time
	hub     *hub
	hooks   Hooks
	log     *slog.Logger
	memory  int64 // bytes that the worker may have, 0: any
	ticket  *ticket

	ending chan struct{} // closed with StateEnding
	ended  chan struct{} // closed with StateEnded

	mu       sync.Mutex
	view     func() Snapshot // guarded by mu, as all that follows, and called with it; nil: that of Life alone
	film     *wire.Opened    // nil: nobody knows of the session
	state    State
	cause    Cause
	failure  *wire.Error
	finished time.Time // when it ended
	settings Settings
	meter    meter
	progress *Progress            // replaced, never changed; nil before the first
	seq      uint64               // of events
	warned   map[string]time.Time // when the client was warned, by code
}

// Progress is how far a session is that makes something from begin to end.
type Progress struct {
	Position time.Duration // of the film that is made
	Duration time.Duration // of what is to be made, 0: not known
	Left     time.Duration // until it is made as it looks now, 0: not known
	Decoded  int64         // frames
	Upscaled int64
	Plain    int64 // that no model made
	Encoded  int64
	Read     int64 // bytes of the source, 0: not counted
	Written  int64 // bytes of the result
	// Behind is how far what is made of a live stream lies behind what came of it.
	Behind time.Duration
}

// Estimate returns how long the rest takes, as it looks after so much time of work.
func (p *Progress) Estimate(worked time.Duration) time.Duration {
	if p.Position <= 0 || p.Duration <= p.Position {
		return 0
	}
	return time.Duration(float64(worked) * float64(p.Duration-p.Position) / float64(p.Position))
}

// ID returns the session's name: 128 random bits in base32.
func (l *Life) ID() string { return l.id }

// Owner returns whose session it is.
func (l *Life) Owner() string { return l.about.Owner }

// Kind returns what the session makes.
func (l *Life) Kind() Kind { return l.about.Kind }

// Log returns what the session is logged with.
func (l *Life) Log() *slog.Logger { return l.log }

// Created returns when the session began.
func (l *Life) Created() time.Time { return l.created }

// State returns where the session is in its life.
func (l *Life) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// finishedAt returns when the session ended, zero before.
func (l *Life) finishedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finished
}

// Err returns nil while the session goes on, otherwise how it ended.
func (l *Life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over()
}

// over is Err for a caller that holds mu.
func (l *Life) over() error {
	if l.state.over() {
		return &EndedError{Cause: l.cause, Failure: l.failure}
	}
	return nil
}

// Book takes what the session costs, in place of what it had. The error is a
// RefusedError, after which it has what it had.
func (l *Life) Book(cost wire.Cost) error { return l.ticket.book(cost, time.Now()) }

// Expect tells when the session will end, as it looks now.
func (l *Life) Expect(end time.Time) { l.ticket.expect(end) }

// Describe tells the client of the film and the plan.
func (l *Life) Describe(film wire.Opened) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.film = &film
	l.tell()
}

// Playing says that something of the result is there.
func (l *Life) Playing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shift(StatePlaying)
}

// Paused says that nothing is made until Playing.
func (l *Life) Paused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shift(StatePaused)
}

// Changed says how the picture is made from now on.
func (l *Life) Changed(settings Settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings = settings
	l.tell()
}

// End has the session end; only the first cause counts. Ended tells when it has.
func (l *Life) End(cause Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(cause, nil)
}

// Fail ends the session for a failure: what err says of itself as a *wire.Error or
// a *pool.GoneError, or else one with the given code.
func (l *Life) Fail(err error, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(failure(err, code))
}

// end moves the session to its end. Whoever waits for something is told at once.
// The caller holds mu.
func (l *Life) end(cause Cause, failure *wire.Error) {
	if l.state.over() {
		return
	}
	l.cause, l.failure = cause, failure
	l.shift(StateEnding)
	close(l.ending)
}

// fail ends the session for a failure. The caller holds mu.
func (l *Life) fail(failure *wire.Error) { l.end(CauseFailed, failure) }

// Ending is closed when the session is to end: whoever runs it stops all and calls
// Conclude.
func (l *Life) Ending() <-chan struct{} { return l.ending }

// Ended is closed when nothing is left of the session but what Snapshot tells.
func (l *Life) Ended() <-chan struct{} { return l.ended }

// shift moves the session to a state that follows the one it is in. The caller
// holds mu.
func (l *Life) shift(to State) {
	if l.state.follows(to) {
		l.state = to
		l.tell()
	}
}

// Conclude makes the session one that was, and gives its place back. Its worker is
// gone. A session that was not to end is ended by its client.
func (l *Life) Conclude() {
	l.ticket.release()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(CauseClient, nil)
	l.conclude()
}

// conclude is Conclude for a caller that holds mu and has given the place back.
func (l *Life) conclude() {
	if l.state == StateEnded {
		return
	}
	l.finished = time.Now()
	l.shift(StateEnded)
	close(l.ended)
	code := ""
	if l.failure != nil {
		code = l.failure.Code
	}
	l.hooks.Ended(l.cause, code)
	attrs := []any{"kind", l.about.Kind, "cause", l.cause, "lasted", l.finished.Sub(l.created).Round(time.Millisecond), "encoded", l.meter.stats.Encoded}
	if l.failure != nil {
		attrs = append(attrs, "code", l.failure.Code, "sentence", l.failure.Sentence, "detail", l.failure.Detail)
	}
	l.log.Info("session ended", attrs...)
}

// Snapshot returns the session as it is now.
func (l *Life) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshot()
}

// snapshot is Snapshot for a caller that holds mu.
func (l *Life) snapshot() Snapshot {
	if l.view != nil {
		return l.view()
	}
	return l.common()
}

// common returns what is known of every session. The caller holds mu.
func (l *Life) common() Snapshot {
	shot := Snapshot{
		ID: l.id, Kind: l.about.Kind, Owner: l.about.Owner, Source: l.about.Source, State: l.state,
		Cause: l.cause, Failure: l.failure, Created: l.created, Ended: l.finished, Film: *l.film, Settings: l.settings, Seq: l.seq,
	}
	shot.Progress = l.progress
	if l.meter.known {
		stats := l.meter.stats
		stats.Runs = slices.Clone(stats.Runs)
		shot.Stats = &stats
	}
	return shot
}

// tell publishes the state. The caller holds mu.
func (l *Life) tell() {
	if l.film == nil { // nobody knows of it
		return
	}
	shot := l.snapshot()
	l.publish(Event{State: &shot})
}

// Progress tells how far the session is, which is told on with its stats.
func (l *Life) Progress(p Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = &p
}

// Warn tells the client something that ends nothing, what it was told a moment ago
// not again.
func (l *Life) Warn(w wire.Warning) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warn(w)
}

// warn is Warn for a caller that holds mu.
func (l *Life) warn(w wire.Warning) {
	w.Code, w.Sentence = cut(w.Code, maxCode), cut(w.Sentence, maxSentence)
	now := time.Now()
	if told, known := l.warned[w.Code]; known && now.Sub(told) < quiet || !known && len(l.warned) == maxWarned {
		return
	}
	l.warned[w.Code] = now
	l.log.Warn("session warning", "code", w.Code, "sentence", w.Sentence)
	l.publish(Event{Warning: &w})
}

// cut returns at most n bytes of a text.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") // labels and JSON take nothing else
}

func (l *Life) publish(e Event) {
	l.seq++
	e.Session, e.Owner, e.Seq = l.id, l.about.Owner, l.seq
	if e.State != nil {
		e.State.Seq = l.seq
	}
	l.hub.publish(e)
}
