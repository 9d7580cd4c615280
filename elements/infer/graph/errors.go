package graph

import "errors"

var (
	// ErrNotONNX is returned for a file that is not an ONNX model, or only
	// part of one.
	ErrNotONNX = errors.New("not an ONNX model")
	// ErrExternalData is returned for a model whose weights lie in another
	// file. It has to be saved as one file.
	ErrExternalData = errors.New("the model keeps its weights in another file")
	// ErrOpset is returned for a model of an operator set outside MinOpset to
	// MaxOpset.
	ErrOpset = errors.New("unsupported ONNX operator set")
	// ErrSignature is returned for a model that is not a network from one
	// image to one image.
	ErrSignature = errors.New("not an image upscaling network")
	// ErrPlan is returned when a model cannot be wrapped for the frames that
	// are asked of it.
	ErrPlan = errors.New("the model does not fit these frames")
)
