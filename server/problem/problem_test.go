package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answer returns what a client gets of a problem.
func answer(t *testing.T, method string, p *Problem) (*http.Response, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	Write(w, httptest.NewRequest(method, "/v1/sessions", nil), p)
	response := w.Result()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return response, members
}

func TestWriteBusy(t *testing.T) {
	p := New(Busy, "the film needs %d ms of a core each second", 800).Because(errors.New("secret"))
	p.Figures = map[string]float64{"core_ms_needed": 800, "core_ms_free": 120.5}
	p.Later(1500 * time.Millisecond)
	response, got := answer(t, http.MethodPost, p)
	if response.StatusCode != 503 || response.Header.Get("Retry-After") != "2" || response.Header.Get("Content-Type") != ContentType ||
		response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", response.StatusCode, response.Header)
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
	if response.Header.Get("WWW-Authenticate") == "" || response.Header.Get("Retry-After") != "" || got["retryable"] != false {
		t.Errorf("%v %v", response.Header, got)
	}
}

func TestWriteToHEADHasNoBody(t *testing.T) {
	response, got := answer(t, http.MethodHead, New(NotFound, ""))
	if response.StatusCode != 404 || got != nil || response.ContentLength <= 0 {
		t.Errorf("%d, %d bytes announced, %v", response.StatusCode, response.ContentLength, got)
	}
}

func TestWriteWithoutANumber(t *testing.T) {
	p := New(Busy, "full")
	p.Figures = map[string]float64{"core_ms_free": math.NaN()}
	if response, got := answer(t, http.MethodGet, p); response.StatusCode != 503 || got["detail"] != "full" {
		t.Errorf("%d %v", response.StatusCode, got)
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
