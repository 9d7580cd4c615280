package source

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var slogDiscard = slog.New(slog.DiscardHandler)

// secret is in every URL and path of the tests, and in no sentence.
const secret = "s3cr3t"

const filmURL = "http://me:" + secret + "@films.test/" + secret + "/film.mkv?token=" + secret

// origin is a server of one film within a bubble of synctest: it listens on pipes,
// so that time is simulated and a goroutine left behind fails the test.
type origin struct {
	film  []byte
	conns chan net.Conn
	ended chan struct{}

	mu    sync.Mutex
	asked []string // guarded by mu: the Range of each request
	open  int      // guarded by mu: connections
	// fault may answer a request, the n-th, from 1 on, itself; guarded by mu.
	fault func(n int, w http.ResponseWriter, r *http.Request) bool
}

// newOrigin serves until the test ends.
func newOrigin(t *testing.T, film []byte) *origin {
	t.Helper()
	o := &origin{film: film, conns: make(chan net.Conn), ended: make(chan struct{})}
	server := &http.Server{Handler: o, ReadHeaderTimeout: time.Hour, ConnState: o.count, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go func() { _ = server.Serve(o) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// Accept, Close and Addr are those of a net.Listener.
func (o *origin) Accept() (net.Conn, error) {
	select {
	case conn := <-o.conns:
		return conn, nil
	case <-o.ended:
		return nil, net.ErrClosed
	}
}

func (o *origin) Close() error {
	close(o.ended)
	return nil
}

func (o *origin) Addr() net.Addr { return &net.UnixAddr{} }

func (o *origin) count(_ net.Conn, state http.ConnState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch state {
	case http.StateNew:
		o.open++
	case http.StateClosed, http.StateHijacked:
		o.open--
	default:
	}
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.asked = append(o.asked, r.Header.Get("Range"))
	n, fault := len(o.asked), o.fault
	o.mu.Unlock()
	w.Header().Set("ETag", `"one"`)
	if fault != nil && fault(n, w, r) {
		return
	}
	http.ServeContent(w, r, "film.mkv", time.Time{}, bytes.NewReader(o.film))
}

// requests returns the Range of each request so far.
func (o *origin) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.asked...)
}

func (o *origin) connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open
}

// client returns a client of the origin for a URL, over pipes.
func (o *origin) client(t *testing.T, from string) *client {
	t.Helper()
	n, err := parse(from)
	if err != nil {
		t.Fatal(err)
	}
	listed := hosts{{name: "films.test"}, {name: "other.test"}}
	limits := DefaultLimits()
	transport := newTransport(listed, limits, nil)
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case o.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{transport: transport, hosts: listed, url: n.url, name: n.public(), limits: limits}
}

// remote opens the film and fetches until the test ends.
func (o *origin) remote(t *testing.T, change ...func(c *client)) *remote {
	t.Helper()
	c := o.client(t, filmURL)
	for _, f := range change {
		f(c)
	}
	r, err := openRemote(t.Context(), c, slogDiscard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		r.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ran
	})
	return r
}

// noise is a film of size bytes, the same each time.
func noise(size int) []byte {
	data, draw := make([]byte, size), rand.New(rand.NewPCG(3, 4))
	for i := range data {
		data[i] = byte(draw.Uint32())
	}
	return data
}

// readAll reads a film from begin to end and compares it.
func readAll(t *testing.T, r *remote, film []byte) error {
	t.Helper()
	p := make([]byte, 100<<10)
	for at := 0; at < len(film); at += len(p) {
		part := p[:min(len(p), len(film)-at)]
		if _, err := r.ReadAtContext(t.Context(), part, int64(at)); err != nil {
			return err
		}
		if !bytes.Equal(part, film[at:at+len(part)]) {
			t.Fatalf("%d bytes at %d are not the film's", len(part), at)
		}
	}
	return nil
}

// redirectTo answers with a redirect.
func redirectTo(location string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
		return true
	}
}

// status answers with a status and headers, name and value in turn.
func status(code int, headers ...string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

// from lets a fault begin with the n-th request.
func from(first int, fault func(int, http.ResponseWriter, *http.Request) bool) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, r *http.Request) bool { return n >= first && fault(n, w, r) }
}

// dropped is a writer that breaks its connection off after some bytes.
type dropped struct {
	http.ResponseWriter
	left int
}

func (d *dropped) Write(b []byte) (int, error) {
	if len(b) > d.left {
		_, _ = d.ResponseWriter.Write(b[:d.left])
		panic(http.ErrAbortHandler)
	}
	d.left -= len(b)
	return d.ResponseWriter.Write(b)
}

// clean fails t when an error shows a secret.
func clean(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), url.QueryEscape(secret)) {
		t.Errorf("%q shows a secret", err)
	}
}
