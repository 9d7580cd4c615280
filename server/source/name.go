package source

import (
	"io/fs"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds what a client may send as a name, in bytes.
const maxName = 4096

// name is a source string that was taken apart. It is either a path below a root
// or a URL.
type name struct {
	root, path string   // path has no "." or ".." and neither begins nor ends with "/"
	url        *url.URL // http or https, with a host, without a fragment
}

// public is how sentences and logs call the source. Of a URL that is the host
// and the last part of the path: what lies between them and behind them may be a
// secret.
func (n name) public() string {
	if n.url == nil {
		return n.root + "/" + n.path
	}
	last := path.Base(n.url.Path)
	if last == "." || last == "/" || !utf8.ValidString(last) || strings.ContainsFunc(last, unicode.IsControl) {
		return n.url.Host
	}
	return n.url.Host + "/…/" + last
}

// Name returns what sentences and logs call the source that a client named: what
// Source.Name returns. It holds no secret, also where the source is no name.
func Name(source string) string {
	n, err := parse(source)
	if err != nil {
		u, err := ParseLive(source)
		if err != nil {
			return "?"
		}
		n.url = u
	}
	return n.public()
}

// ParseLive takes the URL of a live source apart: http, https, rtsp or rtsps, with a host, without a fragment. It
// permits nothing, like parse. Errors name no part of the URL.
func ParseLive(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	switch {
	case len(source) > maxName:
		return nil, fail(CodeRefused, nil, "the URL of the source has %d bytes; at most %d are taken", len(source), maxName)
	case err != nil || !utf8.ValidString(source):
		return nil, fail(CodeRefused, nil, "the source is no valid URL")
	case ports[u.Scheme] == 0:
		return nil, fail(CodeRefused, nil, "a live source is an http, https, rtsp or rtsps URL")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, checkAuthority(u)
}

// IsLive reports whether a source can be nothing but live.
func IsLive(source string) bool {
	scheme, _, _ := strings.Cut(source, "://")
	return strings.EqualFold(scheme, "rtsp") || strings.EqualFold(scheme, "rtsps")
}

// parse takes a source string apart. It permits nothing: whether there is such a
// root, and whether the host is listed, is looked up later.
func parse(source string) (name, error) {
	switch {
	case source == "":
		return name{}, fail(CodeRefused, nil, "no source is named; give root/path/to/film.mkv or a URL")
	case len(source) > maxName:
		return name{}, fail(CodeRefused, nil, "the name of the source has %d bytes; at most %d are taken", len(source), maxName)
	case !utf8.ValidString(source):
		return name{}, fail(CodeRefused, nil, "the name of the source is not UTF-8; rename the file")
	case strings.ContainsFunc(source, unicode.IsControl):
		return name{}, fail(CodeRefused, nil, "the name of the source has control characters in it; rename the file")
	}
	if scheme, _, isURL := strings.Cut(source, "://"); isURL && !strings.Contains(scheme, "/") {
		return parseURL(source)
	}
	root, rest, _ := strings.Cut(source, "/")
	switch {
	case root == "":
		return name{}, fail(CodeRefused, nil, "the source begins with a slash; begin with the name of a root, as in root/path/to/film.mkv")
	case rest == "" || rest == "." || !fs.ValidPath(rest):
		return name{}, fail(CodeRefused, nil,
			`the source is no plain path below a root; write root/path/to/film.mkv, without ".", ".." or empty parts`)
	}
	return name{root: root, path: rest}, nil
}

// parseURL takes a URL apart. Its errors name no part of it, for it may have a
// secret anywhere.
func parseURL(source string) (name, error) {
	u, err := url.Parse(source)
	if err != nil {
		return name{}, fail(CodeRefused, nil, "the source is no valid URL")
	}
	if err := checkURL(u); err != nil {
		return name{}, err
	}
	u.Fragment, u.RawFragment = "", ""
	return name{url: u}, nil
}

// checkURL refuses what is not http or https to a host.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return fail(CodeRefused, nil, "a source is a file under a root or an http or https URL, not a URL of %.20q", u.Scheme)
	}
	return checkAuthority(u)
}

// checkAuthority refuses a URL without a host that can be looked up in the list.
func checkAuthority(u *url.URL) error {
	if u.Opaque != "" || u.Hostname() == "" {
		return fail(CodeRefused, nil, "the URL of the source names no host")
	}
	for _, r := range u.Host {
		if r > unicode.MaxASCII {
			return fail(CodeRefused, nil, "the host of the source is not ASCII; write it in its form that begins with xn--")
		}
	}
	return nil
}
