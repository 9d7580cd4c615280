package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
)

// Options are what the API works with.
type Options struct {
	Desk     *playback.Desk
	Sessions Sessions
	Jobs     *jobs.Queue
	Models   *models.Catalogue
	LUTs     playback.LUTs
	Defaults playback.Defaults
	Hardware func() Hardware
	Ready    func() error // nil, or why the server cannot take a session; quick
	Metrics  http.Handler
	Peers    Peers
	Control  http.Handler // of WebSocket connections to /v1/control
	// Transcode answers requests to /v1/transcode.
	Transcode http.Handler

	MaxBody     int64         // bytes of a request's body
	BodyTimeout time.Duration // for reading it

	Log *slog.Logger
}

// Sessions finds sessions for players.
type Sessions interface {
	// Find returns session.ErrNotFound for one that there is not.
	Find(id string) (session.Entry, error)
	// Get returns session.ErrKind for one that is no playback, too.
	Get(id string) (*session.Session, error)
}

// API answers requests. It must be behind an auth.Guard with Routes.
type API struct {
	o    Options
	huma huma.API
	mux  *http.ServeMux
}

// New returns an API.
func New(o Options) *API {
	a := &API{o: o, mux: http.NewServeMux()}
	config := huma.Config{
		OpenAPI: description(), Formats: huma.DefaultFormats, DefaultFormat: "application/json",
		RejectUnknownQueryParameters: true,
	}
	a.huma = humago.New(a.mux, config)
	a.registerSessions()
	a.registerJobs()
	a.registerFacts()
	a.registerPeers()
	a.mux.HandleFunc("GET "+mediaPath, a.media)
	for _, c := range playout.Containers() {
		a.mux.HandleFunc("GET "+streamPath(c), func(w http.ResponseWriter, r *http.Request) { a.streamed(w, r, c) })
	}
	a.mux.Handle("GET /metrics", o.Metrics)
	a.mux.HandleFunc("GET /openapi.json", a.openAPI)
	a.describeOthers()
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/control" { // handed over as it is: it may live long
		a.o.Control.ServeHTTP(w, r)
		return
	}
	defer a.recover(r)
	w.Header().Set("Cache-Control", "no-store") // answers hold signed URLs, and change by the second
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path == transcodePath { // its body is as long as it likes, and so is its answer
		a.o.Transcode.ServeHTTP(w, r)
		return
	}
	if err := a.takeBody(w, r); err != nil {
		a.fail(r.Context(), w, r, err)
		return
	}
	begun, answer := time.Now(), &bounded{ResponseWriter: w}
	a.mux.ServeHTTP(answer, r)
	a.answered(r, answer, time.Since(begun))
}

// answered logs a request, without its URL, which may hold a capability.
func (a *API) answered(r *http.Request, answer *bounded, took time.Duration) {
	log := a.o.Log
	if answer.failed != nil {
		log = log.With("error", answer.failed)
	}
	log.DebugContext(r.Context(), "request answered", "route", r.Pattern, "session", r.PathValue("id"), "path", r.PathValue("path"),
		"status", answer.status, "bytes", answer.bytes, "took", took)
}

// recover logs the panic of a handler and closes its connection: what was answered
// by then cannot be taken back.
func (a *API) recover(r *http.Request) {
	caught := recover()
	if caught == nil {
		return
	}
	if err, ok := caught.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(caught)
	}
	a.o.Log.ErrorContext(r.Context(), "handler panicked", "route", r.Pattern, "panic", caught)
	panic(http.ErrAbortHandler)
}

// fail answers a request with what an error means, and logs what is behind it.
func (a *API) fail(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	problem.Write(w, r, a.problem(ctx, err))
}

// problem returns what a client is told of an error, and logs it as severely as
// its code says. What was wrong with a request is its sender's to know.
func (a *API) problem(ctx context.Context, err error) *problem.Problem {
	p := playback.Problem(err)
	kind, _ := problem.KindOf(p.Code)
	level := kind.Level()
	if ctx.Err() != nil || p.Code == problem.NotReady { // nobody is told, and that is no fault; probes ask often
		level = slog.LevelDebug
	}
	if level > slog.LevelInfo {
		a.o.Log.Log(ctx, level, "request failed", "code", p.Code, "error", p)
	} else {
		a.o.Log.DebugContext(ctx, "request refused", "code", p.Code, "error", p)
	}
	return p
}
