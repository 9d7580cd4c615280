//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// web serves a folder, and knows from where on its files were asked for.
type web struct {
	*httptest.Server
	mu     sync.Mutex
	begins []int64 // guarded by mu: of parts; -1 for a request of a whole file
}

// serve begins to serve a folder.
func serve(t *testing.T, folder string) *web {
	t.Helper()
	w, files := &web{}, http.FileServer(http.Dir(folder))
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		begin := int64(-1)
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &begin) // absent where all is wanted
		w.mu.Lock()
		w.begins = append(w.begins, begin)
		w.mu.Unlock()
		files.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// asked returns from where on files were asked for since the last call.
func (w *web) asked() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	begins := w.begins
	w.begins = nil
	return begins
}

// filled makes a film of half a MiB for each second, far more than is read ahead of it.
const filled = " -b:v 4M -minrate 4M -maxrate 4M -bufsize 4M -x264-params nal-hrd=cbr"

// TestTranscodeByRanges has films transcoded that lie on a web server, whole and from
// within: the worker reads what it needs, also of one that cannot be read in order.
func TestTranscodeByRanges(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	films := serve(t, folder)
	d := start(t, settings{"media.http.hosts": films.Listener.Addr().String()})
	out := filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"a.mkv", "index-last.mp4"} {
		f := jobFilm(name, 1500)
		f.args += filled
		f.draw(t, folder)
		info, err := os.Stat(filepath.Join(folder, name))
		must(t, err)
		transcode := func(query string) {
			tool(t, nil, "curl", "-sSf", "-X", "POST", "-H", "X-Api-Token: "+token, "-o", out,
				d.transcodeURL("source="+url.QueryEscape(films.URL+"/"+name)+query))
		}
		t.Run(name, func(t *testing.T) {
			transcode("")
			f.inOrder(t, out, f.frames)
			if begins := films.asked(); slices.Contains(begins, -1) {
				t.Errorf("it was asked for whole: %d", begins)
			}
		})
		t.Run(name+" from within", func(t *testing.T) {
			transcode("&start=41.23&duration=2")
			f.from(t, out, 1030, 51) // from the one that is shown at 41.23 s on, wherever in the file its time begins
			near := func(begin int64) bool { return begin > info.Size()*6/10 && begin < info.Size()*7/10 }
			if begins := films.asked(); slices.Contains(begins, -1) || !slices.ContainsFunc(begins, near) {
				t.Errorf("of %d bytes parts were asked for from %d on", info.Size(), begins)
			}
		})
	}
}

// TestTranscodeWhoseSourceGoesAway takes the web server away midway: what is made does not
// look whole, and the session tells why.
func TestTranscodeWhoseSourceGoesAway(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	films := serve(t, folder)
	f := jobFilm("a.mkv", length)
	f.args += filled
	f.draw(t, folder)
	d := start(t, settings{"media.http.hosts": films.Listener.Addr().String(), "media.http.timeout": "1s"})
	curl, _, now := d.curl(filepath.Join(t.TempDir(), "out"), "&source="+url.QueryEscape(films.URL+"/"+f.name), "-X", "POST")
	films.CloseClientConnections()
	must(t, films.Listener.Close())
	if err := curl.Wait(); err == nil {
		t.Error("curl takes the result for whole")
	}
	eventually(t, "the transcode has ended", func() bool { return now().State == "ended" })
	if p := now(); p.Cause != "failed" || p.Failure.Code != "source_unreachable" {
		t.Errorf("%+v", p)
	}
}
