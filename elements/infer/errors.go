package infer

import (
	"errors"

	"github.com/upscaled-media/upscaled/elements/infer/graph"
)

var (
	// ErrRuntime is returned when the ONNX Runtime library is missing or is
	// not the version that this program was built for.
	ErrRuntime = errors.New("ONNX Runtime cannot be used")
	// ErrProvider is returned when the provider that was asked for cannot run
	// the model here.
	ErrProvider = errors.New("the provider cannot run the model")
	// ErrFrame is returned for a frame that is not of the negotiated layout.
	ErrFrame = errors.New("the frame does not have the negotiated layout")
	// ErrConfig is returned for an option outside its range.
	ErrConfig = errors.New("the option is out of range")
	// ErrClosed is returned by Run after Close.
	ErrClosed = errors.New("the upscaler is closed")
)

// The ways in which a file is not a model that can upscale. Each comes inside
// a ModelError.
var (
	// ErrModelFormat means that the file is not ONNX, or is cut short.
	ErrModelFormat = graph.ErrNotONNX
	// ErrModelUnsupported means that the file is ONNX of a form that is not
	// taken: too old, too new, or with its weights in another file.
	ErrModelUnsupported = errors.New("it is ONNX of a form that is not supported")
	// ErrModelSignature means that the network does not turn one picture of
	// one or three channels into one picture of as many.
	ErrModelSignature = graph.ErrSignature
	// ErrModelRun means that ONNX Runtime cannot load or run the network.
	ErrModelRun = errors.New("it does not run")
	// ErrModelScale means that the output is not 1, 2, 3 or 4 times as wide
	// and as high as the input.
	ErrModelScale = errors.New("its output is not 1, 2, 3 or 4 times the size of its input")
	// ErrModelValues means that the network gives NaN or infinite values.
	ErrModelValues = errors.New("it gives values that are not numbers (NaN or infinity)")
	// ErrModelRange means that an evenly grey picture does not stay evenly
	// grey, whether white is fed as 1 or as 255.
	ErrModelRange = errors.New("it does not keep the brightness of a plain grey picture")
)

// ModelError says why a model was refused. The fault is the file's: the same
// file is refused every time.
type ModelError struct {
	Model  string // the name it was loaded under
	Reason error  // one of the ErrModel sentinels
	Detail error  // what exactly was seen; may be nil
}

// Error returns the whole sentence.
func (e *ModelError) Error() string {
	s := "model " + e.Model + " cannot be used: "
	switch {
	case e.Detail == nil:
		return s + e.Reason.Error()
	case errors.Is(e.Detail, e.Reason):
		return s + e.Detail.Error() // which says the reason itself
	default:
		return s + e.Reason.Error() + ": " + e.Detail.Error()
	}
}

// Unwrap lets errors.Is find the sentinel and the detail.
func (e *ModelError) Unwrap() []error {
	if e.Detail == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Detail}
}
