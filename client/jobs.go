package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/upscaled-media/upscaled/server/jobs"
)

// AddJobs orders transcodes.
func (c *Client) AddJobs(ctx context.Context, o jobs.Order) (added jobs.Added, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/jobs", o, &added)
	return added, err
}

// Jobs lists the jobs of an order, "" for any, that are in some states, in any where
// none is named. It asks as often as that takes.
func (c *Client) Jobs(ctx context.Context, order string, states ...jobs.State) ([]jobs.Job, error) {
	var all []jobs.Job
	query := url.Values{"limit": {"1000"}}
	if len(states) > 0 {
		names := make([]string, len(states))
		for i, s := range states {
			names[i] = string(s)
		}
		query.Set("state", strings.Join(names, ","))
	}
	if order != "" {
		query.Set("order", order)
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
	err = c.ask(ctx, http.MethodGet, "/v1/jobs/"+url.PathEscape(id), nil, &job)
	return job, err
}

// ChangeJob changes a job.
func (c *Client) ChangeJob(ctx context.Context, id string, to jobs.Change) (job jobs.Job, err error) {
	err = c.ask(ctx, http.MethodPatch, "/v1/jobs/"+url.PathEscape(id), to, &job)
	return job, err
}

// CancelJob ends a job, and returns what it is when its worker is gone.
func (c *Client) CancelJob(ctx context.Context, id string) (job jobs.Job, err error) {
	err = c.ask(ctx, http.MethodDelete, "/v1/jobs/"+url.PathEscape(id), nil, &job)
	return job, err
}
