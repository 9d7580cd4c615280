package transcode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Options are what an Endpoint works with.
type Options struct {
	Desk     *playback.Desk // resolves models, presets and filters
	Sessions *session.Manager
	Workers  Workers
	Sources  *source.Opener

	Queue     int           // transcodes that may wait for room, 0: none
	QueueWait time.Duration // for how long
	BodyIdle  time.Duration // that nothing of a body may come
	ReadIdle  time.Duration // that nothing of a result may be taken

	Spool    string // folder
	SpoolMax int64  // bytes of all bodies that are kept

	Log *slog.Logger
}

// Workers hands out workers; session.Films does.
type Workers interface {
	// Equip returns a worker that has a model, with its costs on this machine, nil
	// where nobody knows. What the worker says goes to h. The caller closes it.
	Equip(ctx context.Context, session string, u wire.Upscale, h session.Handler) (*pool.Worker, *wire.Costs, error)
}

// Endpoint answers requests for transcodes. Make it with New.
type Endpoint struct {
	o      Options
	spool  spool
	places line // for a place among the sessions
	costs  line // for the machine's time
	figures
}

// figures count for Stats.
type figures struct {
	received, sent atomic.Int64
	spooled        atomic.Int64
}

// Stats are figures of an endpoint.
type Stats struct {
	Waiting  int   // transcodes that wait for room
	Received int64 // bytes of bodies, since the beginning
	Sent     int64 // bytes of results, since the beginning
	Spooled  int64 // bodies that were kept, since the beginning
	Spool    int64 // bytes that are kept
}

// New checks the options and makes the folder of the spool. It starts nothing.
func New(o Options) (*Endpoint, error) {
	switch {
	case o.Desk == nil || o.Sessions == nil || o.Workers == nil || o.Sources == nil || o.Log == nil:
		return nil, errors.New("transcode: desk, sessions, workers, sources and log are needed")
	case o.Queue < 0 || min(o.QueueWait, o.BodyIdle, o.ReadIdle) <= 0:
		return nil, errors.New("transcode: waits must be positive")
	case !filepath.IsAbs(o.Spool):
		return nil, fmt.Errorf("transcode: spool: must be an absolute path (got %q)", o.Spool)
	}
	if err := os.MkdirAll(o.Spool, 0o700); err != nil {
		return nil, fmt.Errorf("transcode: spool: %w", err)
	}
	return &Endpoint{
		o: o, spool: spool{folder: o.Spool, most: o.SpoolMax}, places: line{most: o.Queue}, costs: line{most: o.Queue},
	}, nil
}

// Stats returns the figures.
func (e *Endpoint) Stats() Stats {
	return Stats{
		Waiting: e.places.length() + e.costs.length(), Received: e.received.Load(), Sent: e.sent.Load(),
		Spooled: e.spooled.Load(), Spool: e.spool.bytes(),
	}
}

// ServeHTTP implements http.Handler. The request must be one that may do this.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := newAnswer(w, r, e.o.ReadIdle)
	rest, err := e.serve(r, a)
	if err == nil {
		a.end(rest)
		return
	}
	p := Problem(e.o.Sessions.Refuse(err)) // however often it was tried
	e.log(r, p, err)
	if a.begun {
		a.abort(p)
	} else {
		a.refuse(p)
	}
}

// log tells of what no session did.
func (e *Endpoint) log(r *http.Request, p *problem.Problem, err error) {
	kind, _ := problem.KindOf(p.Code)
	level := min(kind.Level(), slog.LevelInfo)
	if left(err) {
		level = slog.LevelDebug
	}
	e.o.Log.Log(r.Context(), level, "transcode refused or broken off", "code", p.Code, "error", p)
}

// serve answers a request as far as it goes well. Rest says that not all of the body
// was read.
func (e *Endpoint) serve(r *http.Request, a *answer) (rest bool, err error) {
	order, err := Parse(r.URL.RawQuery)
	if err != nil {
		return false, err
	}
	body, err := e.body(r, a, &order)
	if err != nil {
		return false, err
	}
	settings, clamped, err := e.o.Desk.Settings(order.Picture)
	if err != nil {
		return false, err
	}
	if len(clamped) > 0 {
		a.w.Header().Set(HeaderClamped, strings.Join(clamped, ", "))
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	t := &transcode{Endpoint: e, order: &order, settings: settings, body: body, answer: a, cancel: cancel, ended: make(chan wire.Ended, 1)}
	a.stalled = func() { cancel(stalledReader(e.o.ReadIdle)) }
	t.all.Go(func() { watchPeer(ctx, r, func() { cancel(errGone) }) })
	defer t.all.Wait()
	defer cancel(nil)
	if err := t.admit(ctx); err != nil {
		return false, t.unless(err)
	}
	return t.live(ctx)
}

// body returns what a request brings, nil where it names a source.
func (e *Endpoint) body(r *http.Request, a *answer, o *Order) (*upload, error) {
	none := r.Body == nil || r.Body == http.NoBody
	h := r.Header
	switch kind, _, _ := strings.Cut(h.Get("Content-Type"), ";"); {
	case o.Source != "" && !none:
		return nil, playback.Faulty(problem.Fault{Where: "query.source", What: "must not be given together with a body"})
	case o.Source != "":
		return nil, nil
	case none:
		return nil, problem.New(problem.SourceEmpty, "there is neither a body nor source=")
	case h.Get("Content-Range") != "":
		return nil, playback.Faulty(problem.Fault{Where: "header.Content-Range", What: "must not be given: a film is sent whole"})
	case h.Get("Content-Encoding") != "" && !strings.EqualFold(h.Get("Content-Encoding"), "identity"):
		return nil, playback.Faulty(problem.Fault{Where: "header.Content-Encoding", What: "must not be given: a film is sent as it is"})
	case strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data"):
		return nil, playback.Faulty(problem.Fault{Where: "header.Content-Type", What: "must not be a form: the film is the body itself (curl -T)"})
	}
	return &upload{body: r.Body, control: a.control, idle: e.o.BodyIdle, size: r.ContentLength}, nil
}
