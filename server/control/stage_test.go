package control

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait on a machine that may be busy.
const patience = 20 * time.Second

const (
	secret = "a-token-for-tests-alone"
	page   = "https://films.example"
)

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// stage is a Server over a Manager of stub workers.
type stage struct {
	t       *testing.T
	server  *Server
	manager *session.Manager
	starter *stubs
	signer  *auth.Signer
	jobs    *jobs.Queue
	listen  net.Listener
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)

	stopSessions, stopControl context.CancelFunc
}

// config is what tests change of a stage.
type config struct {
	Options
	starter session.Starter // nil: stubs
	ttl     time.Duration   // of capabilities
	noToken bool
	models  string // folder of models besides the embedded one
	pipe    bool   // connections are pipes without buffers, for synctest
}

// setUp returns a stage that runs until the test ends, and checks that no
// goroutine is left then.
func setUp(t *testing.T, change ...func(*config)) *stage {
	t.Helper()
	c := config{ttl: time.Hour, Options: Options{
		Version: "1.2.3", Connections: 64, MaxMessage: 64 << 10, Queue: 64,
		AuthTimeout: 5 * time.Second, Ping: 20 * time.Second,
	}}
	for _, f := range change {
		f(&c)
	}
	s := &stage{t: t, starter: &stubs{}, signer: auth.NewSigner(c.ttl)}
	if !c.pipe {
		leaks(t)
	}
	if c.starter == nil {
		c.starter = s.starter
	}
	store, err := cache.New(cache.Options{Folder: t.TempDir() + "/cache", Disk: 1 << 20, Memory: 1 << 20})
	must(t, err)
	manifests, faults, err := models.NewCatalogue(c.models)
	must(t, errors.Join(append(faults, err)...))
	s.manager, err = session.New(session.Options{
		Starter: c.starter, Cache: store, Capacity: session.Capacity{Sessions: 50, CoreMS: 1e6},
		Scale:   func(model string) (int, error) { return playback.Scale(manifests, model) },
		Segment: time.Second, ReadAhead: 24 * time.Second, Idle: time.Minute, Wait: patience,
	})
	must(t, err)
	token, err := auth.ParseToken(secret)
	must(t, err)
	if c.noToken {
		token = auth.Token{}
	}
	origin, err := auth.ParseOrigin(page)
	must(t, err)
	guard := auth.New(auth.Config{
		Token: token, Origins: []auth.Origin{origin}, Capabilities: s.signer,
		Routes: []auth.Route{Route}, Log: slog.New(slog.DiscardHandler),
	})
	luts, err := playback.NewLUTs("testdata")
	must(t, err)
	c.Gate, c.Desk = guard, &playback.Desk{Options: playback.Options{
		Sessions: s.manager, Models: manifests, LUTs: luts, Signer: s.signer,
		Defaults: playback.Defaults{Model: models.Default, Provider: "auto"},
	}}
	s.jobs, err = jobs.New(jobs.Options{
		Path: t.TempDir(), Sources: c.sources(t), Desk: c.Desk, Starter: c.prepares(), Host: jobs.Sessions{Manager: s.manager},
		Concurrency: 1, Yield: true, Max: 100, Keep: 100,
	})
	must(t, err)
	c.Jobs = s.jobs
	s.server, err = New(c.Options)
	must(t, err)
	s.connect(c.pipe)
	s.run(guard.Wrap(s.server), store)
	return s
}

// sources are those of a starter, or of none.
func (c *config) sources(t *testing.T) *source.Opener {
	t.Helper()
	if f, ok := c.starter.(*films); ok {
		return f.Sources
	}
	none, err := source.New(source.Options{Limits: source.DefaultLimits(), Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	return none
}

// prepares returns a starter for jobs: none can begin with stub workers.
func (c *config) prepares() jobs.Starter {
	if f, ok := c.starter.(*films); ok {
		return f
	}
	return session.Films{}
}

// connect opens the way to the server.
func (s *stage) connect(pipe bool) {
	if pipe {
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s.listen, s.dial = p, p.dial
		return
	}
	var err error
	s.listen, err = net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	must(s.t, err)
	s.dial = new(net.Dialer).DialContext
}

// run runs everything until the test ends.
func (s *stage) run(handler http.Handler, store *cache.Cache) {
	sessions, stopSessions := context.WithCancel(context.Background())
	control, stopControl := context.WithCancel(context.Background())
	below, stopBelow := context.WithCancel(context.Background())
	s.stopSessions, s.stopControl = stopSessions, stopControl
	web := &http.Server{Handler: handler, ReadHeaderTimeout: patience}
	var first, second, third sync.WaitGroup
	first.Go(func() { must(s.t, s.manager.Run(sessions)) })
	first.Go(func() { must(s.t, s.jobs.Run(sessions)) })
	second.Go(func() { must(s.t, s.server.Run(control)) })
	third.Go(func() { must(s.t, store.Run(below)) })
	third.Go(func() {
		if err := web.Serve(s.listen); !errors.Is(err, http.ErrServerClosed) {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(func() {
		stopSessions()
		first.Wait()
		stopControl()
		second.Wait()
		if n := s.server.Connections(); n != 0 || len(s.server.conns) != 0 {
			s.t.Errorf("%d connections are left", n)
		}
		for role, n := range s.server.taken {
			if n != 0 {
				s.t.Errorf("%d of a %s are left", n, role)
			}
		}
		stopBelow()
		must(s.t, web.Close())
		third.Wait()
		must(s.t, store.Close())
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// leaks checks that the test leaves no goroutine and no descriptor.
func leaks(t *testing.T) {
	t.Helper()
	descriptors := func() []string {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		var all []string
		for _, e := range entries {
			to, _ := os.Readlink("/proc/self/fd/" + e.Name()) // that of ReadDir itself is gone
			all = append(all, e.Name()+" "+to)
		}
		return all
	}
	goroutines, before := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
			now := descriptors()
			if runtime.NumGoroutine() <= goroutines && len(now) <= len(before) {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines, before %d; descriptors\n%q, before\n%q\n%s",
					runtime.NumGoroutine(), goroutines, now, before, stacks[:runtime.Stack(stacks, true)])
				return
			}
		}
	})
}

// pipes is a listener whose connections have no buffers.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
	case <-ctx.Done():
	}
	return nil, net.ErrClosed
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// asToken is the subprotocol that carries a token.
func asToken(token string) string {
	return "token." + base64.RawURLEncoding.EncodeToString([]byte(token))
}

// answer is how a handshake was answered.
type answer struct {
	status int
	header http.Header
	told   problem.Problem // where it was refused
}

// handshake opens a connection, or tells how that was refused.
func (s *stage) handshake(header http.Header, protocols ...string) (*websocket.Conn, answer, error) {
	s.t.Helper()
	d := websocket.Dialer{NetDialContext: s.dial, Subprotocols: protocols, HandshakeTimeout: patience}
	ws, response, err := d.DialContext(s.t.Context(), "ws://"+s.listen.Addr().String()+Route.Path, header)
	if response == nil {
		return nil, answer{}, err
	}
	defer func() { _ = response.Body.Close() }() // read from memory
	a := answer{status: response.StatusCode, header: response.Header}
	if err != nil {
		must(s.t, json.NewDecoder(response.Body).Decode(&a.told))
	}
	return ws, a, err
}

// client is a connection as a test sees it.
type client struct {
	*websocket.Conn
	t *testing.T
}

// stranger returns a connection without a token.
func (s *stage) stranger() *client {
	s.t.Helper()
	ws, _, err := s.handshake(nil, Protocol)
	must(s.t, err)
	s.t.Cleanup(func() { _ = ws.Close() })
	return &client{ws, s.t}
}

// client returns a connection that is authenticated, whose hello was read.
func (s *stage) client() *client {
	s.t.Helper()
	ws, _, err := s.handshake(nil, Protocol, asToken(secret))
	must(s.t, err)
	s.t.Cleanup(func() { _ = ws.Close() })
	c := &client{ws, s.t}
	c.event(eventHello)
	return c
}

// told is a message of the server.
type told struct {
	ID      json.RawMessage `json:"id"`
	OK      *bool           `json:"ok"`
	Payload json.RawMessage `json:"payload"`
	Error   *failure        `json:"error"`
	Type    string          `json:"type"`
	Session string          `json:"session"`
	Seq     uint64          `json:"seq"`
}

// next returns the next message.
func (c *client) next() told {
	c.t.Helper()
	kind, data, err := c.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		c.t.Fatalf("%d %q %v", kind, data, err)
	}
	var m told
	must(c.t, json.Unmarshal(data, &m))
	return m
}

// event returns the next event of a type and passes over all else.
func (c *client) event(kind string) told {
	c.t.Helper()
	for {
		if m := c.next(); m.Type == kind {
			return m
		}
	}
}

// state returns the next session.state, read.
func (c *client) state() playback.Session { return payload[playback.Session](c.t, c.event(eventState)) }

func (c *client) send(text string) {
	c.t.Helper()
	must(c.t, c.WriteMessage(websocket.TextMessage, []byte(text)))
}

// ask sends a request and returns its reply, passing over events.
func (c *client) ask(kind, payload string) told {
	c.t.Helper()
	c.send(`{"id":"` + kind + `","type":"` + kind + `","payload":` + payload + `}`)
	for {
		if m := c.next(); m.OK != nil && string(m.ID) == `"`+kind+`"` {
			return m
		}
	}
}

// refused checks that a request is refused with a code, and returns the sentence.
func (c *client) refused(code, kind, payload string) string {
	c.t.Helper()
	m := c.ask(kind, payload)
	if *m.OK || m.Error == nil || string(m.Error.Code) != code {
		c.t.Fatalf("%s %s: %+v %+v", kind, payload, m, m.Error)
	}
	return m.Error.Message
}

// create begins a session and returns its id.
func (c *client) create() string {
	c.t.Helper()
	return payload[playback.Session](c.t, c.ask("session.create", `{"source":"films/a.mkv"}`)).ID
}

// closed checks that the server closes with a code, passing over messages, and
// returns how many there were.
func (c *client) closed(code int) (messages int) {
	c.t.Helper()
	for {
		_, data, err := c.ReadMessage()
		var said *websocket.CloseError
		if errors.As(err, &said) {
			if said.Code != code || said.Text == "" && code != websocket.CloseMessageTooBig {
				c.t.Errorf("closed with %d %q, want %d", said.Code, said.Text, code)
			}
			return messages
		}
		if err != nil {
			c.t.Fatalf("%v, want code %d", err, code)
		}
		if messages++; len(data) == 0 {
			c.t.Error("empty message")
		}
	}
}

// payload reads what a message holds.
func payload[T any](t *testing.T, m told) T {
	t.Helper()
	var p T
	if m.Error != nil {
		t.Fatalf("%+v", m.Error)
	}
	must(t, json.Unmarshal(m.Payload, &p))
	return p
}

// stubs starts workers that make nothing.
type stubs struct {
	mu      sync.Mutex
	workers []*stub // guarded by mu
	hang    bool    // Start waits until it is called off
}

func (s *stubs) Start(ctx context.Context, source string, _ session.Job, handler session.Handler) (session.Worker, wire.Opened, error) {
	if s.hang {
		<-ctx.Done()
		return nil, wire.Opened{}, context.Cause(ctx)
	}
	if strings.Contains(source, "missing") {
		return nil, wire.Opened{}, &wire.Error{Code: "source_not_found", Sentence: "There is no such film."}
	}
	w := &stub{handler: handler}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers = append(s.workers, w)
	return w, wire.Opened{
		Container: "stub", Duration: time.Hour, Segment: wire.Segment{Ticks: 5000, Frames: 5},
		Video: wire.VideoInfo{
			TimeScale: 5000, Rate: [2]int{5, 1}, SourceSize: [2]int{32, 24}, Size: [2]int{64, 48}, Aspect: [2]int{1, 1}, Scale: 2, Codec: "stub",
		},
		Cost: wire.Cost{CoreMS: 1},
	}, nil
}

// last returns the worker that was started last.
func (s *stubs) last() *stub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workers[len(s.workers)-1]
}

// stub is a worker that makes nothing.
type stub struct {
	handler session.Handler
	mu      sync.Mutex
	sets    []wire.Set    // guarded by mu
	gate    chan struct{} // when it is there, Set takes one from it first
	panics  bool          // Set panics
}

func (*stub) Play(context.Context, wire.Play) error { return nil }
func (*stub) Limit(uint32, int) error               { return nil }
func (*stub) Halt(uint32) error                     { return nil }

func (w *stub) Set(ctx context.Context, s wire.Set) error {
	if w.panics {
		panic("a fault of ours")
	}
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sets = append(w.sets, s)
	return nil
}

func (w *stub) Close(context.Context) error {
	w.handler.Gone(nil)
	return nil
}
