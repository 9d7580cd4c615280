package playback

import (
	"context"
	"errors"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// rows give the errors without a type of their own their codes. A sentence of
// them may be told; "" stands for the code's own advice. The first that matches
// counts.
var rows = []struct {
	err      error
	code     problem.Code
	sentence bool // the error's own text is for the client
}{
	{session.ErrNotFound, problem.SessionUnknown, false},
	{session.ErrKind, problem.SessionKind, true},
	{session.ErrDraining, problem.ShuttingDown, false},
	{pool.ErrEnded, problem.ShuttingDown, false},
	{session.ErrRequest, problem.BadRequest, true},
	{session.ErrNoStream, problem.StreamUnknown, true},
	{session.ErrNoSegment, problem.SegmentOutOfRange, false},
	{playout.ErrPast, problem.SegmentOutOfRange, true},
	{session.ErrLate, problem.Timeout, false},
	{pool.ErrNoWorker, problem.WorkerUnavailable, false},
	{pool.ErrNoReply, problem.WorkerHung, false},
	{pool.ErrGone, problem.WorkerFailed, false},
	{models.ErrUnknown, problem.ModelUnknown, true},
	{models.ErrBadID, problem.ModelUnknown, true},
	{filters.ErrPreset, problem.BadRequest, true},
	{filters.ErrLUTName, problem.LUTUnknown, true},
	{context.Canceled, problem.Timeout, false},
}

// Problem returns what a client is told of an error of this package, or of those
// below it.
func Problem(err error) *problem.Problem {
	var told *problem.Problem
	var ended *session.EndedError
	var refused *session.RefusedError
	var failed *source.Error
	var said *wire.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &ended): // before what it wraps: to a player the session has ended
		return over(ended)
	case errors.As(err, &refused):
		return refusal(refused)
	case errors.As(err, &failed):
		return problem.New(problem.Code(failed.Code), "%s", failed.Sentence).Because(err)
	case errors.As(err, &said):
		return problem.New(problem.Code(said.Code), "%s", said.Sentence).Because(errors.Join(err, detail(said)))
	}
	for _, row := range rows {
		if !errors.Is(err, row.err) {
			continue
		}
		sentence := ""
		if row.sentence {
			sentence = err.Error()
		}
		return problem.New(row.code, "%s", sentence).Because(err)
	}
	return problem.From(err)
}

// detail returns what a worker says for the log alone.
func detail(said *wire.Error) error {
	if said.Detail == "" {
		return nil
	}
	return errors.New(said.Detail)
}

// over tells how a session ended.
func over(ended *session.EndedError) *problem.Problem {
	if f := ended.Failure; f != nil {
		return problem.New(problem.SessionEnded, "the session failed (%s): %s", f.Code, f.Sentence).Because(ended)
	}
	return problem.New(problem.SessionEnded, "the session has ended: %s", causes[ended.Cause])
}

var causes = map[session.Cause]string{
	session.CauseEOS: "the film was played to its end", session.CauseClient: "it was deleted",
	session.CauseIdle: "nobody asked for anything", session.CauseShutdown: "the server is ending",
}

// refusal tells what there is no room for.
func refusal(r *session.RefusedError) *problem.Problem {
	code, unit := problem.Busy, "_ms_per_s"
	if r.Reason == session.ReasonSessions {
		code, unit = problem.TooManySessions, ""
	}
	p := problem.New(code, "").Because(r)
	p.Figures = map[string]float64{}
	for name, value := range map[string]float64{"needed": r.Needed, "used": r.Used, "limit": r.Limit} {
		p.Figures[string(r.Reason)+"_"+name+unit] = value
	}
	if r.RetryAfter > 0 {
		return p.Later(r.RetryAfter)
	}
	// It does not fit an idle machine: trying again cannot help.
	p.Retryable, p.RetryAfter = false, 0
	p.Detail = "The machine is too slow for this session; choose a lighter model or a smaller size. The figures say how much is missing."
	return p
}

// Faulty returns the problem of a request with single faults.
func Faulty(faults ...problem.Fault) *problem.Problem {
	sentence := "The request has faults."
	if len(faults) > 0 {
		sentence = faults[0].Where + ": " + faults[0].What
	}
	p := problem.New(problem.BadRequest, "%s", sentence)
	p.Faults = faults
	return p
}
