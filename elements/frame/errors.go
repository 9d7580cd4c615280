package frame

import "errors"

var (
	// ErrFormat is returned for a pixel format that the element does not take.
	ErrFormat = errors.New("unsupported pixel format")
	// ErrSize is returned for a width or height outside 1 to MaxSide.
	ErrSize = errors.New("frame size is out of range")
	// ErrPlane is returned for a plane that is too small for its layout.
	ErrPlane = errors.New("plane does not hold its frame")
)
