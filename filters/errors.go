package filters

import "errors"

var (
	// ErrPreset is returned for a preset that does not exist.
	ErrPreset = errors.New("unknown preset")
	// ErrLUTName is returned for a name of a LUT that cannot be one.
	ErrLUTName = errors.New("not a name of a LUT")
	// ErrCubeSyntax is returned for what is not a .cube file.
	ErrCubeSyntax = errors.New("not a .cube file")
	// ErrCubeSize is returned for a .cube file of a size outside the limits.
	ErrCubeSize = errors.New("LUT size is out of range")
)
