package pipeline

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/go-gst/go-gst/gst"
)

// failure is an error or a warning that an element posted.
type failure struct {
	domain, text, debug string
	code                int
	flow                gst.FlowReturn // that ended the stream, FlowOK where none is told
	path, factory       string         // of the element
}

// Error returns what the element said, for the log.
func (f *failure) Error() string {
	return fmt.Sprintf("%s: %s [%s %d, %s]", f.path, f.text, f.domain, f.code, f.debug)
}

// classify says what a failure means for the user.
func (f *failure) classify() *Error {
	is := func(domain string, codes ...gst.ErrorCode) bool {
		for _, c := range codes {
			if f.domain == domain && f.code == int(c) {
				return true
			}
		}
		return false
	}
	switch {
	case is("STREAM", gst.StreamErrorDecrypt, gst.StreamErrorDecryptNoKey), strings.Contains(f.text+f.debug, "encrypted"):
		return fail(CodeEncrypted, f, "the file is encrypted; it cannot be decoded without its key")
	case is("RESOURCE", gst.ResourceErrorNoSpaceLeft), strings.Contains(f.debug, "No space left"):
		return fail(CodeDiskFull, f, "the disk is full")
	case f.factory == "fdsink":
		return fail(CodeOutput, f, "the output takes nothing any more")
	case is("RESOURCE", gst.ResourceErrorNotFound):
		return fail(CodeNotFound, f, "the file is gone")
	case is("RESOURCE", gst.ResourceErrorRead, gst.ResourceErrorOpenRead):
		return fail(CodeUnreadable, f, "the file cannot be read")
	case is("STREAM", gst.StreamErrorTypeNotFound), is("STREAM", gst.StreamErrorWrongType) && f.factory == "parsebin":
		return fail(CodeNotMedia, f, "this is not a media file that GStreamer knows")
	case is("CORE", gst.CoreErrorMissingPlugin), is("STREAM", gst.StreamErrorCodecNotFound):
		return fail(CodeUnknownCodec, f, "GStreamer has no decoder for this file (%s)", f.text)
	case is("RESOURCE", gst.ResourceErrorFailed) && strings.HasPrefix(f.factory, "avdec_"):
		return f.unnamed(f.factory)
	case is("STREAM", gst.StreamErrorDemux, gst.StreamErrorDecode, gst.StreamErrorFormat, gst.StreamErrorWrongType):
		return fail(CodeDamaged, f, "the file is damaged: %s", f.text)
	case f.factory == "upscale":
		return fail(CodeModel, f, "the model failed: %s", f.text)
	case is("STREAM", gst.StreamErrorFailed):
		return fail(CodeDamaged, f, "the stream broke off in %s", f.factory)
	default:
		return fail(CodeInternal, f, "%s failed", f.factory)
	}
}

// unnamed says that a decoder of gst-libav makes pictures in a pixel format that
// GStreamer has no name for.
func (f *failure) unnamed(decoder string) *Error {
	return fail(CodeUnknownCodec, f, "GStreamer's decoder %s cannot hand on the pictures of this file", decoder)
}

// popError returns the first error on a pipeline's bus, nil if there is none.
func popError(pipe *gst.Pipeline) *failure {
	m := pipe.GetPipelineBus().PopFiltered(gst.MessageError)
	if m == nil {
		return nil
	}
	return parseFailure(m)
}

// How long the way to NULL may take. A thread that is stuck in a read or in a
// driver cannot be ended from outside; one of a run that has stalled has had its
// time already.
const (
	downTimeout        = 15 * time.Second
	stalledDownTimeout = 500 * time.Millisecond
)

// takeDown brings a pipeline to NULL. It returns an *Error that wraps ErrStuck when
// a thread of it does not end in time. That thread is then lost, and nothing of the
// pipeline may be freed.
func takeDown(pipe *gst.Pipeline, timeout time.Duration) error {
	done := make(chan error, 1) // one result, so that a late one blocks nobody
	go func() {
		err := pipe.SetState(gst.StateNull)
		runtime.KeepAlive(pipe) // the binding does not, and who gave up waiting may have let go of it
		done <- err
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fail(CodeInternal, err, "the pipeline did not stop")
		}
		return nil
	case <-timer.C:
		return fail(CodeStalled, ErrStuck, "the pipeline did not stop in %s", timeout)
	}
}
