package control

import (
	"context"
	"encoding/json"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/problem"
)

// The payloads of requests about jobs that are not those of package jobs.
type (
	jobTarget struct {
		Job string `json:"job" minLength:"1" maxLength:"64"`
	}
	jobChange struct {
		Job string `json:"job" minLength:"1" maxLength:"64"`
		jobs.Change
	}
	jobFilter struct {
		States []jobs.State `json:"states,omitempty" maxItems:"6" enum:"queued,running,paused,done,failed,cancelled"`
		Order  string       `json:"order,omitempty" maxLength:"64"`
		After  string       `json:"after,omitempty" maxLength:"64"`
		Limit  int          `json:"limit,omitempty" minimum:"1" maximum:"1000"`
	}
)

// jobsListed is how many jobs a list has where the client does not say.
const jobsListed = 100

// jobProgress says how far a job is.
type jobProgress struct {
	State    jobs.State     `json:"state"`
	Progress *jobs.Progress `json:"progress"`
}

// withJobs is with, for who may steer jobs.
func withJobs[T any](answer func(*conn, context.Context, T) (any, error)) func(context.Context, *conn, json.RawMessage) (any, error) {
	read := with(answer)
	return func(ctx context.Context, c *conn, payload json.RawMessage) (any, error) {
		if !c.who.May(auth.Admin, "") {
			return nil, problem.New(problem.Forbidden, "only who has the token may see and order jobs")
		}
		return read(ctx, c, payload)
	}
}

func (c *conn) addJobs(ctx context.Context, o jobs.Order) (any, error) {
	return c.server.options.Jobs.Add(ctx, o)
}

func (c *conn) getJob(_ context.Context, t jobTarget) (any, error) {
	return c.server.options.Jobs.Get(t.Job)
}

func (c *conn) listJobs(_ context.Context, f jobFilter) (any, error) {
	if f.Limit == 0 {
		f.Limit = jobsListed
	}
	return c.server.options.Jobs.List(jobs.Filter(f))
}

func (c *conn) setJob(_ context.Context, to jobChange) (any, error) {
	return c.server.options.Jobs.Change(to.Job, to.Change)
}

// cancelJob answers when the job's worker is gone, with what the job is then.
func (c *conn) cancelJob(ctx context.Context, t jobTarget) (any, error) {
	return c.server.options.Jobs.Cancel(ctx, t.Job)
}

// followJobs tells the client of jobs until ctx ends.
func (c *conn) followJobs(ctx context.Context) {
	events := c.server.options.Jobs.Subscribe()
	started := c.start(func() {
		defer events.Close()
		for {
			e, err := events.Next(ctx)
			if err != nil {
				return
			}
			c.tellJob(e)
		}
	})
	if !started {
		events.Close()
	}
}

// tellJob sends an event of a job. How far it is waits for a client as figures do:
// the newest takes the place of those before.
func (c *conn) tellJob(e jobs.Event) {
	to := event{Type: eventJob, Job: e.Job.ID, Seq: e.Job.Seq, Payload: e.Job}
	if !e.Progress {
		if e.Job.State.Over() {
			c.out.forget(func(id string) bool { return id != jobFigures+e.Job.ID })
		}
		c.send(to)
		return
	}
	to.Type, to.Payload = eventProgress, jobProgress{e.Job.State, e.Job.Progress}
	if frame := c.encode(to); frame != nil {
		c.out.pushStats(jobFigures+e.Job.ID, frame)
	}
}

// jobFigures keeps the jobs among the figures apart from the sessions, whose ids have
// no such sign.
const jobFigures = "job:"
