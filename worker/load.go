package worker

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/pipeline"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// load takes a model's descriptor, and loads it on a goroutine of its own. An error
// breaks the connection.
func (w *worker) load(m wire.Load) error {
	kind, f, err := wire.ReceiveSource(w.descriptors)
	if err != nil {
		return err
	}
	if kind != wire.SourceModel {
		closeAll(f)
		return errors.New("the server sent a film in place of a model")
	}
	w.start(func() { w.reply(wire.Reply{ID: m.ID, Error: public(w.addModel(m, f))}) })
	return nil
}

// addModel reads a model, which must be the one that the server means, and makes it
// known. The file is its own from here on.
func (w *worker) addModel(m wire.Load, f *os.File) error {
	defer closeAll(f)
	data, err := io.ReadAll(io.NewSectionReader(f, 0, models.MaxBytes+1))
	if err == nil {
		err = models.Verify(data, m.SHA256)
	}
	if err != nil {
		return &pipeline.Error{Code: codeModelInvalid, Sentence: fmt.Sprintf("the file of model %s is not what its manifest says", m.Model), Cause: err}
	}
	return w.cfg.Models.Add(m.Model, data)
}

// codeModelInvalid is that of jobs for a model that cannot be used.
const codeModelInvalid pipeline.Code = "model_invalid"
