package client

import (
	"bytes"
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

	"github.com/upscaled-media/upscaled/server/auth"
)

const (
	// greeting bounds how long it takes to reach a server.
	greeting = 15 * time.Second
	// expecting is how long a server may take to say that it wants the film, which
	// spares sending it to one that refuses.
	expecting = 2 * time.Second
	// answering bounds a question and its answer, other than a film. To cancel a job
	// takes about a second, and to order a large folder some.
	answering = time.Minute
	// maxAnswer bounds what is read of an answer other than a film, in bytes: a list of
	// a thousand jobs has some megabytes.
	maxAnswer = 64 << 20
	// maxRefusal bounds what is read of one that is none, in bytes.
	maxRefusal = 1 << 20
)

// Client speaks to one server. Make it with New.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
	rest  time.Duration // before the second attempt at a film; the third has to wait twice as long
}

// New returns a client of the server at a URL. The token may be "", for a server that
// has none. Close lets go of its connections.
func New(server, token string) (*Client, error) {
	base, err := url.Parse(server)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, errors.New("the server must be an http or https URL, as in http://127.0.0.1:7890") // what was given may hold a password
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("the server's URL must have no user, query or fragment; the token goes apart")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: greeting, KeepAlive: greeting}).DialContext,
		TLSHandshakeTimeout: greeting, ExpectContinueTimeout: expecting, IdleConnTimeout: answering,
		DisableCompression: true, ForceAttemptHTTP2: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
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

// identify adds to a header who asks.
func (c *Client) identify(h http.Header) http.Header {
	if c.token != "" {
		h.Set(auth.TokenHeader, c.token)
	}
	return h
}

// request makes a request for a path, which may have a query.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Address()+path, body)
	if err != nil {
		return nil, err
	}
	c.identify(r.Header)
	return r, nil
}

// ask sends a document, unless it is nil, and reads one, unless that is.
func (c *Client) ask(ctx context.Context, method, path string, document, answer any) error {
	bounded, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	var body io.Reader
	if document != nil {
		data, err := json.Marshal(document)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	r, err := c.request(bounded, method, path, body)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	if response.StatusCode >= http.StatusMultipleChoices {
		return c.refusal(response)
	}
	if answer == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the server's answer is not understood; is it upscaled's? %w", err)
	}
	return nil
}
