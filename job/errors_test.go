package job

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
)

func TestEveryErrorGetsItsCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		want pipeline.Code
	}{
		{&infer.ModelError{Model: "m", Reason: infer.ErrModelValues}, CodeModelInvalid},
		{fmt.Errorf("open: %w", models.ErrUnknown), CodeModelUnknown},
		{models.ErrBadID, CodeModelUnknown},
		{&fs.PathError{Op: "open", Path: "m.onnx", Err: fs.ErrNotExist}, CodeModelUnknown},
		{fmt.Errorf("%w: cuda", infer.ErrProvider), CodeProvider},
		{infer.ErrRuntime, CodeRuntime},
		{errors.New("anything"), pipeline.CodeInternal},
	} {
		if got := pipeline.CodeOf(modelError(c.err)); got != c.want {
			t.Errorf("%v has the code %s, want %s", c.err, got, c.want)
		}
	}
	full := fmt.Errorf("sync: %w", syscall.ENOSPC)
	if got := pipeline.CodeOf(WithCode(full)); got != pipeline.CodeDiskFull {
		t.Errorf("a full disk has the code %s", got)
	}
	wrapped := &pipeline.Error{Code: pipeline.CodeModel, Sentence: "the model failed", Cause: fmt.Errorf("%w: cuda", infer.ErrProvider)}
	if got := pipeline.CodeOf(WithCode(wrapped)); got != CodeProvider {
		t.Errorf("a provider refused midway has the code %s", got)
	}
	kept := &pipeline.Error{Code: pipeline.CodeDamaged, Sentence: "damaged"}
	if got := WithCode(kept); !errors.Is(got, kept) {
		t.Errorf("an error with a code became %v", got)
	}
	if WithCode(nil) != nil {
		t.Error("no error became one")
	}
}
