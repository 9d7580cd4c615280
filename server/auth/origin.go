package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Origin is where a page in a browser comes from (RFC 6454): scheme, host, and
// port where it is not the scheme's own; lower case. "null" is that of pages
// without one, such as local files and sandboxed frames.
type Origin string

// originHost is a host as browsers write it: ASCII, brackets around IPv6.
var originHost = regexp.MustCompile(`^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// ParseOrigin returns the origin that text is, as in https://films.example:8443.
// Errors wrap ErrOrigin.
func ParseOrigin(text string) (Origin, error) {
	if text == "null" {
		return Origin(text), nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || !strings.EqualFold(text, u.Scheme+"://"+u.Host) {
		return "", fmt.Errorf("%w: it must be scheme://host or scheme://host:port", ErrOrigin)
	}
	host := strings.ToLower(u.Host)
	if !originHost.MatchString(host) {
		return "", fmt.Errorf("%w: the host must be written out as browsers do, in ASCII and without wildcards", ErrOrigin)
	}
	return Origin(u.Scheme + "://" + withoutPort(host, u.Scheme)), nil
}

// withoutPort drops the port that a scheme has anyway.
func withoutPort(host, scheme string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// pageOf tells what page, if any, sent a request, and whether it may: one that
// this server itself delivered, or one of a listed origin. Foreign is set where
// the answer needs CORS's headers to be read.
func pageOf(r *http.Request, listed []Origin) (foreign Origin, allowed bool) {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return "", true // no page, or one that only reads
	}
	origin, err := ParseOrigin(values[0])
	switch {
	case err != nil || len(values) > 1:
		return "", false
	case sameOrigin(r, origin):
		return "", true
	}
	return origin, slices.Contains(listed, origin)
}

// sameOrigin compares with the address that the request was sent to. Behind a
// proxy that ends TLS the scheme is not known; host and port are what a browser
// cannot be talked into changing.
func sameOrigin(r *http.Request, origin Origin) bool {
	scheme, host, _ := strings.Cut(string(origin), "://")
	web := scheme == "https" || scheme == "http" && r.TLS == nil
	return web && host == withoutPort(strings.ToLower(r.Host), scheme)
}
