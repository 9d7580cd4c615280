package hlstest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lines checks the form of a playlist (RFC 8216 §4.1) and returns its lines after #EXTM3U.
func lines(playlist []byte) ([]string, error) {
	text := string(playlist)
	switch {
	case !utf8.ValidString(text):
		return nil, fmt.Errorf("not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }):
		return nil, fmt.Errorf("control characters")
	case !strings.HasPrefix(text, "#EXTM3U\n"):
		return nil, fmt.Errorf("no #EXTM3U at the begin")
	case !strings.HasSuffix(text, "\n"):
		return nil, fmt.Errorf("the last line has no end")
	}
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:]
	for i, line := range all {
		if line == "" || strings.TrimSpace(line) != line {
			return nil, fmt.Errorf("line %d is empty or has white space at an end: %q", i+2, line)
		}
	}
	return all, nil
}

// attributes reads an attribute list (§4.2), with quotes kept on quoted strings.
func attributes(list string) (map[string]string, error) {
	found := map[string]string{}
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return nil, fmt.Errorf("no name of an attribute at %q", list)
		}
		if _, twice := found[name]; twice {
			return nil, fmt.Errorf("%s twice", name)
		}
		end := strings.IndexByte(rest, ',')
		if strings.HasPrefix(rest, `"`) {
			if end = strings.IndexByte(rest[1:], '"'); end < 0 {
				return nil, fmt.Errorf("%s: its quotes do not close", name)
			}
			end += 2
		}
		if end < 0 {
			end = len(rest)
		}
		if found[name] = rest[:end]; rest[:end] == "" {
			return nil, fmt.Errorf("%s without a value", name)
		}
		list = rest[end:]
		if list != "" && (list[0] != ',' || len(list) == 1) {
			return nil, fmt.Errorf("after %s: %q", name, list)
		}
		list = strings.TrimPrefix(list, ",")
	}
	return found, nil
}

// list reads the attributes of one tag one after the other and keeps the first error.
type list struct {
	attributes map[string]string
	err        error
}

func newList(tag, text string) *list {
	found, err := attributes(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", tag, err)
	}
	return &list{found, err}
}

func (l *list) fail(format string, args ...any) {
	if l.err == nil {
		l.err = fmt.Errorf(format, args...)
	}
}

// take returns an attribute and strikes it off.
func (l *list) take(name string) (value string, ok bool) {
	value, ok = l.attributes[name]
	delete(l.attributes, name)
	return value, ok
}

// quoted returns a quoted string, "" where there is none.
func (l *list) quoted(name string) string {
	value, ok := l.take(name)
	if !ok {
		return ""
	}
	if len(value) < 3 || value[0] != '"' {
		l.fail("%s=%s is no quoted string, or empty", name, value)
		return ""
	}
	return value[1 : len(value)-1]
}

// enumerated returns one of some words, the first where there is none.
func (l *list) enumerated(name string, words ...string) string {
	value, ok := l.take(name)
	if !ok {
		return words[0]
	}
	for _, word := range words {
		if word == value {
			return value
		}
	}
	l.fail("%s=%s is none of %v", name, value, words)
	return words[0]
}

// number returns a decimal integer, 0 where there is none.
func (l *list) number(name string) int {
	value, ok := l.take(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil || n == 0 {
		l.fail("%s=%s is no decimal integer above 0", name, value)
	}
	return int(n)
}

// end fails on attributes that nobody took.
func (l *list) end(tag string) error {
	for name := range l.attributes {
		l.fail("%s: unknown attribute %s", tag, name)
	}
	return l.err
}
