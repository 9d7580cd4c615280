package auth

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// routes is a table with a line for each role, and two that are alike.
var routes = []Route{
	{"GET", "/health", Public},
	{"GET", "/v1/control", Handshake},
	{"GET", "/v1/sessions/{id}", Admin},
	{"DELETE", "/v1/sessions/{id}", Admin},
	{"GET", "/v1/sessions/{id}/media/{capability}/{file...}", Viewer},
	{"POST", "/v1/whip/{id}/{capability}", Sender},
}

// guarded returns a guard and its handler around one that answers 200 with the
// principal's role.
func guarded(c Config) (*Guard, http.Handler) {
	c.Routes, c.Log = routes, slog.New(slog.DiscardHandler)
	if c.Capabilities == nil {
		c.Capabilities = NewSigner(time.Hour)
	}
	g := New(c)
	return g, g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, string(Of(r.Context()).Role))
	}))
}

// ask returns the status of an answer and its role or code.
func ask(h http.Handler, method, target string, header http.Header) (status int, word string, answered http.Header) {
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var p struct{ Code string }
	if json.Unmarshal(w.Body.Bytes(), &p) == nil {
		return w.Code, p.Code, w.Header()
	}
	return w.Code, w.Body.String(), w.Header()
}

func TestEveryRouteForEveryRole(t *testing.T) {
	signer, stale := NewSigner(time.Hour), NewSigner(-time.Second)
	stale.key = signer.key
	_, h := guarded(Config{Token: token(t), Capabilities: signer})
	good, _ := signer.Sign("a")
	expired, _ := stale.Sign("a")
	admin, bad := http.Header{"X-Api-Token": {secret}}, http.Header{"X-Api-Token": {"wrong"}}
	for _, c := range []struct {
		target string
		header http.Header
		status int
		word   string
	}{
		{"/health", nil, 200, "public"},
		{"/health", admin, 200, "admin"},
		{"/v1/control", nil, 200, "public"},
		{"/v1/control", admin, 200, "admin"},
		{"/v1/control", bad, 401, "unauthorized"},
		{"/v1/sessions/a", nil, 401, "unauthorized"},
		{"/v1/sessions/a", bad, 401, "unauthorized"},
		{"/v1/sessions/a", admin, 200, "admin"},
		{"/v1/sessions/a/media/" + good + "/x.m3u8", nil, 200, "viewer"},
		{"/v1/sessions/a/media/" + good + "/x.m3u8", admin, 200, "viewer"},
		{"/v1/sessions/b/media/" + good + "/x.m3u8", nil, 403, "capability_invalid"},
		{"/v1/sessions/a/media/" + expired + "/x.m3u8", nil, 403, "capability_expired"},
		{"/v1/sessions/a/media/" + expired + "/x.m3u8", admin, 403, "capability_expired"},
		{"/v1/sessions/a/media/x/x.m3u8", nil, 403, "capability_invalid"},
		{"/v1/sessions/a/media", nil, 404, "not_found"},
		{"/v1/sessions", admin, 404, "not_found"},
		{"/", nil, 404, "not_found"},
	} {
		if status, word, _ := ask(h, http.MethodGet, c.target, c.header); status != c.status || word != c.word {
			t.Errorf("%s with %v: %d %s, want %d %s", c.target, c.header, status, word, c.status, c.word)
		}
	}
}

// TestTheTableIsTheOnlyDoor holds each route to its role: with less it must be shut.
func TestTheTableIsTheOnlyDoor(t *testing.T) {
	principals := []Principal{{}, {Role: Public}, {Role: Viewer, Session: "a"}, {Role: Viewer, Session: "b"}, {Role: Viewer}, {Role: Sender}, {Role: Admin}}
	for need, may := range map[Role][]bool{
		Public:    {false, true, true, true, true, true, true},
		Handshake: {false, true, true, true, true, true, true},
		Viewer:    {false, false, true, false, false, false, true},
		Sender:    {false, false, false, false, false, true, true},
		Admin:     {false, false, false, false, false, false, true},
		"typo":    {false, false, false, false, false, false, false},
	} {
		for i, p := range principals {
			if got := p.May(need, "a"); got != may[i] {
				t.Errorf("%+v may do what needs %s: %v", p, need, got)
			}
		}
	}
	if (Principal{Role: Viewer}).May(Viewer, "") {
		t.Error("a viewer of nothing may watch nothing in particular")
	}
}

// TestNoCapabilityIsTakenForAnother asks with the capability of a session where
// that of a ticket is needed, and the other way round, both of one name.
func TestNoCapabilityIsTakenForAnother(t *testing.T) {
	signer, stale := NewSigner(time.Hour), NewSigner(-time.Second)
	stale.key = signer.key
	g, h := guarded(Config{Token: token(t), Capabilities: signer})
	capability, _ := signer.Sign("a")
	ticket, _ := signer.SignTicket("a")
	expired, _ := stale.SignTicket("a")
	for _, c := range []struct {
		method, target string
		status         int
		word           string
	}{
		{"POST", "/v1/whip/a/" + ticket, 200, "sender"},
		{"POST", "/v1/whip/b/" + ticket, 403, "capability_invalid"},
		{"POST", "/v1/whip/a/" + capability, 403, "capability_invalid"},
		{"POST", "/v1/whip/a/" + expired, 403, "capability_expired"},
		{"GET", "/v1/sessions/a/media/" + ticket + "/x.m3u8", 403, "capability_invalid"},
	} {
		if status, word, _ := ask(h, c.method, c.target, nil); status != c.status || word != c.word {
			t.Errorf("%s: %d %s, want %d %s", c.target, status, word, c.status, c.word)
		}
	}
	if p, err := g.AdmitViewer("a", ticket); problem.From(err).Code != problem.CapabilityInvalid {
		t.Errorf("who has a ticket is a viewer: %+v, %v", p, err)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	_, h := guarded(Config{Token: token(t)})
	status, word, header := ask(h, http.MethodPut, "/v1/sessions/a", nil)
	if status != 405 || word != "method_not_allowed" || header.Get("Allow") != "DELETE, GET, HEAD" {
		t.Errorf("%d %s, allowed %q", status, word, header.Get("Allow"))
	}
}

func TestWithoutATokenOnlyLoopbackNamesAreAnswered(t *testing.T) {
	_, h := guarded(Config{})
	for host, want := range map[string]int{
		"localhost:7890": 200, "LOCALHOST": 200, "127.0.0.1:7890": 200, "127.0.0.2": 200, "[::1]:7890": 200, "[::1]": 200,
		"films.example:7890": 403, "localhost.films.example": 403, "192.168.0.4:7890": 403, "": 403, "0.0.0.0:7890": 403,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/sessions/a", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d %s", host, w.Code, w.Body)
		}
	}
}

func TestGuessingIsSlow(t *testing.T) {
	g, h := guarded(Config{Token: token(t)})
	for range tryBurst {
		if status, _, _ := ask(h, http.MethodGet, "/v1/sessions/a", http.Header{"X-Api-Token": {"guess"}}); status != 401 {
			t.Fatal(status)
		}
	}
	status, word, header := ask(h, http.MethodGet, "/v1/sessions/a", http.Header{"X-Api-Token": {secret}})
	if status != 429 || word != "rate_limited" || header.Get("Retry-After") != "6" {
		t.Errorf("%d %s, retry after %q", status, word, header.Get("Retry-After"))
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/control", nil)
	if _, err := g.Admit(r, secret); problem.From(err).Code != problem.RateLimited {
		t.Errorf("a connection may guess on: %v", err)
	}
	r.RemoteAddr = "198.51.100.7:1"
	if p, err := g.Admit(r, secret); err != nil || p.Role != Admin {
		t.Errorf("another address: %+v, %v", p, err)
	}
}

func TestGuessingBehindAProxyIsCountedByClient(t *testing.T) {
	_, h := guarded(Config{Token: token(t), Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}) // httptest's peer
	for range tryBurst + 1 {
		ask(h, http.MethodGet, "/v1/sessions/a", http.Header{"X-Api-Token": {"guess"}, "X-Forwarded-For": {"198.51.100.1"}})
	}
	if status, _, _ := ask(h, http.MethodGet, "/v1/sessions/a", http.Header{"X-Api-Token": {secret}, "X-Forwarded-For": {"198.51.100.2"}}); status != 200 {
		t.Errorf("a neighbour is shut out: %d", status)
	}
}

func TestPages(t *testing.T) {
	_, h := guarded(Config{Token: token(t), Origins: []Origin{"https://films.example"}})
	listed, stranger := http.Header{"Origin": {"https://films.example"}, "X-Api-Token": {secret}}, http.Header{"Origin": {"https://evil.example"}, "X-Api-Token": {secret}}
	status, _, header := ask(h, http.MethodGet, "/v1/sessions/a", listed)
	if status != 200 || header.Get("Access-Control-Allow-Origin") != "https://films.example" || header.Get("Access-Control-Expose-Headers") == "" {
		t.Errorf("listed: %d %v", status, header)
	}
	if header.Get("Access-Control-Allow-Credentials") != "" || header.Get("Vary") != "Origin" {
		t.Errorf("listed: %v", header)
	}
	status, word, header := ask(h, http.MethodGet, "/v1/sessions/a", stranger)
	if status != 403 || word != "origin_refused" || header.Get("Access-Control-Allow-Origin") != "" || header.Get("Vary") != "Origin" {
		t.Errorf("stranger: %d %s %v", status, word, header)
	}
	_, _, header = ask(h, http.MethodGet, "/v1/sessions/a", http.Header{"Origin": {"https://films.example"}})
	if header.Get("Access-Control-Allow-Origin") != "https://films.example" {
		t.Error("a page cannot read why it was refused")
	}
}

func TestPreflight(t *testing.T) {
	_, h := guarded(Config{Token: token(t), Origins: []Origin{"https://films.example"}})
	asks := func(origin string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PATCH"}, "Access-Control-Request-Headers": {"x-api-token"}}
	}
	status, _, header := ask(h, http.MethodOptions, "/v1/sessions/a", asks("https://films.example"))
	if status != 204 || header.Get("Access-Control-Allow-Origin") != "https://films.example" ||
		header.Get("Access-Control-Allow-Methods") != corsMethods || header.Get("Access-Control-Allow-Headers") != corsHeaders {
		t.Errorf("listed: %d %v", status, header)
	}
	status, _, header = ask(h, http.MethodOptions, "/v1/sessions/a", asks("https://evil.example"))
	if status != 403 || header.Get("Access-Control-Allow-Origin") != "" || header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("stranger: %d %v", status, header)
	}
}
