package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// Route is where the WebSocket is. Its guard lets everybody in who has no token
// yet, and tells the others apart.
var Route = auth.Route{Method: http.MethodGet, Path: "/v1/control", Needs: auth.Handshake}

// Gate tells who a client is; *auth.Guard is one. Errors are problems.
type Gate interface {
	// Admit returns who has a token, on a connection that r has opened.
	Admit(r *http.Request, token string) (auth.Principal, error)
	// AdmitViewer returns who has a capability of a session.
	AdmitViewer(session, capability string) (auth.Principal, error)
	// AllowsPage reports whether a request comes from no page, or from one that may
	// use the server.
	AllowsPage(r *http.Request) bool
}

// Options are what a Server works with.
type Options struct {
	Desk    *playback.Desk
	Jobs    *jobs.Queue
	Gate    Gate
	Version string // of the server, for clients to know

	Connections int           // that may be open at once, 1 or more
	MaxMessage  int64         // bytes
	Queue       int           // messages that may wait for a client, 1 or more
	AuthTimeout time.Duration // for a token to come
	Ping        time.Duration // between two pings

	Log *slog.Logger // nil: none
}

// Server has the connections of /v1/control. Make it with New and Run it.
type Server struct {
	options  Options
	upgrader websocket.Upgrader
	requests map[string]message

	mu       sync.Mutex
	conns    map[*conn]bool    // guarded by mu, as all that follows
	open     int               // connections, also those whose handshake goes on
	taken    map[auth.Role]int // those of them of each role; Public: nobody vouched for them yet
	notice   *Notice           // that holds for those who come later, too
	draining bool
	all      sync.WaitGroup // of open; nothing is added when draining
}

// New returns a Server without connections.
func New(o Options) (*Server, error) {
	switch {
	case o.Desk == nil || o.Gate == nil || o.Jobs == nil:
		return nil, errors.New("control: desk, jobs and gate are needed")
	case o.Connections < 1 || o.Queue < 1 || o.MaxMessage < 1:
		return nil, fmt.Errorf("control: %d connections with queues of %d and messages of %d bytes", o.Connections, o.Queue, o.MaxMessage)
	case min(o.AuthTimeout, o.Ping) <= 0:
		return nil, errors.New("control: durations must be positive")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{options: o, requests: requests(), conns: map[*conn]bool{}, taken: map[auth.Role]int{}}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeWait,
		Subprotocols:     []string{Protocol},
		CheckOrigin:      o.Gate.AllowsPage,
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			code := problem.BadRequest
			if status == http.StatusForbidden {
				code = problem.OriginRefused
			}
			problem.Write(w, r, problem.New(code, "%s", strings.TrimPrefix(reason.Error(), "websocket: ")))
		},
	}
	return s, nil
}

// Run waits until ctx ends, tells the clients, closes their connections when they
// have what waits for them, and returns when the last one is closed. End the
// sessions before, and clients are told how those ended.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	told := s.notice != nil
	s.mu.Unlock()
	if !told {
		s.Announce(Notice{Code: NoticeShutdown, Message: "The server is ending."})
	}
	s.mu.Lock()
	s.draining = true
	for c := range s.conns {
		c.end(errShutdown)
	}
	s.mu.Unlock()
	s.all.Wait()
	return nil
}

// Notice is what all clients should know of the server.
type Notice struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Seconds float64 `json:"seconds,omitempty"` // until it happens
}

// NoticeShutdown is the code of the notice that the server takes no more sessions
// and ends those that run.
const NoticeShutdown = "shutting_down"

// Announce tells something to all clients, those who come later too.
func (s *Server) Announce(n Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notice = &n
	for c := range s.conns {
		if c.known.Load() {
			c.sendNow(event{Type: eventNotice, Payload: n})
		}
	}
}

// Connections returns how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// ServeHTTP makes a request a connection and returns when that has ended.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := offered(r); err != nil {
		problem.Write(w, r, problem.From(err))
		return
	}
	who := auth.Of(r.Context())
	if err := s.enter(who.Role); err != nil {
		problem.Write(w, r, problem.From(err))
		return
	}
	c := &conn{server: s, request: r, share: who.Role, out: newOutbox(s.options.Queue), tails: map[string]chan struct{}{}}
	c.log = s.options.Log
	defer s.leave(c)
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	c.ws = ws
	c.run(r.Context(), who)
}

// offered checks that a client offers the version that is spoken here. It is
// refused otherwise: were no subprotocol chosen, a program might take another
// version's words for ours.
func offered(r *http.Request) error {
	var versions []string
	for _, p := range websocket.Subprotocols(r) {
		if p == Protocol {
			return nil
		}
		if !strings.HasPrefix(p, "token.") { // which is a secret
			versions = append(versions, p)
		}
	}
	if !websocket.IsWebSocketUpgrade(r) {
		return problem.New(problem.BadRequest, "this is a WebSocket: connect to it with one, and offer the subprotocol %s", Protocol)
	}
	if len(versions) == 0 {
		return problem.New(problem.VersionUnsupported, "offer the subprotocol %s", Protocol)
	}
	return problem.New(problem.VersionUnsupported, "the server speaks %s, and the client offers %.128q", Protocol, strings.Join(versions, ", "))
}

// room returns how many connections may be of a role. Strangers have a quarter and
// viewers half, so that neither keep anybody out who has a token, and viewers nobody
// who is about to show one.
func (s *Server) room(role auth.Role) int {
	switch all := s.options.Connections; role {
	case auth.Admin:
		return all
	case auth.Viewer:
		return max(1, all/2)
	default:
		return max(1, all/4)
	}
}

// enter finds room for a connection.
func (s *Server) enter(role auth.Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return problem.New(problem.ShuttingDown, "")
	case s.open >= s.options.Connections, s.taken[role] >= s.room(role):
		return problem.New(problem.TooManyConnections, "")
	}
	s.open++
	s.taken[role]++
	s.all.Add(1)
	return nil
}

// leave gives the room back.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.open--
	s.taken[c.share]--
	s.all.Done()
}

// vouch counts a connection as one whose client is known, where there is room for
// those of his role.
func (s *Server) vouch(c *conn, role auth.Role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[role] >= s.room(role) {
		return problem.New(problem.TooManyConnections, "")
	}
	s.taken[c.share]--
	s.taken[role]++
	c.share = role
	return nil
}

// join has a connection ended with the server.
func (s *Server) join(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if s.draining {
		c.end(errShutdown)
	}
}

// welcome tells a client that it is known, and what it missed.
func (s *Server) welcome(c *conn, h hello) {
	s.mu.Lock() // so that no notice comes before, and none is missed
	defer s.mu.Unlock()
	c.sendNow(event{Type: eventHello, Payload: h})
	c.known.Store(true)
	if s.notice != nil {
		c.sendNow(event{Type: eventNotice, Payload: *s.notice})
	}
}
