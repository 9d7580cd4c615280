package upscale

import "errors"

var (
	// ErrConfig is returned by Register for a Config that lacks a part.
	ErrConfig = errors.New("the upscale element cannot be registered")
	// ErrNotElement is returned by Of for what is no upscale element.
	ErrNotElement = errors.New("not an upscale element")
	// ErrSetting is returned for a property value that cannot be used, or not now.
	ErrSetting = errors.New("setting refused")
	// ErrCaps is returned for video that the element does not take.
	ErrCaps = errors.New("video refused")
	// ErrPanic is returned for a panic that was caught at the border to GStreamer.
	ErrPanic = errors.New("internal error in the upscale element")
)
