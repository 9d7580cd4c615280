package transcode

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// oneListener accepts one connection.
type oneListener struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l oneListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l oneListener) Close() error   { close(l.ended); return nil }
func (l oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// exchange has a client do a request, with a body, over a connection in memory, and
// calls with with the answer. Its handler does its part meanwhile. All of it is to be in
// a bubble.
func exchange(t *testing.T, major int, body io.Reader, handler http.HandlerFunc, with func(*http.Response, error)) {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(major == 1)
	protocols.SetUnencryptedHTTP2(major == 2)
	theirs, ours := net.Pipe()
	listener := oneListener{make(chan net.Conn, 1), make(chan struct{})}
	listener.conns <- theirs
	over := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		handler(w, r)
	}), Protocols: protocols, ReadHeaderTimeout: time.Hour}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost/", body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.RoundTrip(r)
	with(answer, err)
	if answer != nil {
		_ = answer.Body.Close() // it may be broken
	}
	client.CloseIdleConnections()
	_ = ours.Close() // it is the end either way
	<-over
	_ = server.Close() // likewise
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
