package problem

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// ContentType is that of a problem (RFC 9457 §3).
const ContentType = "application/problem+json"

// bound is how long a client may take to send the rest of a request that is refused,
// and from then on to take the answer.
const bound = 5 * time.Second

// Bound has an answer go out in time, also where nobody reads the request's body:
// net/http does, without a deadline of its own, before it sends the answer.
func Bound(w http.ResponseWriter) {
	control, now := http.NewResponseController(w), time.Now()
	_ = control.SetReadDeadline(now.Add(bound)) // a connection that cannot has no slow client
	_ = control.SetWriteDeadline(now.Add(2 * bound))
}

// Write answers a request with a problem, within Bound. Nothing may have been written
// before.
func Write(w http.ResponseWriter, r *http.Request, p *Problem) {
	Bound(w)
	body, err := json.Marshal(p)
	if err != nil { // a figure that is no number: told without them
		bare := *p
		bare.Figures = nil
		body, _ = json.Marshal(&bare)
	}
	h := w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	h.Set("Content-Type", ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that has gone is told nothing
	}
}

// The methods below are those by which huma takes an error for an answer, so
// that a handler may return a Problem.

// GetStatus returns the status of HTTP.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns that of a problem, whatever was agreed on for answers.
func (p *Problem) ContentType(string) string { return ContentType }

// GetHeaders returns the headers that go with the problem. Intermediaries are
// told to keep none of it: what failed once may work at once.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	if p.takes != "" { // RFC 9110 §15.5.16, and https://www.w3.org/TR/ldp/#header-accept-post
		h.Set("Accept-Post", p.takes)
	}
	if p.Status == http.StatusUnauthorized { // which must name a scheme: RFC 9110 §11.6.1
		h.Set("WWW-Authenticate", `X-Api-Token realm="upscaled"`)
	}
	return h
}
