package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answer returns what a client gets of a problem.
func answer(t *testing.T, method string, p *Problem) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequestWithContext(t.Context(), method, "/v1/sessions", nil), p)
	var members map[string]any
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
	}
	return w, members
}

func TestWriteBusy(t *testing.T) {
	p := New(Busy, "the film needs %d ms of a core each second", 800).Because(errors.New("secret")).Later(1500 * time.Millisecond)
	p.Figures = map[string]float64{"core_ms_needed": 800, "core_ms_free": 120.5}
	response, got := answer(t, http.MethodPost, p)
	if response.Code != 503 || response.Header().Get("Retry-After") != "2" || response.Header().Get("Content-Type") != ContentType ||
		response.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", response.Code, response.Header())
	}
	want := map[string]any{
		"type": "urn:upscaled:problem:busy", "title": "The machine has no room for this session", "status": 503.0,
		"detail": "the film needs 800 ms of a core each second", "code": "busy", "owner": "us", "retryable": true, "retry_after": 2.0,
		"figures": map[string]any{"core_ms_needed": 800.0, "core_ms_free": 120.5},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !strings.Contains(p.Error(), "secret") {
		t.Errorf("the log is not told the cause: %s", p.Error())
	}
}

func TestWriteNamesASchemeFor401(t *testing.T) {
	response, got := answer(t, http.MethodGet, New(Unauthorized, ""))
	if response.Header().Get("WWW-Authenticate") == "" || response.Header().Get("Retry-After") != "" || got["retryable"] != false {
		t.Errorf("%v %v", response.Header(), got)
	}
}

func TestWriteToHEADHasNoBody(t *testing.T) {
	response, got := answer(t, http.MethodHead, New(NotFound, ""))
	if response.Code != 404 || got != nil || response.Header().Get("Content-Length") == "" {
		t.Errorf("%d, %v, %v", response.Code, response.Header(), got)
	}
}

func TestWriteWithoutANumber(t *testing.T) {
	p := New(Busy, "full")
	p.Figures = map[string]float64{"core_ms_free": math.NaN()}
	if response, got := answer(t, http.MethodGet, p); response.Code != 503 || got["detail"] != "full" {
		t.Errorf("%d %v", response.Code, got)
	}
}

func TestFrom(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		code   Code
		detail string
	}{
		"a problem behind others": {fmt.Errorf("create: %w", New(SourceRefused, "no root %q", "x")), SourceRefused, `no root "x"`},
		"a body too large":        {fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 9}), TooLarge, "the body may have 9 bytes"},
		"a deadline":              {fmt.Errorf("open: %w", context.DeadlineExceeded), Timeout, byCode[Timeout].Advice},
		"anything else":           {errors.New("open /srv/secret: no"), Internal, byCode[Internal].Advice},
		"a code of nobody":        {New("nonsense", "open /srv/secret"), Internal, byCode[Internal].Advice},
	} {
		t.Run(name, func(t *testing.T) {
			p := From(c.err)
			if p.Code != c.code || p.Detail != c.detail {
				t.Errorf("%s: %s", p.Code, p.Detail)
			}
			if !errors.Is(p, New(c.code, "")) {
				t.Error("errors.Is does not know the code")
			}
		})
	}
}

func TestFromKeepsTheCauseForTheLog(t *testing.T) {
	cause := errors.New("open /srv/secret: no")
	if p := From(cause); !errors.Is(p, cause) {
		t.Errorf("lost: %v", p)
	}
	if p := New("nonsense", "sentence").Because(cause); !errors.Is(p, cause) || !strings.Contains(p.Error(), "nonsense") {
		t.Errorf("lost: %v", p)
	}
}
