package score

import "errors"

var (
	// ErrNoPairs is returned for a folder without pairs of pictures.
	ErrNoPairs = errors.New("no pairs of pictures")
	// ErrAlone is returned for a picture whose other half is missing.
	ErrAlone = errors.New("picture without its other half")
	// ErrPicture is returned for a file that is not a picture that can be scored.
	ErrPicture = errors.New("picture cannot be scored")
	// ErrSize is returned for a pair whose sizes do not fit the scale.
	ErrSize = errors.New("picture sizes do not fit the scale")
)
