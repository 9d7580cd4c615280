package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/upscaled-media/upscaled/client"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// tokenEnv is the variable of the token for a server. On the command line every user
// of the machine could read it.
const tokenEnv = "UPSCALED_TOKEN"

// jobsCommand groups what is about the jobs of a server.
type jobsCommand struct {
	Server    string `default:"http://127.0.0.1:7890" placeholder:"URL" help:"The server. Default: ${default}."`
	TokenFile string `placeholder:"FILE" help:"File that holds the server's token on its one line. Default: the variable UPSCALED_TOKEN."`

	Add    jobsAddCommand    `cmd:"" help:"Order offline transcodes of a film, or of all in a folder, that the server can read."`
	List   jobsListCommand   `cmd:"" help:"List the jobs."`
	Watch  jobsWatchCommand  `cmd:"" help:"Show what becomes of jobs, until they are over."`
	Set    jobsSetCommand    `cmd:"" help:"Change a job's priority, pause or resume it."`
	Cancel jobsCancelCommand `cmd:"" help:"Cancel jobs."`
}

// client returns what speaks to the server.
func (c *jobsCommand) client() (*client.Client, error) {
	token, err := serverToken(c.TokenFile)
	if err != nil {
		return nil, err
	}
	server, err := client.New(c.Server, token)
	if err != nil {
		return nil, &pipeline.Error{Code: pipeline.CodeSpec, Sentence: err.Error()}
	}
	return server, nil
}

// jobsAddCommand orders jobs.
type jobsAddCommand struct {
	Source     string  `arg:"" help:"ROOT/path of a film or a folder below a root of the server, or a URL."`
	Output     string  `short:"o" placeholder:"FOLDER" help:"ROOT/path of the folder for the output. Default: beside the source."`
	Name       string  `placeholder:"NAME" help:"Name of the output of a single film. Default: NAME.upscaled.EXT."`
	Match      string  `placeholder:"PATTERN" help:"Of a folder: films whose name matches, as in '*.mkv'."`
	MinHeight  int     `placeholder:"ROWS" help:"Pass over films with fewer rows."`
	MaxHeight  int     `placeholder:"ROWS" help:"Pass over films with more rows."`
	SkipDone   bool    `help:"Pass over films that a job has made so before, or whose output is there."`
	Model      string  `placeholder:"ID" help:"Id of a model. Default: the server's."`
	Provider   string  `placeholder:"NAME" help:"Where the model runs. Default: the server's."`
	Strength   float64 `default:"1" help:"Share of the model in its mix with a plain upscale, 0 to 1."`
	Preset     string  `placeholder:"ID" help:"Preset of filters."`
	Container  string  `placeholder:"mkv|mp4|ts" help:"Container. Default: by the name, else mkv."`
	VideoCodec string  `placeholder:"CODEC" help:"h264, hevc, av1 or vp9. Default: h264, or hevc where the source is HDR."`
	Height     int     `placeholder:"ROWS" help:"Rows of the written picture."`
	Quality    int     `default:"-1" placeholder:"N" help:"Constant quality in the codec's own scale, less is better."`
	Speed      string  `placeholder:"SPEED" help:"fast, balanced or best. Default: balanced."`
	Audio      string  `placeholder:"MODE" help:"keep, copy, aac, opus or none. Default: keep."`
	Priority   int     `default:"5" help:"1 to 10; the higher comes first."`
	Paused     bool    `help:"Have the jobs wait until they are resumed."`
	Webhook    string  `placeholder:"URL" help:"Who is told when a job is over."`
	SecretFile string  `placeholder:"FILE" help:"File that holds the secret that signs what the webhook is told. Default: the server's."`
	Watch      bool    `short:"w" help:"Show what becomes of them, until they are over."`
	JSON       bool    `name:"json" help:"Print JSON."`
}

// Run orders.
func (c *jobsAddCommand) Run(ctx context.Context, a *app, all *jobsCommand) error {
	server, err := all.client()
	if err != nil {
		return err
	}
	order, err := c.order()
	if err != nil {
		return err
	}
	added, err := server.AddJobs(ctx, order)
	if err != nil {
		return ofServer(err)
	}
	if err := c.tell(a, added); err != nil || !c.Watch {
		return err
	}
	list, err := server.Jobs(ctx, added.Order) // of which the answer names the first alone
	if err != nil {
		return ofServer(err)
	}
	var ids []string
	for _, j := range list {
		ids = append(ids, j.ID)
	}
	return watchJobs(ctx, a, server, ids, c.JSON)
}

// order says the flags in the server's words.
func (c *jobsAddCommand) order() (jobs.Order, error) {
	o := jobs.Order{
		Source: c.Source, Output: c.Output, Name: c.Name, Match: c.Match, MinHeight: c.MinHeight, MaxHeight: c.MaxHeight, SkipDone: c.SkipDone,
		Model: c.Model, Provider: c.Provider, Strength: &c.Strength, Look: playback.Look{Preset: c.Preset}, Container: c.Container,
		VideoCodec: c.VideoCodec, Height: c.Height, Quality: &c.Quality, Speed: c.Speed, Audio: c.Audio, Priority: &c.Priority, Paused: c.Paused,
	}
	if c.Webhook == "" {
		return o, nil
	}
	o.Webhook = &jobs.OrderHook{URL: c.Webhook}
	if c.SecretFile != "" {
		secret, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return o, &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "the secret cannot be read", Cause: err}
		}
		o.Webhook.Secret = strings.TrimRight(string(secret), "\r\n")
	}
	return o, nil
}

// tell prints what became of an order: the ids on stdout, for scripts.
func (c *jobsAddCommand) tell(a *app, added jobs.Added) error {
	if c.JSON {
		return printJSON(a.stdout, added)
	}
	for _, j := range added.Jobs {
		fmt.Fprintln(a.stdout, j.ID)
		fmt.Fprintf(a.stderr, "%s → %s\n", j.Source, j.Output)
	}
	if more := added.Count - len(added.Jobs); more > 0 {
		fmt.Fprintf(a.stderr, "and %d more; upscaled jobs list names them\n", more)
	}
	for _, s := range added.Skipped {
		fmt.Fprintf(a.stderr, "%s: skipped (%s)\n", s.Source, s.Reason)
	}
	if more := added.Passed - len(added.Skipped); more > 0 {
		fmt.Fprintf(a.stderr, "and %d more skipped\n", more)
	}
	if added.Count+added.Passed == 0 {
		fmt.Fprintln(a.stderr, "there is no such film in the folder; nothing is ordered")
	}
	return nil
}

// jobsListCommand lists jobs.
type jobsListCommand struct {
	State []jobs.State `placeholder:"STATE" help:"Of these states: queued, running, paused, done, failed, cancelled."`
	JSON  bool         `name:"json" help:"Print JSON."`
}

// Run lists.
func (c *jobsListCommand) Run(ctx context.Context, a *app, all *jobsCommand) error {
	server, err := all.client()
	if err != nil {
		return err
	}
	list, err := server.Jobs(ctx, "", c.State...)
	if err != nil {
		return ofServer(err)
	}
	if c.JSON {
		return printJSON(a.stdout, append([]jobs.Job{}, list...))
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSTATE\tPRIORITY\tPROGRESS\tSOURCE\tOUTPUT")
	for _, j := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", j.ID, stateOf(j), j.Priority, percentOf(j), j.Source, j.Output)
	}
	return w.Flush()
}

// stateOf returns a job's state with why it waits, or has failed.
func stateOf(j jobs.Job) string {
	switch {
	case j.Waiting == jobs.WaitingRetry && j.Failure != nil:
		return fmt.Sprintf("%s (retry after %s)", j.State, j.Failure.Code)
	case j.Failure != nil:
		return fmt.Sprintf("%s (%s)", j.State, j.Failure.Code)
	case j.Skipped != "":
		return fmt.Sprintf("%s (skipped: %s)", j.State, j.Skipped)
	case j.Waiting != "" && j.Waiting != jobs.WaitingTurn:
		return fmt.Sprintf("%s (%s)", j.State, j.Waiting)
	}
	return string(j.State)
}

func percentOf(j jobs.Job) string {
	if j.Progress == nil || j.Progress.Percent == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", *j.Progress.Percent)
}

// jobsWatchCommand shows jobs.
type jobsWatchCommand struct {
	IDs  []string `arg:"" optional:"" name:"id" help:"Jobs. Default: all that are not over."`
	JSON bool     `name:"json" help:"Print JSON lines: each job whenever it changes."`
}

// Run watches.
func (c *jobsWatchCommand) Run(ctx context.Context, a *app, all *jobsCommand) error {
	server, err := all.client()
	if err != nil {
		return err
	}
	ids := c.IDs
	if len(ids) == 0 {
		list, err := server.Jobs(ctx, "", jobs.StateQueued, jobs.StateRunning, jobs.StatePaused)
		if err != nil {
			return ofServer(err)
		}
		for _, j := range list {
			ids = append(ids, j.ID)
		}
	}
	return watchJobs(ctx, a, server, ids, c.JSON)
}

// watchJobs shows jobs until all are over. The error is that of the first that did
// not end well.
func watchJobs(ctx context.Context, a *app, server *client.Client, ids []string, asJSON bool) error {
	if len(ids) == 0 {
		return nil
	}
	show := newJobDisplay(a, ids, asJSON)
	err := server.Watch(ctx, ids, show.job)
	show.end()
	if err != nil {
		return ofServer(err)
	}
	return show.failed()
}

// jobsSetCommand changes a job.
type jobsSetCommand struct {
	ID       string `arg:"" help:"Job."`
	Priority int    `placeholder:"N" help:"1 to 10; the higher comes first."`
	Pause    bool   `xor:"pause" help:"Pause it."`
	Resume   bool   `xor:"pause" help:"Let it go on."`
}

// Run changes.
func (c *jobsSetCommand) Run(ctx context.Context, a *app, all *jobsCommand) error {
	server, err := all.client()
	if err != nil {
		return err
	}
	var to jobs.Change
	if c.Priority != 0 {
		to.Priority = &c.Priority
	}
	if c.Pause || c.Resume {
		to.Paused = &c.Pause
	}
	job, err := server.ChangeJob(ctx, c.ID, to)
	if err != nil {
		return ofServer(err)
	}
	fmt.Fprintf(a.stderr, "%s: %s, priority %d\n", job.ID, stateOf(job), job.Priority)
	return nil
}

// jobsCancelCommand ends jobs.
type jobsCancelCommand struct {
	IDs []string `arg:"" name:"id" help:"Jobs."`
}

// Run cancels. Jobs behind one that cannot be cancelled are cancelled, too.
func (c *jobsCancelCommand) Run(ctx context.Context, a *app, all *jobsCommand) error {
	server, err := all.client()
	if err != nil {
		return err
	}
	var first error
	for _, id := range c.IDs {
		job, err := server.CancelJob(ctx, id)
		if err != nil {
			fmt.Fprintf(a.stderr, "upscaled: %s: %s\n", id, sentence(ofServer(err)))
			first = cmp.Or(first, marked(ofServer(err)))
			continue
		}
		fmt.Fprintf(a.stderr, "%s: %s\n", id, stateOf(job))
	}
	return first
}

// The codes of errors that a server adds, and speaking to one.
const (
	codeUnreachable                  = pipeline.Code(client.CodeUnreachable)
	codeJobCancelled   pipeline.Code = "job_cancelled"
	codeWorkerFailed                 = pipeline.Code(problem.WorkerFailed)
	codeWorkerHung                   = pipeline.Code(problem.WorkerHung)
	codeWorkerLost                   = pipeline.Code(problem.WorkerLost)
	codeWorkerMemory                 = pipeline.Code(problem.WorkerMemory)
	codeUnauthorized                 = pipeline.Code(problem.Unauthorized)
	codeForbidden                    = pipeline.Code(problem.Forbidden)
	codeSourceRefused                = pipeline.Code(problem.SourceRefused)
	codeJobUnknown                   = pipeline.Code(problem.JobUnknown)
	codeJobOver                      = pipeline.Code(problem.JobOver)
	codeTooManyJobs                  = pipeline.Code(problem.TooManyJobs)
	codeWebhookRefused               = pipeline.Code(problem.WebhookRefused)
)

// ofServer gives what a server said, or that none answers, its code.
func ofServer(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	return &pipeline.Error{Code: pipeline.Code(e.Code), Sentence: e.Error()}
}
