package source

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for source, public := range map[string]string{ //nolint:gosec // no password of anybody
		"movies/a.mkv":                              "movies/a.mkv",
		"movies/Das Boot (1981)/film 100%.mkv":      "movies/Das Boot (1981)/film 100%.mkv",
		"movies/…/ä?#&.mkv":                         "movies/…/ä?#&.mkv",
		"http:/a.mkv":                               "http:/a.mkv", // a root that no configuration can have
		"https://films.test/a/secret/b.mkv":         "films.test/…/b.mkv",
		"https://me:pass@films.test:8443/b.mkv?t=s": "films.test:8443/…/b.mkv",
		"HTTP://films.test":                         "films.test",
		"http://films.test/a/?t=secret#x":           "films.test/…/a",
		"http://films.test/%0a":                     "films.test",
		"http://films.test/%ff.mkv":                 "films.test",
		"http://[2001:db8::1]/a.mkv":                "[2001:db8::1]/…/a.mkv",
	} {
		n, err := parse(source)
		if err != nil || n.public() != public {
			t.Errorf("%q: %q, %v", source, n.public(), err)
		}
	}
	for _, source := range []string{
		"", "/", "/etc/passwd", "movies", "movies/", "movies/.", "movies/..", "movies/../x", "movies/a/../../x",
		"movies//a", "movies/a/", "movies/./a", "movies/a\x00.mkv", "movies/a\n.mkv", "movies/\xff.mkv",
		"movies/\u0085", strings.Repeat("a/", maxName/2) + "b",
		"file:///etc/passwd", "ftp://films.test/a", "://a", "http://", "http:///a", "http://:80/a", "https://fïlms.test/a",
		"http://films.test:port/a", "http://[::1/a", "http://films.test/%zz", "javascript://films.test/a",
	} {
		if n, err := parse(source); CodeOf(err) != CodeRefused {
			t.Errorf("%q: %+v, %v", source, n, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	is := identity{size: 9, etag: `"a"`, modified: "Sun"}
	for name, row := range map[string]struct {
		other identity
		want  bool
	}{
		"equal":             {is, true},
		"another size":      {identity{8, `"a"`, "Sun"}, false},
		"another tag":       {identity{9, `"b"`, "Sun"}, false},
		"tag made weak":     {identity{9, `W/"a"`, "Sun"}, true},
		"tag of the same":   {identity{9, `"a"`, "Mon"}, true}, // a mirror's file has another date
		"date alone":        {identity{9, "", "Sun"}, true},
		"another date":      {identity{9, "", "Mon"}, false},
		"nothing but sizes": {identity{9, "", ""}, true},
	} {
		if is.same(row.other) != row.want || row.other.same(is) != row.want {
			t.Errorf("%s: want %v", name, row.want)
		}
	}
	for want, i := range map[string]identity{`"a"`: is, "Sun": {9, `W/"a"`, "Sun"}, "": {9, `W/"a"`, ""}} {
		if got := i.validator(); got != want {
			t.Errorf("validator of %+v: %s", i, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"movies/a.mkv", "movies/../a", "http://me:pass@films.test:80/a/b?t=s#f", "https://[::1%25eth0]/", "a://"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		n, err := parse(source)
		var coded *Error
		switch {
		case err != nil:
			if !errors.As(err, &coded) || coded.Code != CodeRefused || coded.Sentence == "" {
				t.Errorf("%#v", err)
			}
		case n.url == nil:
			if n.root == "" || strings.Contains(n.root, "/") || !fs.ValidPath(n.path) || n.path == "." || n.public() != source {
				t.Errorf("%+v", n)
			}
		default:
			if n.url.Hostname() == "" || n.url.Scheme != "http" && n.url.Scheme != "https" {
				t.Errorf("%+v", n.url)
			}
			if password, _ := n.url.User.Password(); len(password) > 6 && !strings.Contains(n.url.Host+n.url.Path, password) &&
				strings.Contains(n.public(), password) {
				t.Errorf("%q shows %q", n.public(), password)
			}
		}
	})
}

func FuzzParseContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-1/2", "bytes 0-1/*", "bytes */2", "bytes 5-1/9", "items 0-1/2", "bytes 0-9223372036854775807/9223372036854775808"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first, last, size, ok := parseContentRange(header)
		if ok && (first < 0 || last < first || size <= last) {
			t.Errorf("%d-%d/%d", first, last, size)
		}
	})
}

func TestParseLive(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{ //nolint:gosec // the secret is that of a test
		"rtsp://cam.test/stream": "cam.test/…/stream", "rtsps://me:secret@cam.test:8322/a/b?key=1#f": "cam.test:8322/…/b",
		"http://tv.test/live.m3u8?token=x": "tv.test/…/live.m3u8", "HTTPS://tv.test": "tv.test",
	} {
		u, err := ParseLive(source)
		if err != nil || u.Fragment != "" {
			t.Errorf("%s: %v, %v", source, u, err)
		}
		if got := Name(source); got != want {
			t.Errorf("%s is called %s, want %s", source, got, want)
		}
	}
	for _, source := range []string{"", "films/a.mkv", "udp://239.0.0.1:1", "rtsp:cam", "rtsp://", "http://fïlms.test/", "rtsp://a b/", "rtsp://a/\xff", "file:///etc/passwd"} {
		if u, err := ParseLive(source); CodeOf(err) != CodeRefused {
			t.Errorf("%s: %v, %v", source, u, err)
		}
	}
}

func FuzzParseLive(f *testing.F) {
	for _, seed := range []string{"rtsp://cam.test/a", "http://a@b:80/%2f", "rtsps://[::1]:322/", "x://", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseLive(text)
		if err != nil {
			if CodeOf(err) != CodeRefused {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if u.Hostname() == "" || portOf(u) == 0 && u.Port() == "" || Name(text) == "?" {
			t.Errorf("%q was taken as %v", text, u)
		}
	})
}
