package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// typePrefix and a code make the type of a problem: a URI that is the same
// wherever the server runs and is not meant to be followed (RFC 9457 §3.1.1).
const typePrefix = "urn:upscaled:problem:"

// Problem is a failure with a code and a public sentence, and the document of
// RFC 9457 that is sent of it. It is an error; what lies behind it, for the log,
// is in Unwrap and never sent.
type Problem struct { //nolint:errname // RFC 9457's own term
	Type      string `json:"type" doc:"urn:upscaled:problem: and the code"`
	Title     string `json:"title" doc:"what the code means, the same each time"`
	Status    int    `json:"status" doc:"that of the answer"`
	Detail    string `json:"detail" doc:"a sentence about this failure, for the user"`
	Code      Code   `json:"code" doc:"names the kind of failure, and never changes"`
	Owner     Owner  `json:"owner" doc:"whose fault it is: media (the film, or where it comes from), client (the request), us (the server, its machine or configuration)"`
	Retryable bool   `json:"retryable" doc:"whether the same request may succeed later"`
	// RetryAfter is the kind's, unless Later has set it.
	RetryAfter int64 `json:"retry_after,omitempty" doc:"seconds to wait before; the header Retry-After says the same"`
	// Figures are finite numbers.
	Figures map[string]float64 `json:"figures,omitempty" doc:"numbers that explain the failure, by name with their unit"`
	Faults  []Fault            `json:"faults,omitempty" doc:"the single faults of a request: where they are and what they are"`

	takes string // the media type that is taken
	cause error
}

// Fault is what is wrong with one part of a request.
type Fault struct {
	Where string `json:"where" doc:"as in body.strength, query.start, path.id"`
	What  string `json:"what" doc:"a sentence"`
}

// New returns the problem of a code with a sentence as of fmt.Sprintf; without a
// sentence the kind's advice is given. A code that is not in the table is a
// mistake of ours, and becomes Internal.
func New(code Code, sentence string, args ...any) *Problem {
	kind, known := KindOf(code)
	detail, cause := fmt.Sprintf(sentence, args...), error(nil)
	if !known { // nor can the sentence be trusted to be meant for the public
		detail, cause = "", fmt.Errorf("unknown code %q: %s", code, detail)
	}
	if detail == "" {
		detail = kind.Advice
	}
	return &Problem{
		Type: typePrefix + string(kind.Code), Title: kind.Title, Status: kind.Status, Detail: detail, Code: kind.Code,
		Owner: kind.Owner, Retryable: kind.Retryable(), RetryAfter: wholeSeconds(kind.RetryAfter), cause: cause,
	}
}

// Because adds a private cause to a problem and returns it.
func (p *Problem) Because(err error) *Problem {
	p.cause = errors.Join(p.cause, err)
	return p
}

// Later sets when trying again may help and returns the problem.
func (p *Problem) Later(wait time.Duration) *Problem {
	p.Retryable, p.RetryAfter = true, max(1, wholeSeconds(wait))
	return p
}

// Taking says which media type is taken in place of the one that came, and returns the problem.
func (p *Problem) Taking(mediaType string) *Problem {
	p.takes = mediaType
	return p
}

// From returns the problem that an error stands for: the first Problem in its
// chain, one of the errors that the standard library gives to every handler, or
// Internal with nothing of the error in its sentence.
func From(err error) *Problem {
	var p *Problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return New(TooLarge, "the body may have %d bytes", tooLarge.Limit).Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return New(Timeout, "").Because(err)
	}
	return New(Internal, "").Because(err)
}

// Error is for the log: the code, the sentence and the private cause.
func (p *Problem) Error() string {
	if p.cause == nil {
		return fmt.Sprintf("%s: %s", p.Code, p.Detail)
	}
	return fmt.Sprintf("%s: %s: %v", p.Code, p.Detail, p.cause)
}

// Unwrap returns the private cause.
func (p *Problem) Unwrap() error { return p.cause }

// Is makes errors.Is true for problems of the same code.
func (p *Problem) Is(target error) bool {
	other, ok := target.(*Problem)
	return ok && other.Code == p.Code
}

// wholeSeconds rounds up: RFC 9110 §10.2.3 knows no fractions, and 0 would mean
// at once.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
