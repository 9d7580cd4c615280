package container

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxHead is the most bytes before the first cluster; matroskamux writes a few
// kilobytes and the codecs' private data.
const maxHead = 32 << 20

// matroskaFile is a finished file as matroskamux leaves it: a segment that
// reaches to the end of the file. Finish rewrites its intro and head.
//
//	EBML, Segment │ SeekHead, Info, Tracks … │ Cluster … │ Cues, Tags │ Chapters, Attachments
//	└── intro ──┘   └──────── head ────────┘                            └───── new ────────┘
type matroskaFile struct {
	size      int64  // bytes of the file
	intro     []byte // the EBML header and the segment's header
	sizeWidth int    // bytes of the segment's size field, which ends the intro
	head      []byte // the segment's content before the first cluster
}

// seekTarget is one entry of a seek head.
type seekTarget struct {
	id       uint32
	position int64 // bytes from the start of the segment's content
}

// behind is what lies after the first cluster: what the muxer wrote there, and
// the elements that Finish appends.
type behind struct {
	seeks []seekTarget
	end   int64 // where the next element goes, counted like a seek position
	tails []tail
}

func (b *behind) append(id uint32, size int64, write tail) {
	b.seeks = append(b.seeks, seekTarget{id, b.end})
	b.end += size
	b.tails = append(b.tails, write)
}

// planMatroska lays out the new head, and what is to follow the last element.
func planMatroska(src source, changes Changes) (patch, error) {
	plan, err := layMatroska(src, changes)
	return plan, layoutError(err)
}

func layMatroska(src source, changes Changes) (patch, error) {
	file, err := openMatroska(src)
	if err != nil {
		return patch{}, err
	}
	kept, err := file.changedElements(changes)
	if err != nil {
		return patch{}, err
	}
	rest := behind{end: file.size - int64(len(file.intro))}
	if rest.seeks, err = file.seeksBehind(changes); err != nil {
		return patch{}, err
	}
	tags, err := file.tagsBehind(src, changes.Tags != nil, rest.seeks)
	if err != nil {
		return patch{}, err
	}
	if changes.Tags != nil {
		rest.seeks = slices.DeleteFunc(rest.seeks, func(s seekTarget) bool { return s.id == idTags })
	}
	if content := appendTags(nil, changes.Tags); len(content) > 0 {
		rest.append(idTags, int64(len(content)), tailOf(content))
	}
	if files := newAttachedFiles(changes.Attachments); len(files.heads) > 0 {
		rest.append(idAttachments, files.length(), files.writeTo)
	}
	head, err := file.newHead(kept, appendChapters(nil, changes.Editions), &rest)
	if err != nil {
		return patch{}, err
	}
	intro, err := file.newIntro(rest.end)
	if err != nil {
		return patch{}, err
	}
	return patch{
		over:  append(tags, overwrite{at: 0, new: append(intro, head...)}),
		tails: rest.tails,
	}, nil
}

// newHead lays out the head with the chapters in it, where a player of a file
// that is still coming finds them, or else with the chapters appended to the rest.
func (f matroskaFile) newHead(kept []element, chapters []byte, rest *behind) ([]byte, error) {
	if chapters == nil {
		return layHead(kept, rest.seeks, len(f.head))
	}
	inFront := append(slices.Clone(kept), element{id: idChapters, raw: chapters})
	head, err := layHead(inFront, rest.seeks, len(f.head))
	if !errors.Is(err, ErrNoRoom) {
		return head, err
	}
	rest.append(idChapters, int64(len(chapters)), tailOf(chapters))
	return layHead(kept, rest.seeks, len(f.head))
}

// tagsBehind writes the tags that follow the clusters anew, in their place, or
// blanks them.
func (f matroskaFile) tagsBehind(src source, blank bool, seeks []seekTarget) ([]overwrite, error) {
	var over []overwrite
	for _, target := range seeks {
		if target.id != idTags {
			continue
		}
		tags, err := src.element(int64(len(f.intro)) + target.position)
		if err != nil {
			return nil, err
		}
		content, err := src.content(tags, maxMaster)
		if err != nil || tags.id != idTags {
			return nil, fmt.Errorf("%w: tags", errBroken)
		}
		if blank {
			over = append(over, overwrite{tags.start, appendVoid(nil, tags.width+len(content))})
			continue
		}
		plain, err := unquoteTags(content)
		if err != nil {
			return nil, err
		}
		over = append(over, overwrite{tags.start, fill(idTags, plain, tags.width+len(content))})
	}
	return over, nil
}

// openMatroska reads what lies before the first cluster.
func openMatroska(src source) (matroskaFile, error) {
	ebml, err := src.element(0)
	if err != nil {
		return matroskaFile{}, err
	}
	segment, err := src.element(ebml.end(src.size))
	if err != nil {
		return matroskaFile{}, err
	}
	if segment.id != idSegment || segment.end(src.size) != src.size {
		return matroskaFile{}, fmt.Errorf("%w: the segment does not reach to the end of the file", ErrLayout)
	}
	for p, err := range src.elements(segment.data(), src.size) {
		if err != nil {
			return matroskaFile{}, err
		}
		if p.id != idCluster {
			continue
		}
		if p.start > maxHead {
			return matroskaFile{}, fmt.Errorf("%w: %d bytes before the first cluster", ErrLayout, p.start)
		}
		start, err := src.bytes(0, p.start)
		if err != nil {
			return matroskaFile{}, err
		}
		return matroskaFile{
			size:      src.size,
			intro:     start[:segment.data()],
			sizeWidth: segment.width - 4, // after the segment's four-byte ID
			head:      start[segment.data():],
		}, nil
	}
	return matroskaFile{}, fmt.Errorf("%w: no cluster", ErrLayout)
}

// changedElements are the head's elements with the changes made, but without the
// seek head and the padding, which depend on the sizes of all others.
func (f matroskaFile) changedElements(changes Changes) ([]element, error) {
	var kept []element
	for e, err := range children(f.head) {
		if err != nil {
			return nil, err
		}
		switch e.id {
		case idSeekHead, idVoid, idCRC32:
			continue
		case idChapters:
			if changes.Editions != nil {
				continue
			}
		case idInfo:
			e.raw, err = rewriteInfo(e.data, changes.Title)
		case idTags:
			if changes.Tags != nil {
				continue
			}
			var plain []byte
			plain, err = unquoteTags(e.data)
			e.raw = appendElement(nil, idTags, plain)
		case idTracks:
			if changes.Tracks != nil {
				e.raw, err = relabelTracks(e.data, changes.Tracks)
			}
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// rewriteInfo writes the Info element without the room that WritingApp made, and
// with a title unless that is "".
func rewriteInfo(info []byte, title string) ([]byte, error) {
	var b []byte
	for e, err := range children(info) {
		switch {
		case err != nil:
			return nil, err
		case e.id == idWritingApp:
			b = appendText(b, idWritingApp, strings.TrimRight(string(e.data), " \x00"))
		case e.id == idCRC32 || e.id == idVoid || e.id == idTitle && title != "":
		default:
			b = append(b, e.raw...)
		}
	}
	if title != "" {
		b = appendText(b, idTitle, title)
	}
	return appendElement(nil, idInfo, b), nil
}

// seeksBehind are the seek head's entries for what lies after the first cluster.
// A second element of a kind that may be there once is refused.
func (f matroskaFile) seeksBehind(changes Changes) ([]seekTarget, error) {
	var seeks []seekTarget
	for e, err := range children(f.head) {
		if err != nil {
			return nil, err
		}
		if e.id == idAttachments && len(changes.Attachments) > 0 {
			return nil, fmt.Errorf("%w: the file has attachments already", ErrLayout)
		}
		if e.id != idSeekHead {
			continue
		}
		for id, position := range seekEntries(e.data) {
			if position < uint64(len(f.head)) || position >= uint64(f.size) {
				continue
			}
			if id == idAttachments && len(changes.Attachments) > 0 || id == idChapters && changes.Editions != nil {
				return nil, fmt.Errorf("%w: attachments or chapters after the clusters already", ErrLayout)
			}
			seeks = append(seeks, seekTarget{id, int64(position)})
		}
	}
	return seeks, nil
}

// layHead puts a seek head in front of the elements and fills up with a Void
// element to exactly size bytes.
func layHead(elements []element, rest []seekTarget, size int) ([]byte, error) {
	targets := make([]seekTarget, 0, len(elements)+len(rest))
	position := 0
	for _, e := range elements {
		targets = append(targets, seekTarget{e.id, int64(position)})
		position += len(e.raw)
	}
	// Positions are written eight bytes wide, so the seek head's length does not
	// depend on them.
	targets = append(targets, rest...)
	seekHead := appendSeekHead(nil, targets, 0)
	left := size - len(seekHead) - position
	if left < 0 {
		return nil, fmt.Errorf("%w: %d bytes are missing", ErrNoRoom, -left)
	}
	wider := 0
	if left == 1 { // the shortest Void takes two bytes
		wider, left = 1, 0
	}
	for i := range elements {
		targets[i].position += int64(len(seekHead) + wider)
	}
	head := appendSeekHead(make([]byte, 0, size), targets, wider)
	for _, e := range elements {
		head = append(head, e.raw...)
	}
	return appendVoid(head, left), nil
}

// appendSeekHead writes a seek head whose size field is some bytes wider than it need be.
func appendSeekHead(b []byte, targets []seekTarget, wider int) []byte {
	var content []byte
	for _, t := range targets {
		seek := appendElement(nil, idSeekID, appendID(nil, t.id))
		seek = appendHeader(seek, idSeekPosition, 8)
		for shift := 56; shift >= 0; shift -= 8 {
			seek = append(seek, byte(t.position>>shift))
		}
		content = appendElement(content, idSeek, seek)
	}
	size := int64(len(content))
	b = appendSize(appendID(b, idSeekHead), size, sizeWidth(size)+wider)
	return append(b, content...)
}

// newIntro is the intro of a file whose segment has size bytes of content. The language and
// flag elements that Finish writes belong to version 4 of Matroska; players of
// the version that the file says it can be read with skip them.
func (f matroskaFile) newIntro(size int64) ([]byte, error) {
	intro := append([]byte(nil), f.intro...)
	if sizeWidth(size) > f.sizeWidth {
		return nil, fmt.Errorf("%w: the segment's size field is too narrow", ErrLayout)
	}
	intro = appendSize(intro[:len(intro)-f.sizeWidth], size, f.sizeWidth)
	ebml, err := parseHeader(intro)
	if err != nil || ebml.size == unknownSize || ebml.size > int64(len(intro)-ebml.width) {
		return nil, fmt.Errorf("%w: EBML header", ErrLayout)
	}
	for e, err := range children(intro[ebml.width : ebml.width+int(ebml.size)]) {
		if err != nil {
			return nil, layoutError(err)
		}
		if e.id == idDocTypeVersion && len(e.data) == 1 {
			e.data[0] = max(e.data[0], 4) // shares intro's memory
		}
	}
	return intro, nil
}
