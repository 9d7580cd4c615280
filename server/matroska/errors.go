package matroska

import "errors"

// Errors of what a Writer is asked to write.
var (
	// ErrTrack is wrapped where a track cannot be written, or is not there.
	ErrTrack = errors.New("this is no track for Matroska")
	// ErrBlock is wrapped where a block has no data, or a time that cannot be written.
	ErrBlock = errors.New("this is no block for Matroska")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the Matroska stream is closed")
)

// ErrForm is wrapped where what a Reader reads is not what a muxer makes that cannot go back.
var ErrForm = errors.New("this is no stream of Matroska")
