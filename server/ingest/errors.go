package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The codes of errors, beside those of package source.
const (
	CodeLost        = "source_lost"    // it was there, and does not come back
	CodeNotMedia    = "not_media"      // what comes is no stream
	CodeNoVideo     = "no_video"       // it has no picture
	CodeUnknown     = "unknown_codec"  // its picture is of a codec that is not carried
	CodeMute        = "sound_left_out" // of a warning: its sound is of codecs that are not carried
	codeUnreachable = string(source.CodeUnreachable)
	codeInternal    = "internal" // a fault of the server
)

// errEnd is returned by a reader whose source says that there is no more.
var errEnd = errors.New("source has ended")

// errStalled is the cause of a connection on which no picture comes.
var errStalled = errors.New("no picture came in time")

// passing is an error after which another try may go better.
type passing struct{ told *wire.Error }

// Error implements error.
func (p passing) Error() string { return p.told.Sentence }

// Unwrap returns what users are told.
func (p passing) Unwrap() error { return p.told }

// final returns an error that another try does not mend.
func final(code string, cause error, format string, args ...any) error {
	return coded(code, cause, format, args...)
}

// again returns an error that another try may mend.
func again(cause error, format string, args ...any) error {
	return passing{coded(codeUnreachable, cause, format, args...)}
}

func coded(code string, cause error, format string, args ...any) *wire.Error {
	e := &wire.Error{Code: code, Sentence: fmt.Sprintf(format, args...)}
	if cause != nil {
		e.Detail = plain(cause)
	}
	return e
}

// plain returns what an error says without the URL that net/http and net/url put in front of it: that may hold secrets.
func plain(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		return plain(of.Err)
	}
	return err.Error()
}

// unreachable returns what an error of a connection is: final where the configuration refuses it, passing otherwise.
func unreachable(name string, err error) error {
	var refused *source.Error
	var told *wire.Error
	var dialled *net.OpError
	switch {
	case errors.As(err, &told):
		return err
	case errors.As(err, &refused) && refused.Code != source.CodeUnreachable:
		return &wire.Error{Code: string(refused.Code), Sentence: refused.Sentence, Detail: plain(err)}
	case errors.Is(err, errStalled):
		return again(err, "%q sends no picture", name)
	case errors.As(err, &dialled) && dialled.Op == "dial", errors.Is(err, os.ErrDeadlineExceeded):
		return again(err, "the host of %q does not answer", name)
	}
	return again(err, "the connection to %q broke off", name)
}

// status returns what an answer means that is not the stream, in HTTP's numbers, which are RTSP's, too.
func status(name string, code int) error {
	switch {
	case code == http.StatusNotFound, code == http.StatusGone:
		return final(string(source.CodeNotFound), nil, "there is no %q (status %d)", name, code)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return again(nil, "the server of %q cannot give it now (status %d)", name, code)
	}
	return final(string(source.CodeUnreadable), nil, "the server of %q does not give it (status %d)", name, code)
}

// passes reports whether another try may go better. Once there was a picture everything may: a source that is
// started anew is not there for a while.
func passes(err error, seen bool) bool {
	var p passing
	if errors.As(err, &p) {
		return true
	}
	var told *wire.Error
	if !seen || !errors.As(err, &told) {
		return false
	}
	switch told.Code {
	case string(source.CodeNotFound), string(source.CodeUnreadable), CodeNotMedia, CodeNoVideo, CodeUnknown:
		return true
	}
	return false
}

// detail returns what an error tells the log alone.
func detail(err error) string {
	var told *wire.Error
	if errors.As(err, &told) {
		return told.Detail
	}
	return ""
}

// because returns the cause of a context that has ended, err otherwise: what a connection says then is of no interest.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
