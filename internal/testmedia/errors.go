package testmedia

import "errors"

var (
	// ErrSpec is returned for a clip that cannot be drawn as asked.
	ErrSpec = errors.New("clip cannot be drawn")
	// ErrLayout is returned for a frame that does not have the clip's layout.
	ErrLayout = errors.New("frame does not fit the clip")
	// ErrNumber is returned for a picture that carries no readable frame number.
	ErrNumber = errors.New("no frame number in the picture")
)
