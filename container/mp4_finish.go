package container

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// maxMovie is the most bytes of a movie box that Finish takes: its sample tables
// grow with the film, by about 10 MiB an hour with several tracks.
const maxMovie = 256 << 20

// planMP4 lays out a movie box with a chapter list and tracks chosen by default.
// The media stays where it is, so the sample tables stay right.
//
//	movie box behind the media: written anew in its place, what follows moves on
//	movie box in front:         written over it and over free room behind it, which
//	                            without chapters it always fits;
//	                            else behind all, and the old one becomes free room
func planMP4(src source, changes Changes) (patch, error) {
	if len(changes.Attachments) > 0 || changes.Tags != nil || changes.Title != "" {
		return patch{}, fmt.Errorf("%w: MP4 takes chapters and the choice of tracks only", ErrUnsupported)
	}
	if len(changes.Editions) == 0 && changes.Tracks == nil {
		return patch{}, nil
	}
	boxes, at, err := topBoxes(src)
	if err != nil {
		return patch{}, layoutError(err)
	}
	old := boxes[at]
	moov, err := newMovie(src, old, changes)
	if err != nil {
		return patch{}, layoutError(err)
	}
	if int64(len(moov)) > maxMovie {
		return patch{}, fmt.Errorf("%w: movie box of %d bytes", ErrLayout, len(moov))
	}
	room := old.end
	inFront := false
	for _, b := range boxes[at+1:] {
		if b.start == room && (b.kind == "free" || b.kind == "skip") {
			room = b.end
		}
		inFront = inFront || b.kind == "mdat"
	}
	switch free := room - old.start - int64(len(moov)); {
	case !inFront:
		rest, err := src.bytes(old.end, src.size-old.end)
		if err != nil {
			return patch{}, layoutError(err)
		}
		all := append(moov, rest...)
		here := src.size - old.start
		return patch{
			over:  []overwrite{{old.start, all[:here]}},
			tails: []tail{tailOf(all[here:])},
		}, nil
	case free == 0 || free >= 8:
		return patch{over: []overwrite{{old.start, appendFree(moov, free)}}}, nil
	}
	return patch{
		over:  []overwrite{{old.start + 4, []byte("free")}},
		tails: []tail{tailOf(moov)},
	}, nil
}

// appendFree fills n bytes, 0 or at least 8, with a free box.
func appendFree(b []byte, n int64) []byte {
	if n == 0 {
		return b
	}
	return appendBox(b, "free", make([]byte, n-8))
}

// topBoxes lists the boxes of a file and says which is the movie box. A
// fragmented file is refused: its fragments are found by offsets of their own.
func topBoxes(src source) (boxes []box, moov int, err error) {
	moov = -1
	for b, err := range src.boxes(0, src.size) {
		if err != nil {
			return nil, 0, err
		}
		switch {
		case b.kind == "moof":
			return nil, 0, fmt.Errorf("%w: the file is fragmented", ErrLayout)
		case b.open || b.kind == "moov" && (moov >= 0 || b.data-b.start != 8):
			return nil, 0, fmt.Errorf("%w: box %s", ErrLayout, b.kind)
		case b.kind == "moov":
			moov = len(boxes)
		}
		boxes = append(boxes, b)
	}
	if moov < 0 {
		return nil, 0, fmt.Errorf("%w: no movie box", ErrLayout)
	}
	return boxes, moov, nil
}

// newMovie writes a movie box anew: with a chpl box in its user data if there are
// chapters to write, and its tracks as the changes say.
func newMovie(src source, moov box, changes Changes) ([]byte, error) {
	if moov.end-moov.data > maxMovie {
		return nil, fmt.Errorf("%w: movie box of %d bytes", ErrLayout, moov.end-moov.data)
	}
	// Room for the chapters and headers, so that a long movie box is copied once.
	b := make([]byte, 8, moov.end-moov.start+maxChpl+16)
	copy(b[4:], "moov")
	userData := []byte{}
	next := 0
	for child, err := range src.boxes(moov.data, moov.end) {
		if err != nil {
			return nil, err
		}
		if child.kind == "udta" && len(changes.Editions) > 0 {
			kept, err := userDataOf(src, child)
			if err != nil {
				return nil, err
			}
			userData = append(userData, kept...)
			continue
		}
		raw, err := src.bytes(child.start, child.end-child.start)
		if err != nil {
			return nil, err
		}
		if child.kind == "trak" && changes.Tracks != nil {
			if err := choose(raw, changes.Tracks, next); err != nil {
				return nil, err
			}
			next++
		}
		b = append(b, raw...)
	}
	if next < len(changes.Tracks) {
		return nil, fmt.Errorf("%w: %d tracks, not %d", ErrTracks, next, len(changes.Tracks))
	}
	if len(changes.Editions) > 0 {
		b = appendBox(b, "udta", appendChpl(userData, changes.Editions[0].Chapters))
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b, nil
}

// choose writes into a track box, the n-th, whether its track plays when nobody
// asks for another, and that one of the tracks of its kind plays at a time. All
// that mp4mux writes are enabled and in no group, so that a player may show all
// subtitles at once.
func choose(trak []byte, changes []TrackChange, n int) error {
	if n >= len(changes) {
		return fmt.Errorf("%w: more than %d tracks", ErrTracks, n)
	}
	src := newSource(bytes.NewReader(trak), int64(len(trak)))
	all, err := src.box(0, src.size)
	if err != nil {
		return err
	}
	track, err := readMP4Track(src, all)
	if err != nil {
		return err
	}
	if track.Type != changes[n].Type {
		return fmt.Errorf("%w: track %d is %v, not %v", ErrTracks, n+1, track.Type, changes[n].Type)
	}
	header, err := src.find(all, "tkhd")
	if err != nil {
		return err
	}
	const enabled = 1
	f := fields(trak[header.data:header.end])
	group := f.wide(34, 46)
	if len(f) < group+2 {
		return errBroken
	}
	f[3] &^= enabled
	if changes[n].Flags.Default {
		f[3] |= enabled
	}
	binary.BigEndian.PutUint16(f[group:], uint16(track.Type))
	return nil
}

// userDataOf is the content of a udta box but for its chapters.
func userDataOf(src source, udta box) ([]byte, error) {
	var kept []byte
	for b, err := range src.boxes(udta.data, udta.end) {
		if err != nil {
			return nil, err
		}
		if b.kind == "chpl" {
			continue
		}
		raw, err := src.bytes(b.start, b.end-b.start)
		if err != nil {
			return nil, err
		}
		kept = append(kept, raw...)
	}
	return kept, nil
}
