package pipeline

import (
	"errors"
	"fmt"
)

// Code names a kind of failure; it is stable across releases.
type Code string

// The codes of errors that a file, a request or the machine can cause.
const (
	CodeNotFound     Code = "source_not_found"
	CodeUnreadable   Code = "source_unreadable"
	CodeEmpty        Code = "source_empty"
	CodeNotMedia     Code = "not_media"
	CodeNoVideo      Code = "no_video"
	CodeEncrypted    Code = "encrypted"
	CodeUnknownCodec Code = "unknown_codec"
	CodeTooLarge     Code = "picture_too_large"
	CodeDamaged      Code = "damaged"
	CodeSizeChanged  Code = "size_changed"
	CodeHDR          Code = "hdr_refused"
	CodeStalled      Code = "stalled"
	CodeDiskFull     Code = "disk_full"
	CodeSpec         Code = "bad_request"
	CodeMissing      Code = "element_missing"
	CodeModel        Code = "model_failed"
	CodeInternal     Code = "internal"
	CodeNotStream    Code = "not_streamable"
	CodeOutput       Code = "output_failed"
)

// Error is a failure with a stable code and a sentence for the user. What lies
// behind it, for the log, is in Unwrap.
type Error struct {
	Code     Code
	Sentence string
	Cause    error
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

// ErrStuck says that a thread of a pipeline did not end. It and what it uses are
// lost until the process ends.
var ErrStuck = errors.New("a thread is stuck")

func fail(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Sentence: fmt.Sprintf(format, args...), Cause: cause}
}

// CodeOf returns the code of the first Error in err's chain, CodeInternal if
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
