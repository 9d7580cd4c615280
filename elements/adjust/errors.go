package adjust

import "errors"

var (
	// ErrRegister is returned by Register when GStreamer refuses the element.
	ErrRegister = errors.New("the adjust element cannot be registered")
	// ErrNotElement is returned by Of for what is no adjust element.
	ErrNotElement = errors.New("not an adjust element")
	// ErrNoCube is returned by Set for settings that name a LUT which is not there.
	ErrNoCube = errors.New("the LUT is missing")
	// ErrPanic is returned for a panic that was caught at the border to GStreamer.
	ErrPanic = errors.New("internal error in the adjust element")
)
