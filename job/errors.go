package job

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

// The codes of errors that a job adds to those of package pipeline.
const (
	CodeOutputExists  pipeline.Code = "output_exists"
	CodeOutputRefused pipeline.Code = "output_refused"
	CodeModelUnknown  pipeline.Code = "model_unknown"
	CodeModelInvalid  pipeline.Code = "model_invalid"
	CodeProvider      pipeline.Code = "provider_unavailable"
	CodeRuntime       pipeline.Code = "runtime_missing"
)

func fail(code pipeline.Code, cause error, format string, args ...any) error {
	return &pipeline.Error{Code: code, Sentence: fmt.Sprintf(format, args...), Cause: cause}
}

// WithCode gives errors of the model, its runtime and the disk their codes.
// Other errors are returned as they are.
func WithCode(err error) error {
	var coded *pipeline.Error
	if errors.As(err, &coded) && coded.Code != pipeline.CodeModel && coded.Code != pipeline.CodeInternal {
		return err
	}
	var bad *infer.ModelError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return fail(CodeModelInvalid, nil, "%s", bad.Error())
	case errors.Is(err, models.ErrUnknown), errors.Is(err, models.ErrBadID), errors.Is(err, models.ErrFile):
		return fail(CodeModelUnknown, nil, "%s", err.Error())
	case errors.Is(err, infer.ErrProvider):
		return fail(CodeProvider, nil, "%s", err.Error())
	case errors.Is(err, infer.ErrRuntime):
		return fail(CodeRuntime, nil, "%s", err.Error())
	case errors.Is(err, syscall.ENOSPC):
		return fail(pipeline.CodeDiskFull, err, "the disk is full")
	}
	return err
}

// modelError is WithCode for an error met while a model was opened, where a
// missing file is the model's.
func modelError(err error) error {
	var missing *fs.PathError
	if errors.As(err, &missing) {
		return fail(CodeModelUnknown, err, "there is no model file %s", missing.Path)
	}
	return WithCode(err)
}
