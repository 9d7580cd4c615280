package pipeline

import (
	"strconv"
	"strings"
)

// capsName returns the media type of serialised caps.
func capsName(caps string) string {
	name, _, _ := strings.Cut(caps, ",")
	name, _, _ = strings.Cut(name, "(")
	return strings.TrimSpace(name)
}

// capsField returns the value of a field of serialised fixed caps without its
// type, "" when it is not there. Values that hold commas are quoted.
func capsField(caps, field string) string {
	rest := caps
	for {
		i := strings.Index(rest, field+"=")
		if i < 0 {
			return ""
		}
		at := strings.TrimRight(rest[:i], " ")
		rest = rest[i+len(field)+1:]
		if at != "" && !strings.HasSuffix(at, ",") {
			continue // the end of a longer field's name
		}
		break
	}
	if strings.HasPrefix(rest, "(") {
		_, rest, _ = strings.Cut(rest, ")")
	}
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		return unquote(quoted)
	}
	value, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(strings.TrimSuffix(value, ";"))
}

// unquote returns the string whose text after the opening quote is at the
// beginning of s. GStreamer writes a backslash before whatever is no letter or
// digit, and a byte that is not ASCII as three octal digits.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i+3 <= len(s) {
			if octal, err := strconv.ParseUint(s[i:i+3], 8, 8); err == nil {
				b.WriteByte(byte(octal))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func capsInt(caps, field string) int {
	n, err := strconv.Atoi(capsField(caps, field))
	if err != nil {
		return 0
	}
	return n
}

func capsFraction(caps, field string) Fraction {
	num, den, ok := strings.Cut(capsField(caps, field), "/")
	n, err1 := strconv.Atoi(num)
	d, err2 := strconv.Atoi(den)
	if !ok || err1 != nil || err2 != nil {
		return Fraction{0, 1}
	}
	return Fraction{n, d}
}

// hdrTransfer returns "PQ" or "HLG" when a colorimetry, GStreamer's name or
// its four numbers range:matrix:transfer:primaries, has one of them, else "".
// The numbers are those of GstVideoTransferFunction: 14 and 15.
func hdrTransfer(colorimetry string) string {
	switch {
	case strings.HasPrefix(colorimetry, "bt2100-pq"):
		return "PQ"
	case strings.HasPrefix(colorimetry, "bt2100-hlg"):
		return "HLG"
	}
	if n := strings.Split(colorimetry, ":"); len(n) == 4 {
		switch n[2] {
		case "14":
			return "PQ"
		case "15":
			return "HLG"
		}
	}
	return ""
}

// trackKind sorts parsed caps into video, audio, text or "".
func trackKind(caps string) string {
	switch name := capsName(caps); {
	case strings.HasPrefix(name, "video/"):
		return "video"
	case strings.HasPrefix(name, "image/"):
		return "video"
	case strings.HasPrefix(name, "audio/"):
		return "audio"
	case strings.HasPrefix(name, "text/"), strings.HasPrefix(name, "subpicture/"), strings.HasPrefix(name, "subtitle/"),
		name == "application/x-ass", name == "application/x-ssa", name == "application/x-usf",
		strings.HasPrefix(name, "application/x-subtitle"):
		return "text"
	default:
		return ""
	}
}

// still reports whether parsed caps are of pictures for themselves, which is
// what the cover of a film is.
func still(caps string) bool { return strings.HasPrefix(capsName(caps), "image/") }

// formatBits returns the bits of a sample of a raw video format by its name.
func formatBits(format string) int {
	for _, deep := range []struct {
		mark string
		bits int
	}{
		{"P010", 10},
		{"P012", 12},
		{"P016", 16},
		{"_10", 10},
		{"_12", 12},
		{"_16", 16},
		{"GRAY16", 16},
		{"Y210", 10},
		{"Y410", 10},
		{"v210", 10},
		{"GRAY10", 10},
		{"10A2", 10},
		{"UYVP", 10},
		{"Y212", 12},
		{"Y412", 12},
		{"v216", 16},
		{"64", 16},
	} {
		if strings.Contains(format, deep.mark) {
			return deep.bits
		}
	}
	return 8
}
