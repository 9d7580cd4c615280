package transcode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// errGone says that the client hung up. Nobody is told.
var errGone = errors.New("client hung up")

// FullError says that nobody may wait any more.
type FullError struct {
	Limit   int                   // of those that wait
	Refused *session.RefusedError // what they wait for
}

// Error implements error.
func (e *FullError) Error() string {
	return fmt.Sprintf("%d transcodes wait already: %v", e.Limit, e.Refused)
}

// Unwrap returns why they wait.
func (e *FullError) Unwrap() error { return e.Refused }

func incomplete(cause error) error {
	return problem.New(problem.BodyIncomplete, "the body broke off before its end").Because(cause)
}

func stalledBody(idle time.Duration) error {
	return problem.New(problem.BodyStalled, "nothing more of the body came for %s", idle)
}

func stalledReader(idle time.Duration) error {
	return problem.New(problem.ReaderStalled, "nothing of the result was taken for %s", idle)
}

// Problem returns what a client is told of an error.
func Problem(err error) *problem.Problem {
	if full, ok := errors.AsType[*FullError](err); ok {
		p := problem.New(problem.QueueFull, "").Because(err)
		p.Figures = map[string]float64{"queue_waiting": float64(full.Limit), "queue_limit": float64(full.Limit)}
		if full.Refused != nil {
			p.Detail += " They wait for: " + string(full.Refused.Reason) + "."
			p = p.Later(full.Refused.RetryAfter)
		}
		return p
	}
	if told, ok := errors.AsType[*problem.Problem](err); ok {
		return told
	}
	ended, ok := errors.AsType[*session.EndedError](err)
	switch {
	case !ok:
	case ended.Failure != nil:
		p := problem.New(problem.Code(ended.Failure.Code), "%s", ended.Failure.Sentence)
		if ended.Failure.Detail != "" {
			p = p.Because(errors.New(ended.Failure.Detail))
		}
		return p
	case ended.Cause == session.CauseShutdown:
		return problem.New(problem.ShuttingDown, "")
	}
	if left(err) {
		return problem.New(problem.ClientGone, "the client hung up before the result was whole").Because(err)
	}
	return playback.Problem(err)
}

// failure is what a session tells of an error that ends it.
func failure(err error) *wire.Error {
	p := Problem(err)
	f := &wire.Error{Code: string(p.Code), Sentence: p.Detail}
	if cause := p.Unwrap(); cause != nil {
		f.Detail = cause.Error()
	}
	return f
}

// left reports whether an error is that of a client that is gone.
func left(err error) bool { return errors.Is(err, errGone) || errors.Is(err, context.Canceled) }
