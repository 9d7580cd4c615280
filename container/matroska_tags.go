package container

// readTags reads the content of a Tags element (RFC 9559 §5.1.8); left counts
// down the tags and values that may still be taken.
func readTags(b []byte, left *int) []Tag {
	var tags []Tag
	for e := range intact(b) {
		if *left--; *left < 0 {
			break
		}
		if e.id != idTag {
			continue
		}
		var tag Tag
		for part := range intact(e.data) {
			switch part.id {
			case idTargets:
				tag.Targets = readTargets(part.data)
			case idSimpleTag:
				tag.Values = appendValue(tag.Values, part.data, left, 1)
			}
		}
		if len(tag.Values) > 0 {
			tags = append(tags, tag)
		}
	}
	return tags
}

func readTargets(b []byte) Targets {
	var t Targets
	for e := range intact(b) {
		switch e.id {
		case idTargetTypeValue:
			t.Level = e.asUint()
		case idTargetType:
			t.Type = e.asText()
		}
		if uids := t.byID(e.id); uids != nil && len(*uids) < maxTargets {
			*uids = append(*uids, e.asUint())
		}
	}
	return t
}

// byID is the list that an element of Targets adds to, or nil.
func (t *Targets) byID(id uint32) *[]uint64 {
	switch id {
	case idTagTrackUID:
		return &t.Tracks
	case idTagEditionUID:
		return &t.Editions
	case idTagChapterUID:
		return &t.Chapters
	case idTagAttachmentUID:
		return &t.Attachments
	}
	return nil
}

// appendValue reads a SimpleTag at a depth.
func appendValue(values []TagValue, b []byte, left *int, depth int) []TagValue {
	if *left--; *left < 0 || depth > maxDepth {
		return values
	}
	v := TagValue{Language: "und"} // RFC 9559 §5.1.8.1.2.2: the default
	for e := range intact(b) {
		switch e.id {
		case idTagName:
			v.Name = e.asText()
		case idTagLanguage:
			v.Language = e.asText()
		case idTagLanguageBCP47:
			v.LanguageBCP47 = e.asText()
		case idTagDefault:
			v.Other = e.asUint() == 0
		case idTagString:
			v.Text = e.asTextOf(maxTagText)
		case idTagBinary:
			v.Binary = append([]byte{}, e.data...)
		case idSimpleTag:
			v.Values = appendValue(v.Values, e.data, left, depth+1)
		}
	}
	return append(values, v)
}

// appendTags writes a whole Tags element, or nothing for no tags.
func appendTags(b []byte, tags []Tag) []byte {
	var content []byte
	for _, tag := range tags {
		content = appendElement(content, idTag, appendSimpleTags(appendTargets(nil, tag.Targets), tag.Values))
	}
	if content == nil {
		return b
	}
	return appendElement(b, idTags, content)
}

func appendTargets(b []byte, t Targets) []byte {
	var content []byte
	if t.Level != 0 {
		content = appendUint(content, idTargetTypeValue, t.Level)
	}
	if t.Type != "" {
		content = appendText(content, idTargetType, t.Type)
	}
	for _, id := range []uint32{idTagTrackUID, idTagEditionUID, idTagChapterUID, idTagAttachmentUID} {
		for _, uid := range *t.byID(id) {
			content = appendUint(content, id, uid)
		}
	}
	return appendElement(b, idTargets, content)
}

func appendSimpleTags(b []byte, values []TagValue) []byte {
	for _, v := range values {
		content := appendText(nil, idTagName, v.Name)
		content = appendText(content, idTagLanguage, v.Language)
		if v.LanguageBCP47 != "" {
			content = appendText(content, idTagLanguageBCP47, v.LanguageBCP47)
		}
		content = appendFlag(content, idTagDefault, !v.Other)
		if v.Binary != nil {
			content = appendElement(content, idTagBinary, v.Binary)
		} else {
			content = appendText(content, idTagString, v.Text)
		}
		b = appendElement(b, idSimpleTag, appendSimpleTags(content, v.Values))
	}
	return b
}
