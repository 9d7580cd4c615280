package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const token = "0123456789abcdef"

// TestRolesOfRoutes asks for every route in every role, and looks whether the
// request reaches the handler: exactly those that the table lets through may.
func TestRolesOfRoutes(t *testing.T) {
	secret, err := auth.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	signer := auth.NewSigner(time.Hour)
	own, _ := signer.Sign("mine")
	other, _ := signer.Sign("yours")
	ticket, _ := signer.SignTicket("mine")
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	guard := func() http.Handler { // a new one has seen no wrong token yet
		return auth.New(auth.Config{Token: secret, Capabilities: signer, Routes: Routes(), Log: slog.New(slog.DiscardHandler)}).Wrap(reached)
	}
	for _, route := range Routes() {
		for _, who := range []struct {
			name, token, capability string
			may                     map[auth.Role]bool
		}{
			{"nobody", "", "x", map[auth.Role]bool{auth.Public: true, auth.Handshake: true}},
			{"a viewer of the session", "", own, map[auth.Role]bool{auth.Public: true, auth.Handshake: true, auth.Viewer: true}},
			{"a viewer of another session", "", other, map[auth.Role]bool{auth.Public: true, auth.Handshake: true}},
			{"who has a ticket", "", ticket, map[auth.Role]bool{auth.Public: true, auth.Handshake: true, auth.Sender: true}},
			{"the admin", token, own, map[auth.Role]bool{auth.Public: true, auth.Handshake: true, auth.Viewer: true, auth.Admin: true}},
			{"an admin with a foreign capability", token, other, map[auth.Role]bool{auth.Public: true, auth.Handshake: true, auth.Admin: true}},
			{"a wrong token", "wrong" + token, "x", map[auth.Role]bool{}},
		} {
			path := strings.NewReplacer("{id}", "mine", "{capability}", who.capability, "{path...}", "video/0/1.m4s").Replace(route.Path)
			r := httptest.NewRequestWithContext(t.Context(), route.Method, path, nil)
			if who.token != "" {
				r.Header.Set(auth.TokenHeader, who.token)
			}
			w := httptest.NewRecorder()
			guard().ServeHTTP(w, r)
			got := w.Code == http.StatusTeapot
			if want := who.may[route.Needs]; got != want {
				t.Errorf("%s %s for %s: reached %v (%d), want %v", route.Method, route.Path, who.name, got, w.Code, want)
			}
		}
	}
	for _, path := range []string{"/", "/v1", "/v1/sessions/a/b", "/debug/pprof/", "/health/x"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set(auth.TokenHeader, token)
		guard().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestDocumentHasTheRoutes holds the document and the table of routes to each
// other. The control protocol is a WebSocket's, which OpenAPI cannot tell.
func TestDocumentHasTheRoutes(t *testing.T) {
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Security    *[]map[string][]string
		}
	}
	if err := json.Unmarshal(text(t), &document); err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, route := range Routes() {
		path := strings.ReplaceAll(route.Path, "...}", "}")
		operation, known := document.Paths[path][strings.ToLower(route.Method)]
		if route.Needs == auth.Handshake {
			if known {
				t.Errorf("%s is in the document", path)
			}
			continue
		}
		operations++
		open := operation.Security != nil
		if !known || operation.OperationID == "" || operation.Summary == "" || open == (route.Needs == auth.Admin) {
			t.Errorf("%s %s is documented as %+v, and needs %s", route.Method, path, operation, route.Needs)
		}
	}
	for path, methods := range document.Paths {
		operations -= len(methods)
		if operations < 0 {
			t.Errorf("%s is no route", path)
		}
	}
}

func TestDocsOpenAPI(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "openapi.json")
	if *update {
		if err := os.WriteFile(file, text(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, text(t)) {
		t.Errorf("docs/openapi.json is not what the code says; run go test ./server/api -run TestDocs -update (%v)", err)
	}
}

func text(t *testing.T) []byte {
	t.Helper()
	document, err := New(Options{Metrics: http.NotFoundHandler()}).Document()
	if err != nil {
		t.Fatal(err)
	}
	return append(document, '\n')
}

func TestAcceptsGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "br, GZIP ;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false, "xgzip": false, "identity": false, "gzip;q=x": false,
	} {
		if got := acceptsGzip(http.Header{"Accept-Encoding": {accept}}); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
}
