package fmp4

import "errors"

// ErrMedia is wrapped by errors of what a worker sent: the film's fault or ours, never the client's.
var ErrMedia = errors.New("this cannot be written as MP4")
