package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// huma makes its errors by one variable for the whole process. It is set before
// anything runs, so that no goroutine can see the other one.
var _ = func() bool {
	huma.NewError = newError
	return true
}()

// newError returns the problem that huma finds with a request.
func newError(status int, sentence string, errs ...error) huma.StatusError {
	if status >= http.StatusInternalServerError {
		return problem.New(problem.Internal, "").Because(playback.Faulty(playback.Faults(errs...)...))
	}
	faults := playback.Faults(errs...)
	if len(faults) == 0 {
		return problem.New(problem.BadRequest, "%s", sentence)
	}
	return playback.Faulty(faults...)
}
