package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/api"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// Client speaks to a server over HTTP.
type Client struct {
	base string // http://host:port
	http *http.Client
}

// maxDocument bounds what is read of an answer that is no media.
const maxDocument = 16 << 20

// Address returns host and port.
func (c *Client) Address() string { return strings.TrimPrefix(c.base, "http://") }

// Create begins a session. Refusals are *problem.Problem, as all that the server
// answers with.
func (c *Client) Create(ctx context.Context, o playback.Order) (s playback.Session, err error) {
	return s, c.ask(ctx, http.MethodPost, "/v1/sessions", o, &s)
}

// Session tells of a session.
func (c *Client) Session(ctx context.Context, id string) (s playback.Session, err error) {
	return s, c.ask(ctx, http.MethodGet, "/v1/sessions/"+id, nil, &s)
}

// Sessions lists the sessions.
func (c *Client) Sessions(ctx context.Context) ([]playback.Session, error) {
	var list struct {
		Sessions []playback.Session `json:"sessions"`
	}
	err := c.ask(ctx, http.MethodGet, "/v1/sessions", nil, &list)
	return list.Sessions, err
}

// Change changes how a session's picture is made.
func (c *Client) Change(ctx context.Context, id string, to playback.Change) error {
	return c.ask(ctx, http.MethodPatch, "/v1/sessions/"+id, to, nil)
}

// Seek says where the player of a session goes.
func (c *Client) Seek(ctx context.Context, id string, to time.Duration) error {
	return c.ask(ctx, http.MethodPost, "/v1/sessions/"+id+"/seek", playback.Seek{Position: to.Seconds()}, nil)
}

// Pause has nothing read ahead for a session any more.
func (c *Client) Pause(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, "/v1/sessions/"+id+"/pause", nil, nil)
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, "/v1/sessions/"+id+"/resume", nil, nil)
}

// Delete ends a session and returns when its worker is gone.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodDelete, "/v1/sessions/"+id, nil, nil)
}

// Hardware tells what the server runs on and how much of it is taken.
func (c *Client) Hardware(ctx context.Context) (h api.Hardware, err error) {
	return h, c.ask(ctx, http.MethodGet, "/v1/hardware", nil, &h)
}

// Metric returns a figure of /metrics that has no labels.
func (c *Client) Metric(ctx context.Context, name string) (float64, error) {
	text, err := c.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}

// Get returns what a path of the server names.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	var b bytes.Buffer
	_, err := c.Fetch(ctx, path, &b)
	return b.Bytes(), err
}

// Fetch copies what a path of the server names, and returns how much it was.
func (c *Client) Fetch(ctx context.Context, path string, to io.Writer) (int64, error) {
	r, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Body.Close() }() // it was read
	return io.Copy(to, r.Body)
}

// Result is what a transcode makes, while it is made.
type Result struct {
	io.ReadCloser
	Session string
}

// Transcode sends a film and returns what is made of it, as soon as something is.
func (c *Client) Transcode(ctx context.Context, query string, film io.Reader) (*Result, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/transcode?"+query, io.NopCloser(film))
	if err != nil {
		return nil, err
	}
	r, err := c.answered(q) //nolint:bodyclose // the caller closes the result
	if err != nil {
		return nil, err
	}
	return &Result{r.Body, r.Header.Get("Upscaled-Session")}, nil
}

// Offer sends an offer of WebRTC to a path and returns the answer.
func (c *Client) Offer(ctx context.Context, path, offer string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/sdp")
	r, err := c.answered(q)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Body.Close() }() // it was read
	answer, err := io.ReadAll(io.LimitReader(r.Body, maxDocument))
	return string(answer), err
}

// ask sends a document and reads one.
func (c *Client) ask(ctx context.Context, method, path string, document, answer any) error {
	r, err := c.send(ctx, method, path, document)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }() // it was read
	data, err := io.ReadAll(io.LimitReader(r.Body, maxDocument))
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(data, answer)
}

// send returns the answer to a request, or the problem that it is.
func (c *Client) send(ctx context.Context, method, path string, document any) (*http.Response, error) {
	var body io.Reader
	if document != nil {
		data, err := json.Marshal(document)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if document != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	return c.answered(q)
}

// answered returns the answer to a request, or the problem that it is.
func (c *Client) answered(q *http.Request) (*http.Response, error) {
	r, err := c.http.Do(q) //nolint:gosec // to the server that the caller has started
	if err != nil || r.StatusCode < http.StatusBadRequest {
		return r, err
	}
	defer func() { _ = r.Body.Close() }() // likewise
	data, err := io.ReadAll(io.LimitReader(r.Body, maxDocument))
	if err != nil {
		return nil, err
	}
	p := &problem.Problem{}
	if err := json.Unmarshal(data, p); err != nil || p.Code == "" {
		return nil, fmt.Errorf("%s %s: %s with no problem: %.200q", q.Method, q.URL.Path, r.Status, data)
	}
	return nil, p
}
