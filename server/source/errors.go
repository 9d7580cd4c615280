package source

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of failure; it is stable across releases.
type Code string

// The codes of errors.
const (
	CodeRefused     Code = "source_refused"      // the configuration does not permit it, or it is no name
	CodeNotFound    Code = "source_not_found"    // there is nothing of that name
	CodeUnreadable  Code = "source_unreadable"   // it is there, and no film can be read from it
	CodeEmpty       Code = "source_empty"        // it has no bytes
	CodeUnreachable Code = "source_unreachable"  // its server does not answer, or too slowly
	CodeChanged     Code = "source_changed"      // it is not what it was when it was opened
	CodeNotSeekable Code = "source_not_seekable" // its server gives no ranges
	CodeTooLarge    Code = "source_too_large"    // it has more bytes than the configuration permits
)

// ErrClosed is returned by what is asked of a Source after its end.
var ErrClosed = errors.New("source is closed")

// Error is a failure with a stable code and a sentence for the user, which holds
// no path outside the roots, no password and no query of a URL. What lies behind
// it, for the log, is in Unwrap, and holds none either.
type Error struct {
	Code     Code
	Sentence string
	Cause    error

	again bool          // it may go better another time
	after time.Duration // for so long it will not, says the server
}

// Error returns the sentence, and the cause if there is one.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Sentence
	}
	return fmt.Sprintf("%s (%v)", e.Sentence, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code of the first Error in err's chain, "" if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func fail(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Sentence: fmt.Sprintf(format, args...), Cause: cause}
}
