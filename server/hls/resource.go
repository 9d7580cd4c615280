package hls

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// File says what a Resource holds of its stream.
type File uint8

// The files. A master playlist is of no stream, an init segment not of text.
const (
	FileMaster   File = iota + 1 // master.m3u8
	FilePlaylist                 // video/index.m3u8
	FileInit                     // video/<generation>/init.mp4
	FileSegment                  // video/<generation>/<segment>.m4s, text/0/<segment>.vtt
)

// Resource is what a path below a session's hls folder names.
type Resource struct {
	File       File
	Stream     wire.Stream // Index is 0 of video
	Generation int         // of FileInit and FileSegment, 0 of text
	Segment    int         // of FileSegment
}

const (
	masterName   = "master.m3u8"
	playlistName = "index.m3u8"
	initName     = "init.mp4"
	mediaSuffix  = ".m4s"
	textSuffix   = ".vtt"
)

// Path returns the path that names r, without a slash in front.
func (r Resource) Path() string {
	if r.File == FileMaster {
		return masterName
	}
	folder := string(r.Stream.Kind) + "/"
	if r.Stream.Kind != wire.StreamVideo {
		folder += strconv.Itoa(r.Stream.Index) + "/"
	}
	return folder + r.name()
}

// name returns the path from the folder of the stream's playlist on.
func (r Resource) name() string {
	switch {
	case r.File == FilePlaylist:
		return playlistName
	case r.Stream.Kind == wire.StreamText:
		return strconv.Itoa(r.Segment) + textSuffix
	case r.File == FileInit:
		return strconv.Itoa(r.Generation) + "/" + initName
	default:
		return strconv.Itoa(r.Generation) + "/" + strconv.Itoa(r.Segment) + mediaSuffix
	}
}

// ContentType returns the media type of r for an HTTP answer.
func (r Resource) ContentType() string {
	switch {
	case r.File == FileMaster || r.File == FilePlaylist:
		return "application/vnd.apple.mpegurl"
	case r.Stream.Kind == wire.StreamText:
		return "text/vtt; charset=utf-8"
	case r.Stream.Kind == wire.StreamAudio:
		return "audio/mp4"
	default:
		return "video/mp4"
	}
}

// ParsePath returns what a path names. There is one path for each Resource: numbers have neither
// signs nor leading zeros. Whether the stream or the segment exists is the caller's to say. Errors
// wrap ErrPath.
func ParsePath(path string) (Resource, error) {
	if path == masterName {
		return Resource{File: FileMaster}, nil
	}
	kind, rest, _ := strings.Cut(path, "/")
	r := Resource{Stream: wire.Stream{Kind: wire.StreamKind(kind)}}
	known := r.Stream.Kind == wire.StreamVideo
	if r.Stream.Kind == wire.StreamAudio || r.Stream.Kind == wire.StreamText {
		var index string
		index, rest, _ = strings.Cut(rest, "/")
		r.Stream.Index, known = number(index)
	}
	if !known || !r.parseName(rest) {
		return Resource{}, fmt.Errorf("%w: %.80q", ErrPath, path)
	}
	return r, nil
}

// parseName reads what name writes.
func (r *Resource) parseName(name string) (ok bool) {
	if name == playlistName {
		r.File = FilePlaylist
		return true
	}
	r.File = FileSegment
	if r.Stream.Kind == wire.StreamText {
		segment, is := strings.CutSuffix(name, textSuffix)
		r.Segment, ok = number(segment)
		return is && ok
	}
	generation, file, _ := strings.Cut(name, "/")
	if r.Generation, ok = number(generation); !ok {
		return false
	}
	if file == initName {
		r.File = FileInit
		return true
	}
	segment, is := strings.CutSuffix(file, mediaSuffix)
	r.Segment, ok = number(segment)
	return is && ok
}

// number reads a whole number below a thousand million as strconv.Itoa writes it.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n < 1e9 && strconv.Itoa(n) == s
}
