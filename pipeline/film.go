package pipeline

import (
	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/source"
)

// Film is media that somebody else has opened.
type Film struct {
	Name   string // in sentences; nothing is opened by it
	Reader source.Reader
}

// element adds the source that reads the film to a pipeline.
func (f Film) element(pipe *gst.Pipeline) (*gst.Element, error) {
	if err := register(); err != nil {
		return nil, fail(CodeInternal, err, "GStreamer refused an element")
	}
	e, err := addElement(pipe, "readersrc", "source")
	if err != nil {
		return nil, err
	}
	if err := source.Attach(e.Unsafe(), f.Reader); err != nil {
		return nil, fail(CodeInternal, err, "the source takes no reader")
	}
	return e, nil
}
