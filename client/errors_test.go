package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// TestRefusal reads what servers, and others, answer that grants nothing.
func TestRefusal(t *testing.T) {
	c, err := New("http://gpu.lan", "")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]Error{
		`{"code":"busy","title":"It is busy","detail":"All places are taken.","retry_after":5}`: {Code: problem.Busy, Sentence: "All places are taken (try again in 5 s)", passes: true, after: 5 * time.Second},
		`{"code":"spool_full","title":"It is full","detail":"It is too large."}`:                {Code: problem.SpoolFull, Sentence: "It is too large.", passes: true},
		`{"code":"job_unknown","title":"There is no such job","detail":"It is gone."}`:          {Code: problem.JobUnknown, Sentence: "It is gone."},
		`{"code":"job_unknown","title":"There is no such job"}`:                                 {Code: problem.JobUnknown, Sentence: "There is no such job"},
		`<h1>Bad Gateway</h1>`:            {Code: CodeNoServer, Sentence: "http://gpu.lan answers 502 Bad Gateway, which no server of upscaled does", passes: true},
		`{"detail":"of another program"}`: {Code: CodeNoServer, Sentence: "http://gpu.lan answers 502 Bad Gateway, which no server of upscaled does", passes: true},
	} {
		answer := httptest.NewRecorder()
		answer.WriteHeader(http.StatusBadGateway)
		if _, err := answer.WriteString(body); err != nil {
			t.Fatal(err)
		}
		if got, ok := errors.AsType[*Error](c.refusal(answer.Result())); !ok || *got != want {
			t.Errorf("%s: %+v", body, got)
		}
	}
}
