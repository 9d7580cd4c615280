package container

import (
	"bytes"
	"strings"
)

// matroskamux 1.22 writes the value of each tag as GStreamer's own text form of
// it (gst_value_serialize): a text with anything but letters, digits and a few
// signs comes out as "Der\ Film\303\274", which only GStreamer reads back.
// Finish writes such texts as they were meant. A source's own tags replace them
// all: GStreamer hands on but a dozen kinds, some under another name.

// unquoteTags writes the content of a Tags element anew with its texts unwrapped.
// It never gets longer.
func unquoteTags(content []byte) ([]byte, error) {
	b := make([]byte, 0, len(content))
	for e, err := range children(content) {
		if err != nil {
			return nil, err
		}
		switch e.id {
		case idTag, idSimpleTag:
			inner, err := unquoteTags(e.data)
			if err != nil {
				return nil, err
			}
			b = appendElement(b, e.id, inner)
		case idTagString:
			b = appendElement(b, e.id, unwrap(e.data))
		case idTagName:
			b = appendText(b, e.id, tagName(e.asText()))
		case idCRC32, idVoid:
		default:
			b = append(b, e.raw...)
		}
	}
	return b, nil
}

// tagName is what players call a tag of matroskamux, which takes the name of one
// for another (1.22; RFC 9559 leaves the names to the Matroska tag registry).
func tagName(name string) string {
	if name == "COMMENTS" {
		return "COMMENT"
	}
	return name
}

// unwrap undoes gst_string_wrap: quotation marks around the text, a backslash
// before a byte that stands for itself, or before a byte in three octal digits.
// Only a text that the function can have written is taken for one, so that a
// muxer which writes plain texts is served as well.
func unwrap(text []byte) []byte {
	inner, opened := bytes.CutPrefix(bytes.TrimRight(text, "\x00"), []byte{'"'})
	inner, closed := bytes.CutSuffix(inner, []byte{'"'})
	if !opened || !closed || !bytes.Contains(inner, []byte{'\\'}) {
		return text
	}
	var b []byte
	for len(inner) > 0 {
		c := inner[0]
		inner = inner[1:]
		switch {
		case c != '\\':
			if !standsBare(c) {
				return text
			}
		case len(inner) == 0:
			return text
		case isOctal(inner):
			c = (inner[0]-'0')<<6 | (inner[1]-'0')<<3 | (inner[2] - '0')
			inner = inner[3:]
		default:
			c = inner[0]
			inner = inner[1:]
		}
		b = append(b, c)
	}
	return b
}

// standsBare reports whether gst_string_wrap leaves a byte without a backslash.
func standsBare(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("_-+/:.", c) >= 0
}

// isOctal reports whether three octal digits of a byte's value begin b.
func isOctal(b []byte) bool {
	return len(b) >= 3 && b[0] >= '0' && b[0] <= '3' && b[1] >= '0' && b[1] <= '7' && b[2] >= '0' && b[2] <= '7'
}

// fill writes an element over exactly size bytes, with a Void element behind it
// or, where one byte is left and a Void takes two, with a wider size field. The
// content is known to fit.
func fill(id uint32, content []byte, size int) []byte {
	n := int64(len(content))
	b := appendHeader(make([]byte, 0, size), id, n)
	if size-len(b)-len(content) == 1 {
		b = appendSize(appendID(b[:0], id), n, sizeWidth(n)+1)
	}
	b = append(b, content...)
	return appendVoid(b, size-len(b))
}
