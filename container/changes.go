package container

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Changes is what Finish writes into a file that a GStreamer muxer made.
type Changes struct {
	// Title is the film's (Matroska only); "" leaves the file as it is.
	Title string
	// Attachments are added (Matroska only). The readers behind their Data stay
	// open until Finish returns.
	Attachments []Attachment
	// Editions replace the file's chapters; nil leaves those. MP4 keeps the
	// first edition's start times and first titles, at most 255, without levels.
	Editions []Edition
	// Tags replace the muxer's (Matroska only); nil leaves those.
	Tags []Tag
	// Tracks relabels the tracks; in MP4 only Flags.Default is written. One entry for each track of
	// the file, in its order, which for matroskamux is the order in which its
	// pads were requested. nil leaves all tracks as they are.
	Tracks []TrackChange
}

// TrackChange is what one track is to say.
type TrackChange struct {
	// Label replaces the muxer's; an empty Language leaves the one that it
	// wrote, an empty Name or LanguageBCP47 leaves none.
	Label
	// Type is the track's, as a check that the entries are in the file's order.
	Type TrackType
	// UID replaces the track's, for tags name tracks by it; 0 leaves the muxer's.
	UID uint64
	// CodecID, if not "", replaces the track's codec, and Private its private data.
	// It is for packets that matroskamux takes only under another name, as PGS
	// subtitles (S_HDMV/PGS) go in as subpicture/x-dvd, or that it spoils the
	// private data of.
	CodecID string
	Private []byte
}

// Finish writes changes into the finished file at path, in place. Nothing that
// is there moves, so it costs no second copy of the media and no seek index
// changes. When it fails, the file is as it was before; it is not synced.
//
//   - Matroska: the head is written anew in the room before the first cluster,
//     attachments and tags (and chapters, when they are too long for the head)
//     follow the last element. The room is there when the muxer was given WritingApp. The
//     texts of the tags are written plainly (see matroska_tags.go).
//   - MP4: the movie box is written anew with a chapter list. One in front of the
//     media goes to the end of the file unless free room follows it, so that a
//     file muxed for fast start loses that to its chapters.
func Finish(path string, changes Changes) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return FinishFile(file, changes)
}

// FinishFile is Finish of a file that is open for reading and writing, and stays so.
// The file's own offset is left alone.
func FinishFile(file *os.File, changes Changes) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	src := newSource(file, info.Size())
	start, err := src.bytes(0, min(12, info.Size()))
	if err != nil {
		return fmt.Errorf("finish: %w", layoutError(err))
	}
	var plan patch
	switch sniff(start) {
	case Matroska:
		plan, err = planMatroska(src, changes)
	case MP4:
		plan, err = planMP4(src, changes)
	case Unknown:
		err = fmt.Errorf("%w: neither Matroska nor MP4", ErrLayout)
	}
	if err == nil {
		err = plan.apply(file, info.Size())
	}
	if err != nil {
		return fmt.Errorf("finish %s: %w", file.Name(), err)
	}
	return nil
}

// layoutError tells a broken file of our own muxers as ErrLayout.
func layoutError(err error) error {
	if errors.Is(err, errBroken) {
		return fmt.Errorf("%w: %w", ErrLayout, err)
	}
	return err
}

// labelRoom is the most bytes that a track's flags, its UID and the headers of
// its texts take, beside the texts themselves.
const labelRoom = 100

// headRoom is the most bytes that the seek head's new entries and the headers
// around the changed elements take.
const headRoom = 256

// maxHeadChapters is the longest Chapters element, in bytes, that room is kept
// for in front. A longer one goes behind the media, where players seek to it.
const maxHeadChapters = 64 << 10

// WritingApp is the text for matroskamux's writing-app property: name, then as
// many spaces as Finish needs to write the same changes before the first
// cluster. Finish takes the spaces away. Attachments take no room here.
func WritingApp(name string, changes Changes) string {
	room := headRoom + len(changes.Title)
	for _, t := range changes.Tracks {
		room += labelRoom + len(t.Name) + len(t.Language) + len(t.LanguageBCP47) + len(t.CodecID) + len(t.Private)
	}
	if n := len(appendChapters(nil, changes.Editions)); n <= maxHeadChapters {
		room += n
	}
	return name + strings.Repeat(" ", room)
}
