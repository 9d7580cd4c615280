package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/problem"
)

const (
	// maxAnswer bounds what is read of an answer: a list of a thousand jobs has some
	// megabytes.
	maxAnswer = 64 << 20
	// connectWait bounds the time until an answer begins. To cancel a job takes about
	// a second, and to order a large folder some.
	connectWait = time.Minute
)

// ErrUnreachable is wrapped by errors of a server that does not answer.
var ErrUnreachable = errors.New("the server does not answer")

// Client speaks to one server.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New returns a client of the server at a URL. The token may be "", for a server on
// this machine that has none.
func New(server, token string) (*Client, error) {
	base, err := url.Parse(server)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, errors.New("the server must be an http or https URL, as in http://127.0.0.1:7890") // what was given may hold a password
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("the server's URL must have no user, query or fragment; the token goes apart")
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &Client{base: base, token: token, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: connectWait, IdleConnTimeout: connectWait,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for this server
	}}, nil
}

// identify adds to a header who asks.
func (c *Client) identify(h http.Header) http.Header {
	if c.token != "" {
		h.Set(auth.TokenHeader, c.token)
	}
	return h
}

// AddJobs orders transcodes.
func (c *Client) AddJobs(ctx context.Context, o jobs.Order) (added jobs.Added, err error) {
	return added, c.ask(ctx, http.MethodPost, "/v1/jobs", o, &added)
}

// Jobs lists the jobs of some states, of all where none is named. It asks as often as
// that takes.
func (c *Client) Jobs(ctx context.Context, states ...jobs.State) ([]jobs.Job, error) {
	var all []jobs.Job
	query := url.Values{"limit": {"1000"}}
	if len(states) > 0 {
		names := make([]string, len(states))
		for i, s := range states {
			names[i] = string(s)
		}
		query.Set("state", strings.Join(names, ","))
	}
	for {
		var list jobs.List
		if err := c.ask(ctx, http.MethodGet, "/v1/jobs?"+query.Encode(), nil, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Jobs...)
		if !list.More || len(list.Jobs) == 0 {
			return all, nil
		}
		query.Set("after", list.Jobs[len(list.Jobs)-1].ID)
	}
}

// Job tells of a job.
func (c *Client) Job(ctx context.Context, id string) (job jobs.Job, err error) {
	return job, c.ask(ctx, http.MethodGet, "/v1/jobs/"+url.PathEscape(id), nil, &job)
}

// ChangeJob changes a job.
func (c *Client) ChangeJob(ctx context.Context, id string, to jobs.Change) (job jobs.Job, err error) {
	return job, c.ask(ctx, http.MethodPatch, "/v1/jobs/"+url.PathEscape(id), to, &job)
}

// CancelJob ends a job, and returns what it is when its worker is gone.
func (c *Client) CancelJob(ctx context.Context, id string) (job jobs.Job, err error) {
	return job, c.ask(ctx, http.MethodDelete, "/v1/jobs/"+url.PathEscape(id), nil, &job)
}

// ask sends a document, unless it is nil, and reads one.
func (c *Client) ask(ctx context.Context, method, path string, document, answer any) error {
	var body io.Reader
	if document != nil {
		data, err := json.Marshal(document)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	c.identify(request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return refusal(response.Status, data)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("the server's answer is not understood; is it upscaled's? %w", err)
	}
	return nil
}

// unreachable returns why there is no answer: ctx's cause, if that is why.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base.Host, err)
}

// refusal returns the problem that an answer is.
func refusal(status string, data []byte) error {
	p := &problem.Problem{}
	if json.Unmarshal(data, p) != nil || p.Code == "" {
		return fmt.Errorf("the server answers %s, and not as upscaled's does", status)
	}
	return p
}
