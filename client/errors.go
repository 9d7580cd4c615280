package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// The codes of failures that are found on this side. All others are the server's.
const (
	// CodeUnreachable: nobody answers at the server's address.
	CodeUnreachable problem.Code = "server_unreachable"
	// CodeLost: the connection broke, and the server does not say why.
	CodeLost problem.Code = "remote_lost"
	// CodeNoServer: what answers is not a server of upscaled, or not one that transcodes.
	CodeNoServer problem.Code = "remote_unknown"
)

// Error is a failure with the server's code and sentence, or one of the codes of this
// package.
type Error struct {
	Code     problem.Code
	Sentence string
	Cause    error // nil where the server said it

	passes bool          // another attempt may find it otherwise
	after  time.Duration // which is not before that, 0 where the server does not say
}

// unanswered reports whether no server of upscaled has said it: a proxy answers for one
// that is away, too.
func (e *Error) unanswered() bool { return e.Code == CodeUnreachable || e.Code == CodeNoServer }

// Error returns the sentence, and the cause if there is one.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Sentence
	}
	return fmt.Sprintf("%s: %v", e.Sentence, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// refusal returns what an answer says that grants nothing.
func (c *Client) refusal(answer *http.Response) error {
	var p problem.Problem
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if err != nil || json.Unmarshal(text, &p) != nil || p.Code == "" {
		return &Error{
			Code: CodeNoServer, Sentence: fmt.Sprintf("%s answers %s, which no server of upscaled does", c.Address(), answer.Status), Cause: err,
			passes: answer.StatusCode >= http.StatusBadGateway && answer.StatusCode <= http.StatusGatewayTimeout,
		}
	}
	e := &Error{Code: p.Code, Sentence: cmp.Or(p.Detail, p.Title), after: time.Duration(p.RetryAfter) * time.Second}
	e.passes = e.after > 0 || e.Code == problem.SpoolFull // which a film of somebody else's may fill
	if e.after > 0 {
		e.Sentence = fmt.Sprintf("%s (try again in %d s)", strings.TrimSuffix(e.Sentence, "."), p.RetryAfter)
	}
	return e
}

// unreachable returns why there is no answer: ctx's cause, if that is why.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Error{Code: CodeUnreachable, Sentence: "no server answers at " + c.Address(), Cause: bare(err), passes: true}
}

// bare takes the URL out of an error, where there may be a query in it.
func bare(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}

// LostError says that the connection broke in a result.
type LostError struct {
	Attempt  int   // that broke, from 1, of those in a row that came no further
	Attempts int   // there may be
	Received int64 // bytes, of this attempt
	Cause    error
}

// Error implements error.
func (e *LostError) Error() string {
	return fmt.Sprintf("the connection broke after %d bytes of the result (attempt %d of %d): %v", e.Received, e.Attempt, e.Attempts, e.Cause)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Cause }

// MisfitError says that what was made anew of a result does not go on where the result
// broke off.
type MisfitError struct {
	At     time.Duration // of the result, where it was to go on
	Reason string
}

// Error implements error.
func (e *MisfitError) Error() string {
	return fmt.Sprintf("the result could not be taken up at %s: %s", e.At.Round(time.Millisecond), e.Reason)
}
