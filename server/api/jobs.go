package api

import (
	"context"
	"net/http"

	"github.com/upscaled-media/upscaled/server/jobs"
)

// JobID names a job.
type JobID struct {
	ID string `path:"id" pattern:"^[a-z2-7]{26}$" doc:"Id of the job." example:"wkqvqfw5xhxdkbtblcvdygoqh4"`
}

type orderInput struct {
	Body jobs.Order
}

type orderOutput struct {
	Status   int
	Location string `header:"Location" doc:"The path of the first job."`
	Body     jobs.Added
}

type jobOutput struct {
	Body jobs.Job
}

type jobListInput struct {
	State []jobs.State `query:"state" enum:"queued,running,paused,done,failed,cancelled" doc:"States of the jobs, with commas between them; all without."`
	Order string       `query:"order" pattern:"^[a-z2-7]{26}$" doc:"Id of the order that they came of."`
	After string       `query:"after" pattern:"^[a-z2-7]{26}$" doc:"Id of the last job of the list before this one."`
	Limit int          `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many jobs the list has at most."`
}

type jobListOutput struct {
	Body jobs.List
}

type jobChangeInput struct {
	JobID
	Body jobs.Change
}

// registerJobs adds what is about jobs.
func (a *API) registerJobs() {
	queue := a.o.Jobs
	register(a, op(http.MethodPost, "/v1/jobs", "add-jobs", "Order offline transcodes",
		"Of a film, or of all films in a folder. The answer comes when the jobs are stored: all or none.", created, 403, 404, 409, 422, 503),
		func(ctx context.Context, in *orderInput) (*orderOutput, error) {
			added, err := queue.Add(ctx, in.Body)
			out := &orderOutput{Status: http.StatusOK, Body: added} // of an order that needs no job
			if len(added.Jobs) > 0 {
				out.Status, out.Location = created, "/v1/jobs/"+added.Jobs[0].ID
			}
			return out, err
		})
	register(a, op(http.MethodGet, "/v1/jobs", "list-jobs", "List the jobs", "In the order in which they were added.", 404),
		func(_ context.Context, in *jobListInput) (*jobListOutput, error) {
			list, err := queue.List(jobs.Filter{States: in.State, Order: in.Order, After: in.After, Limit: in.Limit})
			return &jobListOutput{list}, err
		})
	register(a, op(http.MethodGet, "/v1/jobs/{id}", "get-job", "Get a job", "", 404),
		func(_ context.Context, in *JobID) (*jobOutput, error) {
			job, err := queue.Get(in.ID)
			return &jobOutput{job}, err
		})
	register(a, op(http.MethodPatch, "/v1/jobs/{id}", "change-job", "Change a job's priority, pause or resume it",
		"A job that is paused keeps what it has made while the server runs.", 404, 409, 503),
		func(_ context.Context, in *jobChangeInput) (*jobOutput, error) {
			job, err := queue.Change(in.ID, in.Body)
			return &jobOutput{job}, err
		})
	register(a, op(http.MethodDelete, "/v1/jobs/{id}", "cancel-job", "Cancel a job",
		"The answer comes when its worker is gone and nothing of its output is left. A job that is over stays what it is.", 404, 503),
		func(ctx context.Context, in *JobID) (*jobOutput, error) {
			job, err := queue.Cancel(ctx, in.ID)
			return &jobOutput{job}, err
		})
}
