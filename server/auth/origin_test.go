package auth

import (
	"crypto/tls"
	"errors"
	"net/http"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	for text, want := range map[string]Origin{
		"https://films.example":         "https://films.example",
		"HTTPS://Films.Example":         "https://films.example",
		"https://films.example:443":     "https://films.example",
		"http://films.example:443":      "http://films.example:443",
		"http://[::1]:80":               "http://[::1]",
		"http://192.168.0.4:8096":       "http://192.168.0.4:8096",
		"capacitor://localhost":         "capacitor://localhost",
		"null":                          "null",
		"":                              "",
		"*":                             "",
		"https://*.example":             "",
		"https://films.example/":        "",
		"https://films.example/page":    "",
		"https://films.example?x":       "",
		"https://user@films.example":    "",
		"https://":                      "",
		"films.example":                 "",
		"//films.example":               "",
		"https://films.example:":        "",
		"https://films.example:x":       "",
		"https://films.example https:/": "",
		"https://fílms.example":         "",
		"https://a..b":                  "",
	} {
		got, err := ParseOrigin(text)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrOrigin) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestPageOf(t *testing.T) {
	listed := []Origin{"https://jellyfin.example", "http://plex.example:32400"}
	for name, c := range map[string]struct {
		host    string
		tls     bool
		origin  []string
		foreign Origin
		allowed bool
	}{
		"no page":                      {"films.example", false, nil, "", true},
		"listed":                       {"films.example", false, []string{"https://jellyfin.example"}, "https://jellyfin.example", true},
		"listed, with its port":        {"films.example", false, []string{"http://plex.example:32400"}, "http://plex.example:32400", true},
		"another scheme":               {"films.example", false, []string{"http://jellyfin.example"}, "http://jellyfin.example", false},
		"another port":                 {"films.example", false, []string{"https://jellyfin.example:8443"}, "https://jellyfin.example:8443", false},
		"a longer name":                {"films.example", false, []string{"https://jellyfin.example.evil"}, "https://jellyfin.example.evil", false},
		"a name before it":             {"films.example", false, []string{"https://evil-jellyfin.example"}, "https://evil-jellyfin.example", false},
		"null":                         {"films.example", false, []string{"null"}, "null", false},
		"two":                          {"films.example", false, []string{"https://jellyfin.example", "https://jellyfin.example"}, "", false},
		"empty":                        {"films.example", false, []string{""}, "", false},
		"our own":                      {"films.example:7890", false, []string{"http://films.example:7890"}, "", true},
		"our own, other letters":       {"Films.example:7890", false, []string{"http://films.example:7890"}, "", true},
		"our own, behind TLS's end":    {"films.example", false, []string{"https://films.example"}, "", true},
		"our own port in full":         {"films.example:443", true, []string{"https://films.example"}, "", true},
		"our own, without TLS":         {"films.example", true, []string{"http://films.example"}, "http://films.example", false},
		"our own, another port":        {"films.example:7890", false, []string{"http://films.example:7891"}, "http://films.example:7891", false},
		"our own, by no web page":      {"films.example", false, []string{"app://films.example"}, "app://films.example", false},
		"null is not a host like ours": {"null", false, []string{"null"}, "null", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Host: c.host, Header: http.Header{"Origin": c.origin}}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if foreign, allowed := pageOf(r, listed); foreign != c.foreign || allowed != c.allowed {
				t.Errorf("%q, %v", foreign, allowed)
			}
		})
	}
	if _, allowed := pageOf(&http.Request{Header: http.Header{"Origin": {"null"}}}, []Origin{"null"}); !allowed {
		t.Error("null is refused though it is listed")
	}
}

func FuzzParseOrigin(f *testing.F) {
	for _, text := range []string{"https://films.example", "null", "http://[::1]:80", "http://a:80:80", "http://:80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		origin, err := ParseOrigin(text)
		if err != nil {
			return
		}
		if again, err := ParseOrigin(string(origin)); err != nil || again != origin {
			t.Errorf("%q is %q, which is %q: %v", text, origin, again, err)
		}
	})
}
