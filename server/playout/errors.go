package playout

import "errors"

var (
	// ErrPast is returned where a stream would begin behind the film's end.
	ErrPast = errors.New("the film has ended there")
	// ErrContainer is returned for a container that there is not.
	ErrContainer = errors.New("no such container")
	// ErrChanged is wrapped where a stream changes in a way that its container cannot carry on.
	ErrChanged = errors.New("the stream has changed")
)
