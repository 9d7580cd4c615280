package source

import (
	"strconv"
	"strings"
)

// identity is what an answer tells of a file, by which a changed one is known.
type identity struct {
	size     int64
	etag     string // with quotes, and W/ when it is weak
	modified string // as in the header
}

// validator returns what If-Range may carry (RFC 9110 §13.1.5): a strong entity
// tag, or the date where there is no such tag; "" for neither.
func (i identity) validator() string {
	if strings.HasPrefix(i.etag, `"`) {
		return i.etag
	}
	return i.modified
}

// same reports whether two answers are of one file as far as both tell. Of tags,
// weak ones compare as well: they change when what the file means does.
func (i identity) same(other identity) bool {
	switch {
	case i.size != other.size:
		return false
	case i.etag != "" && other.etag != "":
		return strings.TrimPrefix(i.etag, "W/") == strings.TrimPrefix(other.etag, "W/")
	case i.modified != "" && other.modified != "":
		return i.modified == other.modified
	}
	return true
}

// parseContentRange reads "bytes first-last/size" (RFC 9110 §14.4). Forms without
// a range or a size are not ok.
func parseContentRange(header string) (first, last, size int64, ok bool) {
	unit, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	span, whole, _ := strings.Cut(rest, "/")
	begin, end, _ := strings.Cut(span, "-")
	if !strings.EqualFold(unit, "bytes") {
		return 0, 0, 0, false
	}
	var numbers [3]int64
	for i, text := range []string{begin, end, whole} {
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = int64(n)
	}
	first, last, size = numbers[0], numbers[1], numbers[2]
	return first, last, size, first <= last && last < size
}
