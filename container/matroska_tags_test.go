package container

import (
	"bytes"
	"reflect"
	"testing"
)

// told has a tag of the whole, one of parts, and one about another.
var told = []Tag{
	{Values: []TagValue{{Name: "DATE", Language: "und", Text: "1999"}, {Name: "OWN", Language: "ger", LanguageBCP47: "de-AT", Other: true, Text: "Größe"}}},
	{
		Targets: Targets{Level: 30, Type: "SHOT", Tracks: []uint64{5, 9}, Editions: []uint64{7}, Chapters: []uint64{1, 2}, Attachments: []uint64{3}},
		Values: []TagValue{{Name: "ACTOR", Language: "und", Text: "Anna", Values: []TagValue{
			{Name: "CHARACTER", Language: "und", Text: "Königin"}, {Name: "FACE", Language: "und", Binary: []byte{0, 1, 2}},
		}}},
	},
}

func TestTagsReadAndWrittenAgain(t *testing.T) {
	b := appendTags(nil, told)
	split := appendTags(appendTags(nil, told[:1]), told[1:]) // a file may have several elements
	for _, file := range [][]byte{segment(b), segment(split)} {
		if got := readBytes(t, file).Tags; !reflect.DeepEqual(got, told) {
			t.Errorf("%+v", got)
		}
	}
}

// TestTagsHaveBounds reads what claims more tags than are taken, and deeper ones.
func TestTagsHaveBounds(t *testing.T) {
	value := appendText(nil, idTagName, "N")
	for range 1000 {
		value = appendElement(nil, idSimpleTag, value)
	}
	deep := appendElement(nil, idTags, appendElement(nil, idTag, value))
	depth := 0
	for v := readBytes(t, segment(deep)).Tags[0].Values; len(v) > 0; v = v[0].Values {
		depth++
	}
	if depth != maxDepth {
		t.Errorf("read %d levels", depth)
	}
	one := appendElement(nil, idTag, appendElement(nil, idSimpleTag, nil))
	many := appendElement(nil, idTags, bytes.Repeat(one, 2*maxTags))
	if got := readBytes(t, segment(many, many)).Tags; len(got) != maxTags/2 { // each with its value
		t.Errorf("took %d tags", len(got))
	}
}
