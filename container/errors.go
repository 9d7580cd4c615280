package container

import "errors"

var (
	// ErrLayout is returned by Finish for a file that is not laid out as
	// matroskamux or mp4mux leave one; the message says what differs.
	ErrLayout = errors.New("unexpected container layout")
	// ErrNoRoom is returned by Finish when the changed track facts do not fit
	// before the first cluster; a muxer that was given WritingApp's text left room.
	ErrNoRoom = errors.New("no room before the first cluster")
	// ErrTracks is returned by Finish when the changes do not name each track
	// of the file, in order, by its type.
	ErrTracks = errors.New("track changes do not match the file")
	// ErrUnsupported is returned by Finish for a change that the format cannot hold.
	ErrUnsupported = errors.New("container cannot hold this")
)

// errBroken marks bytes that do not parse. Read leaves out what follows;
// Finish reports it under ErrLayout.
var errBroken = errors.New("broken element")
