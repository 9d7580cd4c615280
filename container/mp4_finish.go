package container

import (
	"encoding/binary"
	"fmt"
)

// maxMovie is the most bytes of a movie box that Finish takes: its sample tables
// grow with the film, by about 10 MiB an hour with several tracks.
const maxMovie = 256 << 20

// planMP4 lays out a movie box with a chapter list. The media stays where it is,
// so the sample tables stay right.
//
//	movie box behind the media: written anew in its place, what follows moves on
//	movie box in front:         written over it and over free room behind it;
//	                            else behind all, and the old one becomes free room
func planMP4(src source, changes Changes) (patch, error) {
	if len(changes.Attachments) > 0 || changes.Tracks != nil || changes.Title != "" {
		return patch{}, fmt.Errorf("%w: MP4 takes chapters only", ErrUnsupported)
	}
	if len(changes.Editions) == 0 {
		return patch{}, nil
	}
	boxes, at, err := topBoxes(src)
	if err != nil {
		return patch{}, layoutError(err)
	}
	old := boxes[at]
	moov, err := withChapters(src, old, changes.Editions[0].Chapters)
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

// withChapters writes a movie box anew with a chpl box in its user data.
func withChapters(src source, moov box, chapters []Chapter) ([]byte, error) {
	if moov.end-moov.data > maxMovie {
		return nil, fmt.Errorf("%w: movie box of %d bytes", ErrLayout, moov.end-moov.data)
	}
	// Room for the chapters and headers, so that a long movie box is copied once.
	b := make([]byte, 8, moov.end-moov.start+maxChpl+16)
	copy(b[4:], "moov")
	userData := []byte{}
	for child, err := range src.boxes(moov.data, moov.end) {
		if err != nil {
			return nil, err
		}
		if child.kind == "udta" {
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
		b = append(b, raw...)
	}
	b = appendBox(b, "udta", appendChpl(userData, chapters))
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b, nil
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
