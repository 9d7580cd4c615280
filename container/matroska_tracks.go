package container

import "fmt"

// relabelTracks writes the Tracks element anew with one change for each entry.
func relabelTracks(tracks []byte, changes []TrackChange) ([]byte, error) {
	var b []byte
	next := 0
	used := map[uint64]bool{}
	for e, err := range children(tracks) {
		switch {
		case err != nil:
			return nil, err
		case e.id == idCRC32 || e.id == idVoid:
		case e.id != idTrackEntry:
			b = append(b, e.raw...)
		case next == len(changes):
			return nil, fmt.Errorf("%w: more than %d tracks", ErrTracks, next)
		default:
			if got := readTrack(e.data).Type; got != changes[next].Type {
				return nil, fmt.Errorf("%w: track %d is %v, not %v", ErrTracks, next+1, got, changes[next].Type)
			}
			change := changes[next]
			if used[change.UID] { // no two tracks may share one
				change.UID = 0
			}
			used[change.UID] = true
			entry, err := relabelTrack(e.data, change)
			if err != nil {
				return nil, err
			}
			b = appendElement(b, idTrackEntry, entry)
			next++
		}
	}
	if next < len(changes) {
		return nil, fmt.Errorf("%w: %d tracks, not %d", ErrTracks, next, len(changes))
	}
	return appendElement(nil, idTracks, b), nil
}

// relabelTrack writes the content of a TrackEntry anew: what the label says
// first, then all else as it was.
func relabelTrack(entry []byte, change TrackChange) ([]byte, error) {
	b := appendLabel(nil, change.Label)
	if change.CodecID != "" {
		b = appendText(b, idCodecID, change.CodecID)
		if change.Private != nil {
			b = appendElement(b, idCodecPrivate, change.Private)
		}
	}
	if change.UID != 0 {
		b = appendUint(b, idTrackUID, change.UID)
	}
	for e, err := range children(entry) {
		if err != nil {
			return nil, err
		}
		if !replaces(change, e.id) {
			b = append(b, e.raw...)
		}
	}
	return b, nil
}

// replaces reports whether a change leaves no place for the element id of a TrackEntry.
func replaces(change TrackChange, id uint32) bool {
	switch id {
	case idCRC32, idVoid, idName, idLanguageBCP47, idFlagEnabled:
		return true
	case idLanguage:
		return change.Language != ""
	case idTrackUID:
		return change.UID != 0
	case idCodecID, idCodecPrivate:
		return change.CodecID != ""
	}
	return new(Flags).byID(id) != nil
}

// appendLabel writes the elements of a label. Flags at RFC 9559's default are
// left out, but for the two that every reader looks for.
func appendLabel(b []byte, label Label) []byte {
	flags := label.Flags
	b = appendFlag(b, idFlagDefault, flags.Default)
	b = appendFlag(b, idFlagForced, flags.Forced)
	if flags.Disabled {
		b = appendFlag(b, idFlagEnabled, false)
	}
	for _, id := range []uint32{
		idFlagHearingImpaired, idFlagVisualImpaired, idFlagTextDescription, idFlagOriginal, idFlagCommentary,
	} {
		if *flags.byID(id) {
			b = appendFlag(b, id, true)
		}
	}
	if label.Name != "" {
		b = appendText(b, idName, label.Name)
	}
	if label.Language != "" {
		b = appendText(b, idLanguage, label.Language)
	}
	if label.LanguageBCP47 != "" {
		b = appendText(b, idLanguageBCP47, label.LanguageBCP47)
	}
	return b
}
