package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/client"
	"github.com/upscaled-media/upscaled/elements/upscale"
	"github.com/upscaled-media/upscaled/job"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// remotely has a server transcode.
func (c *transcodeCommand) remotely(ctx context.Context, show display) error {
	token, err := serverToken(c.TokenFile)
	if err != nil {
		return err
	}
	server, err := client.New(c.Remote, token)
	if err != nil {
		return &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "--remote: " + err.Error()}
	}
	defer server.Close()
	target, err := job.OpenTarget(c.request())
	if err != nil {
		return err
	}
	info, err := target.Input.Stat()
	if err != nil {
		return errors.Join(err, target.Discard())
	}
	from := &afar{command: c, server: server, target: target, show: show, begun: time.Now()}
	last, err := server.Transcode(ctx, client.Film{
		Source: target.Input, Size: info.Size(), Query: c.query(target.Request), Result: target.File, Observe: from.observe, Again: from.again,
	})
	show.end()
	if err != nil {
		return errors.Join(coded(err), target.Discard())
	}
	if err := target.Finish(); err != nil {
		return err
	}
	from.done(last)
	return nil
}

// serverToken returns the token of a server: that of a file where one is named, else
// that of the environment, "" for none.
func serverToken(file string) (string, error) {
	text := os.Getenv(tokenEnv)
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "--token-file: the file cannot be read", Cause: err}
		}
		text = strings.TrimRight(string(data), "\r\n")
	}
	if _, err := auth.ParseToken(text); err != nil { // which tells nothing of it
		return "", &pipeline.Error{Code: pipeline.CodeSpec, Sentence: "the token: " + err.Error()}
	}
	return text, nil
}

// query says the command's options as the server has them. What is not said is the
// server's to choose.
func (c *transcodeCommand) query(r job.Request) url.Values {
	q := url.Values{"container": {string(r.Container)}, "speed": {string(r.Speed)}}
	for key, text := range map[string]string{"model": c.Model, "provider": c.Provider} {
		if text != "auto" {
			q.Set(key, text)
		}
	}
	for key, n := range map[string]int{"height": r.Height, "device": r.Device} {
		if n != 0 {
			q.Set(key, strconv.Itoa(n))
		}
	}
	for key, d := range map[string]time.Duration{"start": r.Start, "duration": r.Duration} {
		if d != 0 {
			q.Set(key, d.String())
		}
	}
	if r.Codec != "" {
		q.Set("video_codec", string(r.Codec))
	}
	if r.Quality >= 0 {
		q.Set("quality", strconv.Itoa(r.Quality))
	}
	q.Set("strength", strconv.FormatFloat(r.Strength, 'g', -1, 64))
	return q
}

// coded gives an error of a server the form that errors have here.
func coded(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		if e.Code == problem.Unauthorized {
			e.Sentence = "the server wants its token, by --token-file or the variable " + tokenEnv + ", and got none or another one"
		}
		return &pipeline.Error{Code: pipeline.Code(e.Code), Sentence: e.Sentence, Cause: e.Cause}
	}
	return job.WithCode(err)
}

// afar shows a transcode that another machine does.
type afar struct {
	command *transcodeCommand
	server  *client.Client
	target  *job.Target
	show    display
	begun   time.Time
	job     *job.Job // nil until the server has told of the film
}

// observe shows how far it is.
func (a *afar) observe(s playback.Session) {
	if a.job == nil {
		if s.Film.Container == "" {
			return
		}
		a.job = a.plan(s)
		a.show.plan(a.job)
	}
	if s.Progress != nil {
		a.show.progress(a.progress(s))
	}
}

// again tells of another attempt.
func (a *afar) again(r client.Retry) {
	a.show.end()
	if r.From > 0 {
		a.show.note(fmt.Sprintf("%s; the film is sent once more, and the result goes on at %s", r.Cause, r.From.Round(time.Millisecond)))
		return
	}
	a.begun, a.job = time.Now(), nil
	sentence := fmt.Sprintf("%s; trying again from the start", r.Cause)
	if r.Anew != nil {
		sentence += fmt.Sprintf(", since the result cannot be taken up where it broke off: %s", r.Anew)
	}
	a.show.note(sentence)
}

// plan says what the server found and does in the words of a job.
func (a *afar) plan(s playback.Session) *job.Job {
	r, v := a.target.Request, s.Film.Video
	p := pipeline.Plan{Width: v.Delivered.Width, Height: v.Delivered.Height}
	p.Encoding = cmp.Or(string(r.Codec), "as the server likes") + ", on " + a.server.Address()
	p.Media.Path, p.Media.Duration = r.Input, time.Duration(s.Film.Duration*float64(time.Second))
	p.Media.Video.Width, p.Media.Video.Height, p.Media.Video.Decoder = v.Source.Width, v.Source.Height, append([]string{"?"}, v.Decoder...)
	num, den, _ := strings.Cut(v.Rate, "/")
	p.Media.Video.Rate.Num, _ = strconv.Atoi(num) // 0 where it varies
	p.Media.Video.Rate.Den = 1
	if n, err := strconv.Atoi(den); err == nil {
		p.Media.Video.Rate.Den = n
	}
	p.Spec.Model, p.Spec.Scale, p.Spec.Start, p.Spec.Duration = s.Settings.Model, scaleOf(s), r.Start, r.Duration
	for _, step := range s.Plan.Steps {
		if what, lost := strings.CutPrefix(step, "lost: "); lost {
			p.Lost = append(p.Lost, what)
		} else {
			p.Kept = append(p.Kept, step)
		}
	}
	return &job.Job{Plan: p, Output: r.Output}
}

// scaleOf returns a model's scale, or, for a model that only the server has, the
// picture's.
func scaleOf(s playback.Session) int {
	known, err := models.List()
	if err != nil {
		known = nil // then the picture's is told
	}
	for _, m := range known {
		if m.ID == s.Settings.Model {
			return m.Scale
		}
	}
	return max(1, s.Film.Video.Delivered.Height/max(1, s.Film.Video.Source.Height))
}

func (a *afar) progress(s playback.Session) pipeline.Progress {
	p := pipeline.Progress{
		Elapsed: time.Since(a.begun), Position: time.Duration(s.Progress.Position * float64(time.Second)),
		Decoded: s.Progress.Decoded, Upscaled: s.Progress.Upscaled, Encoded: s.Progress.Encoded, Plain: s.Progress.Plain,
		Model: upscale.Stats{},
	}
	p.Model.Model, p.Model.Provider = s.Settings.Model, s.Settings.Provider
	if s.Stats != nil {
		p.Model.Model, p.Model.Provider = cmp.Or(s.Stats.Model, p.Model.Model), cmp.Or(s.Stats.Provider, p.Model.Provider)
	}
	return p
}

// done shows what it came to.
func (a *afar) done(s playback.Session) {
	if a.job == nil {
		a.job = a.plan(s)
	}
	a.show.done(outcome{job: a.job, result: pipeline.Result{Progress: a.progress(s)}})
}
