package source

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpenFaults opens films of servers that are not as they should be.
func TestOpenFaults(t *testing.T) {
	t.Parallel()
	partial := func(headers ...string) func(int, http.ResponseWriter, *http.Request) bool {
		return status(http.StatusPartialContent, headers...)
	}
	for name, row := range map[string]struct {
		fault    func(n int, w http.ResponseWriter, r *http.Request) bool
		code     Code
		requests int
		within   time.Duration
	}{
		"no ranges":            {status(200), CodeNotSeekable, 1, 0},
		"no content range":     {partial(), CodeNotSeekable, 1, 0},
		"no size":              {partial("Content-Range", "bytes 0-99/*"), CodeNotSeekable, 1, 0},
		"another unit":         {partial("Content-Range", "items 0-99/100"), CodeNotSeekable, 1, 0},
		"another range":        {partial("Content-Range", "bytes 1-99/100"), CodeNotSeekable, 1, 0},
		"a longer range":       {partial("Content-Range", "bytes 0-300000/300001"), CodeNotSeekable, 1, 0},
		"beyond its end":       {partial("Content-Range", "bytes 0-100/100"), CodeNotSeekable, 1, 0},
		"negative range":       {partial("Content-Range", "bytes 0--1/100"), CodeNotSeekable, 1, 0},
		"size that overflows":  {partial("Content-Range", "bytes 0-99/9223372036854775808"), CodeNotSeekable, 1, 0},
		"parts":                {partial("Content-Type", "multipart/byteranges; boundary=x"), CodeNotSeekable, 1, 0},
		"gzip":                 {partial("Content-Encoding", "gzip", "Content-Range", "bytes 0-99/100"), CodeNotSeekable, 1, 0},
		"huge":                 {partial("Content-Range", "bytes 0-99/9223372036854775807"), CodeTooLarge, 1, 0},
		"empty":                {status(416, "Content-Range", "bytes */0"), CodeEmpty, 1, 0},
		"416":                  {status(416), CodeNotSeekable, 1, 0},
		"404":                  {status(404), CodeNotFound, 1, 0},
		"410":                  {status(410), CodeNotFound, 1, 0},
		"401":                  {status(401), CodeUnreadable, 1, 0},
		"403":                  {status(403), CodeUnreadable, 1, 0},
		"204":                  {status(204), CodeUnreadable, 1, 0},
		"300":                  {status(300), CodeUnreadable, 1, 0},
		"503":                  {status(503), CodeUnreachable, 5, 4 * time.Second},
		"429, wait a day":      {status(429, "Retry-After", "65535"), CodeUnreachable, 4, 31 * time.Second},
		"redirects for ever":   {redirectTo("/" + secret + "/film.mkv"), CodeUnreadable, 6, 0},
		"redirect to others":   {redirectTo("http://evil.test/film.mkv?" + secret), CodeRefused, 1, 0},
		"to another port":      {redirectTo("http://films.test:22/" + secret), CodeRefused, 1, 0},
		"to loopback":          {redirectTo("http://127.0.0.1/" + secret), CodeRefused, 1, 0},
		"to metadata":          {redirectTo("//169.254.169.254/latest"), CodeRefused, 1, 0},
		"to a file":            {redirectTo("file:///etc/" + secret), CodeRefused, 1, 0},
		"to no URL":            {redirectTo("http://[" + secret), CodeUnreadable, 1, 0},
		"to nowhere":           {redirectTo(""), CodeUnreadable, 1, 0},
		"no answer":            {func(_ int, _ http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) }, CodeUnreachable, 5, 4 * time.Second},
		"half an answer":       {partial("Content-Range", "bytes 0-99/100", "Content-Length", "50"), CodeUnreachable, 5, 4 * time.Second},
		"never begins":         {stall(0), CodeUnreachable, 3, 31 * time.Second},
		"stops":                {stall(1000), CodeUnreachable, 3, 31 * time.Second},
		"a byte now and again": {trickle, CodeUnreachable, 1, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOrigin(t, noise(100))
				o.fault = row.fault
				begun := time.Now()
				_, err := openRemote(t.Context(), o.client(t, filmURL), slogDiscard)
				if CodeOf(err) != row.code {
					t.Fatalf("got %s: %v", CodeOf(err), err)
				}
				clean(t, err)
				if n := len(o.requests()); n != row.requests {
					t.Errorf("asked %d times: %v", n, err)
				}
				if took := time.Since(begun); took > row.within {
					t.Errorf("took %v: %v", took, err)
				}
			})
		})
	}
}

// stall sends some bytes of a block and no more.
func stall(bytes int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if bytes > 0 {
			w.Header().Set("Content-Range", "bytes 0-262143/300000")
			w.Header().Set("Content-Length", "262144")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, bytes))
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		return true
	}
}

// trickle sends a byte a second.
func trickle(_ int, w http.ResponseWriter, r *http.Request) bool {
	stall := time.NewTicker(time.Second)
	defer stall.Stop()
	w.Header().Set("Content-Range", "bytes 0-99/100")
	w.Header().Set("Content-Length", "100")
	w.WriteHeader(http.StatusPartialContent)
	for {
		select {
		case <-stall.C:
			_, _ = w.Write([]byte{0})
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return true
		}
	}
}

// TestRequests holds what goes out: to the host that was named, and to another
// that it redirects to.
func TestRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t, noise(100))
		o.fault = func(n int, w http.ResponseWriter, r *http.Request) bool {
			user, password, given := r.BasicAuth()
			switch r.Host {
			case "films.test":
				if n != 1 || user != "me" || password != secret || r.URL.Query().Get("token") != secret {
					t.Errorf("request %d has %v of %s", n, r.Header, r.URL)
				}
				return redirectTo("http://other.test/film.mkv")(n, w, r)
			case "other.test":
				if given || r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" || strings.Contains(r.URL.String(), secret) {
					t.Errorf("another host is sent %v of %s", r.Header, r.URL)
				}
			}
			if r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("Range") != "bytes=0-262143" || r.Header.Get("If-Range") != "" {
				t.Errorf("headers %v", r.Header)
			}
			return false
		}
		r, err := openRemote(t.Context(), o.client(t, filmURL), slogDiscard)
		if err != nil || r.Size() != 100 {
			t.Fatalf("%v", err)
		}
	})
}

func TestRedirectFromHTTPSIsNotFollowedToHTTP(t *testing.T) {
	t.Parallel()
	answer := roundTrip(func(r *http.Request) *http.Response {
		if r.URL.Scheme != "https" {
			t.Errorf("asked %s", r.URL)
		}
		header := http.Header{"Location": {"http://other.test/a"}}
		return &http.Response{StatusCode: http.StatusFound, Header: header, Body: io.NopCloser(bytes.NewReader(nil))}
	})
	n, err := parse("https://films.test/a")
	if err != nil {
		t.Fatal(err)
	}
	c := &client{
		transport: answer, hosts: hosts{{name: "films.test"}, {name: "other.test"}},
		url: n.url, name: n.public(), limits: DefaultLimits(),
	}
	if _, err := c.get(t.Context(), 0, 9); CodeOf(err) != CodeRefused {
		t.Error(err)
	}
}

type roundTrip func(r *http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
