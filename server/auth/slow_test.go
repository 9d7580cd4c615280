package auth

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tooLong is more than a request may take that goes no further than the Guard.
const tooLong = time.Minute

// slowly has a Guard serve a client that is slow, on a connection without buffers.
func slowly(t *testing.T, client func(conn net.Conn) error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		_, h := guarded(Config{Token: token(t), Origins: []Origin{"https://films.example"}})
		here, there := net.Pipe()
		listener := &single{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		listener.conn <- there
		web := &http.Server{Handler: h, ReadHeaderTimeout: tooLong, Protocols: new(http.Protocols)}
		web.Protocols.SetHTTP1(true)
		web.Protocols.SetUnencryptedHTTP2(true)
		var serving sync.WaitGroup
		serving.Go(func() {
			if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		defer serving.Wait()
		defer func() {
			if err := errors.Join(here.Close(), web.Close()); err != nil {
				t.Error(err)
			}
		}()
		if err := client(here); err != nil {
			t.Error(err)
		}
	})
}

// single is a listener of one connection.
type single struct {
	conn   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (s *single) Accept() (net.Conn, error) {
	select {
	case c := <-s.conn:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *single) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *single) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// TestRefusedBodyIsNotWaitedFor sends the heads of requests that are not let through,
// and never their bodies; and then does not even take the answers.
func TestRefusedBodyIsNotWaitedFor(t *testing.T) {
	for head, status := range map[string]int{
		"DELETE /v1/sessions/a HTTP/1.1\r\n":                       401,
		"GET /v1/sessions/a/media/x/a.m3u8 HTTP/1.1\r\n":           403,
		"POST /nowhere HTTP/1.1\r\n":                               404,
		"PUT /v1/sessions/a HTTP/1.1\r\n":                          405,
		"GET //health HTTP/1.1\r\n":                                307,
		"GET /health HTTP/1.1\r\nOrigin: https://evil.example\r\n": 403,
		"OPTIONS /health HTTP/1.1\r\nOrigin: https://films.example\r\n" + //
			"Access-Control-Request-Method: GET\r\n": 204,
	} {
		request := head + "Host: localhost\r\nContent-Length: 100\r\n\r\n"
		slowly(t, func(conn net.Conn) error {
			_, err := io.WriteString(conn, request)
			err = errors.Join(err, conn.SetReadDeadline(time.Now().Add(tooLong)))
			line, failed := bufio.NewReader(conn).ReadString('\n')
			if err = errors.Join(err, failed); err != nil || !strings.HasPrefix(line, fmt.Sprintf("HTTP/1.1 %d ", status)) {
				return fmt.Errorf("%q: %q, %w", head, line, err)
			}
			return nil
		})
		slowly(t, func(conn net.Conn) error {
			_, err := io.WriteString(conn, request)
			<-time.After(tooLong)
			answer, failed := io.ReadAll(conn)
			if err = errors.Join(err, failed); err != nil || len(answer) > 0 {
				return fmt.Errorf("%q: the server waits for its client: %q, %w", head, answer, err)
			}
			return nil
		})
	}
}

// TestRefusalIsNotHeldUpByHTTP2 asks for what there is not, and lets no byte of the
// answer be sent: the stream must be reset (RFC 9113 §6.9.2).
func TestRefusalIsNotHeldUpByHTTP2(t *testing.T) {
	const (
		headers, reset = 1, 3
		request        = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
			"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x00\x00\x00\x00" + // SETTINGS_INITIAL_WINDOW_SIZE = 0
			"\x00\x00\x0e\x01\x05\x00\x00\x00\x01" + "\x82\x86\x84\x41\x09localhost" // GET http / of localhost
	)
	slowly(t, func(conn net.Conn) error {
		var sent sync.WaitGroup
		sent.Go(func() {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Error(err)
			}
		})
		defer sent.Wait()
		if err := conn.SetReadDeadline(time.Now().Add(tooLong)); err != nil {
			return err
		}
		for head, answered := [9]byte{}, false; ; {
			_, err := io.ReadFull(conn, head[:])
			if err == nil {
				_, err = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:4])>>8))
			}
			switch {
			case err != nil:
				return fmt.Errorf("answered: %t, and then not reset: %w", answered, err)
			case head[3] == headers:
				answered = true
			case head[3] == reset:
				return nil
			}
		}
	})
}
