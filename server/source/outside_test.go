package source

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestOutside holds that live sources reach listed hosts alone, whatever leads elsewhere.
func TestOutside(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a host that is not listed was asked") }))
	defer other.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/live.ts", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "live") })
	mux.Handle("/moved", http.RedirectHandler("/live.ts", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler(other.URL, http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	listed := httptest.NewServer(mux)
	defer listed.Close()
	at, err := url.Parse(listed.URL)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := New(Options{Hosts: []string{at.Host}, Limits: DefaultLimits(), Log: slogDiscard})
	if err != nil {
		t.Fatal(err)
	}
	outside := opener.Outside()
	client := outside.Client()
	defer client.CloseIdleConnections()
	for path, want := range map[string]Code{
		"/live.ts": "", "/moved": "", "/away": CodeRefused, "/round": CodeUnreadable, "/file": CodeRefused,
	} {
		if err := ask(t, client, listed.URL+path); CodeOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := ask(t, client, other.URL); CodeOf(err) != CodeRefused {
		t.Errorf("another host: %v", err)
	}
	if conn, err := outside.Dial(t.Context(), "tcp", other.Listener.Addr().String()); CodeOf(err) != CodeRefused {
		t.Errorf("dialled another host: %v, %v", conn, err)
	}
	conn, err := outside.Dial(t.Context(), "tcp", at.Host)
	if err = errors.Join(err, closeOf(conn)); err != nil {
		t.Error(err)
	}
	for source, want := range map[string]Code{"rtsp://" + at.Host + "/a": "", "rtsp://" + at.Hostname() + "/a": CodeRefused} {
		u, err := ParseLive(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := outside.Check(u); CodeOf(err) != want {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// TestRedirectTellsNothing holds that what is secret in a live source's URL is not told
// to the host that it redirects to.
func TestRedirectTellsNothing(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	to := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r }))
	defer to.Close()
	from := httptest.NewServer(http.RedirectHandler(to.URL+"/live.ts", http.StatusFound))
	defer from.Close()
	opener, err := New(Options{Hosts: []string{from.Listener.Addr().String(), to.Listener.Addr().String()}, Limits: DefaultLimits(), Log: slogDiscard})
	if err != nil {
		t.Fatal(err)
	}
	client := opener.Outside().Client()
	defer client.CloseIdleConnections()
	if err := ask(t, client, strings.Replace(from.URL, "http://", "http://me:secret@", 1)+"/live?token=secret"); err != nil {
		t.Fatal(err)
	}
	if r := <-asked; r.Header.Get("Referer") != "" || r.Header.Get("Authorization") != "" || r.URL.String() != "/live.ts" {
		t.Errorf("it is sent %v of %s", r.Header, r.URL)
	}
}

// ask asks for a URL and closes the answer.
func ask(t *testing.T, client *http.Client, rawURL string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func closeOf(conn net.Conn) error {
	if conn == nil {
		return nil
	}
	return conn.Close()
}
