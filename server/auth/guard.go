package auth

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/upscaled-media/upscaled/server/problem"
)

// The wildcards of a route's path that mean something here.
const (
	SessionWildcard    = "id"
	CapabilityWildcard = "capability"
)

// Route is a line of the table of what there is and who may use it.
type Route struct {
	Method string // "" for all; GET stands for HEAD, too
	// Path is as http.ServeMux has it. {id} is the id of a session, or of a ticket
	// where a Sender is needed, and {capability} a capability of it, which then counts
	// in place of the token.
	Path  string
	Needs Role
}

// Config is what a Guard is made of.
type Config struct {
	Token        Token // the zero Token admits whoever speaks to a loopback name
	Origins      []Origin
	Proxies      []netip.Prefix // whose X-Forwarded-For is believed
	Capabilities *Signer
	Routes       []Route
	Log          *slog.Logger
}

// Guard lets requests through to a handler, as its routes say.
type Guard struct {
	config Config
	tries  tries
}

// New returns a Guard. Routes that contradict each other panic, as they do in an
// http.ServeMux.
func New(c Config) *Guard {
	g := &Guard{config: c}
	g.Wrap(http.NotFoundHandler())
	return g
}

// Wrap returns a handler that passes on to next what the table allows, with the
// principal in its context, and answers everything else with a problem.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, route := range g.config.Routes {
		mux.Handle(strings.TrimSpace(route.Method+" "+route.Path), line{g.Require(route.Needs, next)})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		foreign, allowed := pageOf(r, g.config.Origins)
		if !allowed {
			problem.Write(w, r, problem.New(problem.OriginRefused, ""))
			return
		}
		if foreign != "" {
			allowPage(w.Header(), foreign)
		}
		if isPreflight(r) {
			answerPreflight(w)
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			g.refuse(w, r, handler)
			return
		}
		if _, ours := handler.(line); !ours { // a redirect to the path as it should be
			problem.Bound(w)
		}
		mux.ServeHTTP(w, r)
	})
}

// line is the handler of a line of the table, and none of the mux's own.
type line struct{ http.Handler }

// Require returns a handler that passes on to next what a principal with a role
// sends, and answers other requests with a problem.
func (g *Guard) Require(need Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := g.identify(r, need)
		if err == nil && !p.May(need, r.PathValue(SessionWildcard)) {
			err = g.denied(p)
		}
		if err != nil {
			problem.Write(w, r, problem.From(err))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, p)))
	})
}

// Admit returns who sends a token on a connection that a request has opened. The
// error is a problem.
func (g *Guard) Admit(r *http.Request, token string) (Principal, error) {
	if !g.config.Token.IsSet() {
		return g.local(r), nil
	}
	addr := remote(r, g.config.Proxies)
	ok, wait := g.tries.attempt(addr, func() bool { return g.config.Token.Matches(token) })
	switch {
	case ok:
		return Principal{Role: Admin}, nil
	case wait > 0:
		return Principal{}, problem.New(problem.RateLimited, "").Later(wait)
	}
	g.config.Log.WarnContext(r.Context(), "wrong token", "remote", addr)
	return Principal{}, problem.New(problem.Unauthorized, "the token is wrong")
}

// AllowsPage reports whether a request comes from no page, or from one that may use
// the server. Wrap has asked before it lets a request through; a WebSocket's
// handshake, which no browser guards, is asked about twice.
func (g *Guard) AllowsPage(r *http.Request) bool {
	_, allowed := pageOf(r, g.config.Origins)
	return allowed
}

// Remote returns the address that a request comes from, for logs.
func (g *Guard) Remote(r *http.Request) netip.Addr { return remote(r, g.config.Proxies) }

// identify returns who sent a request to a route that needs a role. The error is a
// problem.
func (g *Guard) identify(r *http.Request, need Role) (Principal, error) {
	id, capability := r.PathValue(SessionWildcard), r.PathValue(CapabilityWildcard)
	switch {
	case capability != "" && need == Sender:
		return Principal{Role: Sender}, refusal(g.config.Capabilities.VerifyTicket(id, capability))
	case capability != "":
		return g.AdmitViewer(id, capability)
	}
	if !g.config.Token.IsSet() {
		return g.local(r), nil
	}
	token, found := presented(r)
	if !found {
		return Principal{Role: Public}, nil
	}
	return g.Admit(r, token)
}

// AdmitViewer returns who holds a capability of a session. The error is a problem.
func (g *Guard) AdmitViewer(session, capability string) (Principal, error) {
	if err := g.config.Capabilities.Verify(session, capability); err != nil {
		return Principal{}, refusal(err)
	}
	return Principal{Role: Viewer, Session: session}, nil
}

// refusal returns what is told of a Signer's error.
func refusal(err error) error {
	switch {
	case errors.Is(err, ErrExpired):
		return problem.New(problem.CapabilityExpired, "")
	case err != nil:
		return problem.New(problem.CapabilityInvalid, "")
	}
	return nil
}

// local returns who speaks to a server without a token. The name that a request
// was sent to must be one that only this machine has: the server listens on
// loopback alone, but a page of a stranger may have its own name resolved to
// that, and would then be of the same origin.
func (g *Guard) local(r *http.Request) Principal {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback() {
		return Principal{Role: Admin}
	}
	return Principal{Role: Public}
}

// denied says why a principal may not.
func (g *Guard) denied(p Principal) error {
	switch {
	case p.Role == Public && g.config.Token.IsSet():
		return problem.New(problem.Unauthorized, "")
	case p.Role == Public:
		return problem.New(problem.Forbidden, "without a token the server answers on loopback names only, such as localhost; set auth.token")
	}
	return problem.New(problem.Forbidden, "")
}

// refuse answers what no route has. The mux's own answer says whether only the
// method is wrong, and which would be right.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, mux http.Handler) {
	answer := &head{header: http.Header{}}
	mux.ServeHTTP(answer, r)
	if answer.status != http.StatusMethodNotAllowed {
		problem.Write(w, r, problem.New(problem.NotFound, ""))
		return
	}
	allow := answer.header.Get("Allow")
	w.Header().Set("Allow", allow)
	problem.Write(w, r, problem.New(problem.MethodNotAllowed, "allowed here: %s", allow))
}

// head keeps the head of an answer and drops its body.
type head struct {
	header http.Header
	status int
}

func (h *head) Header() http.Header         { return h.header }
func (h *head) WriteHeader(status int)      { h.status = status }
func (h *head) Write(b []byte) (int, error) { return len(b), nil }
