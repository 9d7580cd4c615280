package models

import "errors"

var (
	// ErrBadID is returned for text that cannot be the id of a model. No file is
	// looked at then.
	ErrBadID = errors.New("not a model id")
	// ErrUnknown is returned for an id that no known model has.
	ErrUnknown = errors.New("unknown model")
	// ErrManifest is returned for a manifest that breaks a rule.
	ErrManifest = errors.New("bad model manifest")
	// ErrHash is returned when a model's data is not what its manifest says.
	ErrHash = errors.New("model data does not match its manifest")
	// ErrFile is returned for a path that is not a usable model file.
	ErrFile = errors.New("not a usable model file")
)
