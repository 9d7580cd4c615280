package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/transcode"
)

// peer is a server that answers as a test wants.
type peer struct {
	t       *testing.T
	answer  func(w http.ResponseWriter, attempt int64)
	told    func(attempt int64) playback.Session
	began   atomic.Int64 // attempts
	bodies  chan []byte
	missing bool // the session is not known
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(auth.TokenHeader) != "the-token-of-a-test" {
		problem.Write(w, r, problem.New(problem.Unauthorized, ""))
		return
	}
	if strings.HasPrefix(r.URL.Path, "/under/v1/sessions/") {
		if p.missing {
			problem.Write(w, r, problem.New(problem.SessionUnknown, ""))
			return
		}
		_ = json.NewEncoder(w).Encode(p.told(p.began.Load())) // a client that has gone is told nothing
		return
	}
	if r.URL.Path != "/under/v1/transcode" || r.Method != http.MethodPut || r.URL.RawQuery != "height=720" {
		p.t.Errorf("%s %s", r.Method, r.URL)
	}
	n := p.began.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	p.bodies <- body
	w.Header().Set(transcode.HeaderSession, "s")
	p.answer(w, n)
}

// broken sends a part of a result.
func broken(w http.ResponseWriter, part string) {
	_, _ = io.WriteString(w, part)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// done is a session that made so many bytes, or failed.
func done(written int64, cause session.Cause, failure problem.Code) playback.Session {
	s := playback.Session{ID: "s", State: session.StateEnded, Cause: cause, Progress: &playback.Progress{Written: written}}
	if failure != "" {
		s.Failure = &playback.Failure{Code: failure, Detail: "It failed."}
	}
	return s
}

// run sends a film to a peer and returns what is in the result's file.
func run(t *testing.T, p *peer) (result string, again []*LostError, err error) {
	t.Helper()
	p.t, p.bodies = t, make(chan []byte, 2*Attempts)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/under/", "the-token-of-a-test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.rest = time.Millisecond
	file, err := os.Create(filepath.Join(t.TempDir(), "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it is read below
	_, err = c.Transcode(t.Context(), Film{
		Source: strings.NewReader("the film"), Size: 8, Query: url.Values{"height": {"720"}}, Result: file,
		Again: func(r Retry) {
			lost := &LostError{}
			if !errors.As(r.Cause, &lost) || r.From != 0 || r.Anew == nil {
				t.Errorf("%+v", r)
			}
			again = append(again, lost)
		},
	})
	data, failed := os.ReadFile(file.Name())
	if failed != nil {
		t.Fatal(failed)
	}
	return string(data), again, err
}

func TestResult(t *testing.T) {
	p := &peer{
		answer: func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, "the result") },
		told:   func(int64) playback.Session { return done(10, session.CauseEOS, "") },
	}
	result, again, err := run(t, p)
	if err != nil || result != "the result" || len(again) > 0 || string(<-p.bodies) != "the film" {
		t.Errorf("%q, %v, %v", result, again, err)
	}
}

// TestLostConnectionIsMadeAnew breaks the first result, of which nothing may be left.
func TestLostConnectionIsMadeAnew(t *testing.T) {
	p := &peer{
		answer: func(w http.ResponseWriter, attempt int64) {
			if attempt == 1 {
				broken(w, "a longer part of another result")
			}
			_, _ = io.WriteString(w, "the result")
		},
		told: func(attempt int64) playback.Session {
			if attempt == 1 {
				return done(31, session.CauseFailed, problem.ClientGone)
			}
			return done(10, session.CauseEOS, "")
		},
	}
	result, again, err := run(t, p)
	if err != nil || result != "the result" || len(again) != 1 || again[0].Received != 31 || again[0].Attempt != 1 {
		t.Errorf("%q, %v, %v", result, again, err)
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		peer     *peer
		code     problem.Code
		attempts int64
	}{
		"a refusal": {&peer{answer: func(w http.ResponseWriter, _ int64) {
			problem.Write(w, httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/", nil), problem.New(problem.Busy, ""))
		}}, problem.Busy, 1},
		"a failure in the midst": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { broken(w, "part") },
			told:   func(int64) playback.Session { return done(4, session.CauseFailed, problem.Damaged) },
		}, problem.Damaged, 1},
		"a failure behind a good end": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, "part") },
			told:   func(int64) playback.Session { return done(4, session.CauseFailed, problem.Damaged) },
		}, problem.Damaged, 1},
		"a result that is too short": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, "part") },
			told:   func(int64) playback.Session { return done(5, session.CauseEOS, "") },
		}, CodeLost, 1},
		"a deleted session": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { broken(w, "part") },
			told:   func(int64) playback.Session { return done(4, session.CauseClient, "") },
		}, problem.SessionEnded, 1},
		"connections that break": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { broken(w, "part") }, missing: true,
		}, CodeLost, Attempts},
		"results with an end of which the server knows nothing": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, "part") }, missing: true,
		}, CodeLost, Attempts},
		"results with an end whose session has none": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, "part") },
			told:   func(int64) playback.Session { return done(4, "", "") },
		}, CodeLost, Attempts},
		"another server": {&peer{
			answer: func(w http.ResponseWriter, _ int64) { http.Error(w, "<h1>Bad Gateway</h1>", http.StatusBadGateway) },
		}, CodeNoServer, 1},
		"a redirect": {&peer{
			answer: func(w http.ResponseWriter, _ int64) {
				w.Header().Set("Location", "/under/v1/sessions/s")
				w.WriteHeader(http.StatusFound)
			},
		}, CodeNoServer, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, again, err := run(t, c.peer)
			e := &Error{}
			if !errors.As(err, &e) || e.Code != c.code || c.peer.began.Load() != c.attempts || int64(len(again)) != c.attempts-1 {
				t.Errorf("%v after %d attempts", err, c.peer.began.Load())
			}
			if strings.Contains(fmt.Sprint(err), "the-token") {
				t.Error("the token is told")
			}
		})
	}
}

// full is a result on a full disk.
type full struct{ io.Writer }

func (full) Seek(int64, int) (int64, error) { return 0, nil }
func (full) Truncate(int64) error           { return nil }

// faulty cannot be written to.
type faulty struct{ err error }

func (f faulty) Write([]byte) (int, error) { return 0, f.err }

// failing is a film that cannot be read.
type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestOwnFaultsAreNoLostConnections(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(done(4, session.CauseEOS, ""))
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // the film may break off
		w.Header().Set(transcode.HeaderSession, "s")
		_, _ = io.WriteString(w, "part")
	}))
	defer server.Close()
	c, err := New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fault := errors.New("no room")
	if _, err := c.Transcode(t.Context(), Film{Source: strings.NewReader("x"), Size: 1, Result: full{faulty{fault}}}); !errors.Is(err, fault) {
		t.Error(err)
	}
	if _, err := c.Transcode(t.Context(), Film{Source: failing{fault}, Size: 1, Result: full{&bytes.Buffer{}}}); !errors.Is(err, fault) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault)
	if _, err := c.Transcode(ctx, Film{Source: strings.NewReader("x"), Size: 1, Result: full{&bytes.Buffer{}}}); !errors.Is(err, fault) {
		t.Error(err)
	}
}

// TestObserve is told of the session while the result comes.
func TestObserve(t *testing.T) {
	seen := make(chan playback.Session, 100)
	p := &peer{told: func(int64) playback.Session { return done(4, session.CauseEOS, "") }}
	p.answer = func(w http.ResponseWriter, _ int64) {
		_ = http.NewResponseController(w).Flush()
		select {
		case <-seen:
		case <-time.After(10 * time.Second):
			t.Error("nothing is told")
		}
		_, _ = io.WriteString(w, "part")
	}
	p.t, p.bodies = t, make(chan []byte, 1)
	server := httptest.NewServer(p)
	defer server.Close()
	c, err := New(server.URL+"/under", "the-token-of-a-test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Transcode(t.Context(), Film{
		Source: strings.NewReader("x"), Size: 1, Query: url.Values{"height": {"720"}}, Result: full{&bytes.Buffer{}},
		Observe: func(s playback.Session) { seen <- s },
	})
	if err != nil {
		t.Error(err)
	}
}
