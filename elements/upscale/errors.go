package upscale

import "errors"

var (
	// ErrNotRegistered is returned when an element is made before Register.
	ErrNotRegistered = errors.New("the upscale element is not registered")
	// ErrSetting is returned for a property value that cannot be used.
	ErrSetting = errors.New("setting refused")
	// ErrPanic is returned for a panic that was caught at the border to GStreamer.
	ErrPanic = errors.New("internal error in the upscale element")
)
