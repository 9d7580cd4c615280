package job

import (
	"errors"
	"io/fs"
	"os"

	"github.com/upscaled-media/upscaled/pipeline"
)

// Target is an output that somebody else fills than a Job, with a Job's promises:
// nothing is under the output's name that is not whole, and nothing is written over
// without Force.
type Target struct {
	Request Request  // with its output and container filled in
	Input   *os.File // a file with something in it
	File    *os.File // the hidden temporary one

	out *output
}

// OpenTarget checks a request's paths, opens its input and makes the temporary file.
// Whoever opened it calls Finish or Discard. Errors are of type *pipeline.Error.
func OpenTarget(r Request) (_ *Target, err error) {
	r, err = r.resolve()
	if err != nil {
		return nil, err
	}
	t := &Target{Request: r}
	if t.Input, err = openInput(r.Input); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = WithCode(errors.Join(err, t.Discard()))
		}
	}()
	if err := checkOutput(r); err != nil {
		return t, err
	}
	if t.out, err = createOutput(r.Output, r.Force); err != nil {
		return t, err
	}
	t.File, err = os.OpenFile(t.out.temp, os.O_RDWR, 0)
	return t, err
}

func openInput(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(pipeline.CodeNotFound, err, "there is no file %s", path)
	}
	if err != nil {
		return nil, fail(pipeline.CodeUnreadable, err, "%s cannot be read", path)
	}
	info, err := f.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		err = fail(pipeline.CodeUnreadable, err, "%s is no regular file", path)
	case info.Size() == 0:
		err = fail(pipeline.CodeEmpty, nil, "%s is empty", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Finish writes the file out to the disk and gives it its name.
func (t *Target) Finish() error {
	if err := errors.Join(t.File.Close(), t.out.finish()); err != nil {
		return WithCode(errors.Join(err, t.Discard()))
	}
	return t.Input.Close()
}

// Discard removes the temporary file.
func (t *Target) Discard() error {
	errs := []error{t.Input.Close()}
	if t.File != nil {
		_ = t.File.Close() // what is in it is of no use; it may be closed
	}
	if t.out != nil {
		errs = append(errs, t.out.discard())
	}
	return errors.Join(errs...)
}
