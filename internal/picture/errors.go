package picture

import "errors"

var (
	// ErrSize is returned when planes that must be of one size are not, or when
	// a plane is too small for what is asked of it.
	ErrSize = errors.New("picture sizes do not fit")
	// ErrFormat is returned when frames that must share a pixel format do not.
	ErrFormat = errors.New("pixel formats do not fit")
)
