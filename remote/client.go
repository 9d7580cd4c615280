package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

const (
	// telling bounds each question about a session.
	telling = 5 * time.Second
	// greeting bounds how long it takes to reach a server.
	greeting = 15 * time.Second
	// expecting is how long a server may take to say that it wants the film, which
	// spares sending it to one that refuses.
	expecting = 2 * time.Second
	// rest is Client.rest.
	rest = 2 * time.Second
	// maxDocument bounds what is read of an answer that is no film, in bytes.
	maxDocument = 1 << 20
	// tokenHeader is where servers look for the token.
	tokenHeader = "X-Api-Token"
)

// Client speaks to one server. Make it with New.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
	rest  time.Duration // before the second attempt; the third has to wait twice as long
}

// New returns a client of the server at a URL as in http://gpu.lan:7890, with its
// token, "" for none. Close lets go of its connections.
func New(address, token string) (*Client, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("the server's URL cannot be read") // what is wrong may be a password
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, errors.New("the server must be given as in http://gpu.lan:7890")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the server's URL must have no user, query or fragment; the token goes apart")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: greeting, KeepAlive: greeting}).DialContext,
		TLSHandshakeTimeout: greeting, ExpectContinueTimeout: expecting, DisableCompression: true, ForceAttemptHTTP2: true,
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	return &Client{base: base, token: token, rest: rest, http: &http.Client{
		Transport: transport,
		// A film is not sent again to where an answer points, and the token never.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Address returns the server's URL, for sentences.
func (c *Client) Address() string { return c.base.String() }

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Request, error) {
	at := *c.base
	at.Path += path
	at.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		r.Header.Set(tokenHeader, c.token)
	}
	return r, nil
}

// session asks for a session.
func (c *Client) session(ctx context.Context, id string) (s playback.Session, err error) {
	ctx, cancel := context.WithTimeout(ctx, telling)
	defer cancel()
	r, err := c.request(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil, nil)
	if err != nil {
		return s, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return s, err
	}
	defer func() { _ = answer.Body.Close() }() // only read
	if answer.StatusCode != http.StatusOK {
		return s, c.refusal(answer)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxDocument)).Decode(&s); err != nil {
		return s, fmt.Errorf("session: %w", err)
	}
	return s, nil
}

// refusal returns what an answer says that is no result.
func (c *Client) refusal(answer *http.Response) error {
	var p problem.Problem
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || p.Code == "" {
		return &Error{Code: CodeNoServer, Sentence: fmt.Sprintf("%s answers %s, which no server of upscaled does", c.Address(), answer.Status), Cause: err}
	}
	e := &Error{Code: p.Code, Sentence: p.Detail}
	if p.RetryAfter > 0 {
		e.Sentence = fmt.Sprintf("%s (try again in %d s)", strings.TrimSuffix(p.Detail, "."), p.RetryAfter)
	}
	return e
}
