package hls

import "errors"

var (
	// ErrFilm is wrapped by errors of facts about a film that no playlist can be made of. They
	// come from a worker, so the fault is the film's or ours, never the client's.
	ErrFilm = errors.New("no playlist can be made of this film")
	// ErrCaller is wrapped by errors of arguments that only a bug of the server can bring.
	ErrCaller = errors.New("wrong argument for a playlist")
	// ErrText is wrapped by errors of what is no WebVTT of this package's.
	ErrText = errors.New("no segment of subtitles")
	// ErrPath is wrapped by errors of a path that names nothing: the client's fault.
	ErrPath = errors.New("no such media")
)
