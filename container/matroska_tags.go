package container

import "bytes"

// matroskamux 1.22 writes the value of each tag as GStreamer's own text form of
// it (gst_value_serialize): a text with anything but letters, digits and a few
// signs comes out as "Der\ Film\303\274", which only GStreamer reads back.
// Finish writes such texts as they were meant. The form is unambiguous: a text
// that begins with a quotation mark of its own is wrapped too.

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
		case idCRC32, idVoid:
		default:
			b = append(b, e.raw...)
		}
	}
	return b, nil
}

// unwrap undoes gst_string_wrap: quotation marks around the text, a backslash
// before a byte that stands for itself, or before a byte in three octal digits.
// What is not wrapped is returned as it is.
func unwrap(text []byte) []byte {
	inner, ok := bytes.CutPrefix(bytes.TrimRight(text, "\x00"), []byte{'"'})
	if !ok {
		return text
	}
	inner, ok = bytes.CutSuffix(inner, []byte{'"'})
	if !ok {
		return text
	}
	var b []byte
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c == '\\' {
			i++
			switch {
			case i == len(inner):
				return text
			case i+2 < len(inner) && isOctal(inner[i], '3') && isOctal(inner[i+1], '7') && isOctal(inner[i+2], '7'):
				c = (inner[i]-'0')<<6 | (inner[i+1]-'0')<<3 | (inner[i+2] - '0')
				i += 2
			default:
				c = inner[i]
			}
		}
		b = append(b, c)
	}
	return b
}

// isOctal reports whether c is a digit from 0 to last.
func isOctal(c, last byte) bool { return c >= '0' && c <= last }

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
