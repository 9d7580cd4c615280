package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestBreaks takes in a source whose connection breaks off in the middle of a picture, twice, and then ends well. The
// feed shows nothing of it but pictures that are missing.
func TestBreaks(t *testing.T) {
	t.Parallel()
	file := encode(t, 2, avcAAC...)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 2 {
			http.ServeContent(w, r, "live.ts", time.Time{}, bytes.NewReader(file))
			return
		}
		_, _ = w.Write(file[:len(file)*3/4])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	intake, err := New(s.URL, options(outside(t, s.URL)))
	if err != nil {
		t.Fatal(err)
	}
	feed, err := taken(t, intake)
	if err != nil {
		t.Fatal(err)
	}
	p := probe(t, feed)
	if pictures := p.pictures(t); len(pictures) < 110 || len(pictures) > 130 || steady(pictures, 40*ms, ms) != "" {
		t.Errorf("%d pictures, %s", len(pictures), steady(pictures, 40*ms, ms))
	}
	sounds := p.sounds(t)
	for i := 1; i < len(sounds); i++ {
		if step := sounds[i] - sounds[i-1]; step <= 0 || step > time.Second {
			t.Errorf("a frame of sound comes %s after the one before", step)
		}
	}
	if f := intake.Figures(); f.Reconnects != 2 || f.Dropped != (Dropped{}) || f.Newest < 4*time.Second {
		t.Errorf("%+v", f)
	}
}

// TestStall gives a connection up on which nothing comes any more, and then the source.
func TestStall(t *testing.T) {
	t.Parallel()
	file := encode(t, 1, avcAAC...)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write(file)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	o := options(outside(t, s.URL))
	o.Stall = 200 * ms
	intake, err := New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	var feed bytes.Buffer
	go func() { ended <- intake.Run(ctx, &feed) }()
	for asked.Load() < 3 { // so it is connected to anew
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(10 * ms):
		}
	}
	cancel()
	if err := <-ended; err != context.Canceled { //nolint:errorlint // exactly that is promised
		t.Error(err)
	}
}

// TestLost gives a source up that does not come back.
func TestLost(t *testing.T) {
	t.Parallel()
	file := encode(t, 1, avcAAC...)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(file)
	}))
	defer s.Close()
	o := options(outside(t, s.URL))
	o.Reconnect = 2 * time.Second
	intake, err := New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, intake); code(err) != CodeLost || asked.Load() < 3 {
		t.Errorf("%v after %d tries", err, asked.Load())
	}
}

// TestBackWithoutPicture takes a source up again that is back before its picture is.
func TestBackWithoutPicture(t *testing.T) {
	t.Parallel()
	file := encode(t, 1, avcAAC...)
	for name, between := range map[string][]byte{"sound alone": encode(t, 0.5, voice...), "another codec": encode(t, 0.5, mpeg2...)} {
		var asked atomic.Int64
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch asked.Add(1) {
			case 1:
				_, _ = w.Write(file)
				_ = http.NewResponseController(w).Flush() // so it has no length, and no end
			case 2:
				_, _ = w.Write(between)
			default:
				http.ServeContent(w, r, "live.ts", time.Time{}, bytes.NewReader(file))
			}
		}))
		intake, err := New(s.URL, options(outside(t, s.URL)))
		if err != nil {
			t.Fatal(err)
		}
		feed, err := taken(t, intake)
		if err != nil {
			t.Fatalf("%s: %v (%s)", name, err, code(err))
		}
		if pictures := probe(t, feed).pictures(t); len(pictures) < 49 { // the last of the first connection is not known to be whole
			t.Errorf("%s: %d pictures", name, len(pictures))
		}
		s.Close()
	}
}

// TestHLSGoesOn takes a playlist up again whose next segment was not there yet. What it lists still of what was shown is not
// shown again: its segments say what time of day they are of.
func TestHLSGoesOn(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	encode(t, 6, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "hls", "-hls_time", "1", "-hls_list_size", "0",
		"-hls_flags", "program_date_time", "-y", filepath.Join(folder, "live.m3u8"), "-t", "0.1", "-f", "null")
	all, err := os.ReadFile(filepath.Join(folder, "live.m3u8"))
	if err != nil {
		t.Fatal(err)
	}
	four, _, found := bytes.Cut(all, []byte("live3.ts\n"))
	if !found {
		t.Fatalf("%s", all)
	}
	files := http.FileServer(http.Dir(folder))
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live.m3u8" && asked.Add(1) <= 4 { // once more than there are segments to begin with
			_, _ = w.Write(append(slices.Clone(four), "live3.ts\n"...))
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer s.Close()
	intake, err := New(s.URL+"/live.m3u8", options(outside(t, s.URL)))
	if err != nil {
		t.Fatal(err)
	}
	feed, err := taken(t, intake)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(probe(t, feed).pictures(t)); n != 125 || intake.Figures().Reconnects != 1 {
		t.Errorf("%d pictures of the last five seconds, %+v", n, intake.Figures())
	}
}

// slow is a worker that takes nothing until it is told to.
type slow struct {
	bytes.Buffer
	take chan struct{}
}

func (s *slow) Write(b []byte) (int, error) {
	<-s.take
	return s.Buffer.Write(b)
}

// TestSlowWorker holds that a worker which does not take its feed gets the newest groups of pictures, whole, and that
// what it did not get is counted.
func TestSlowWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, encode(t, 16, avcAAC...))
	intake, err := New(s.URL, options(outside(t, s.URL)))
	if err != nil {
		t.Fatal(err)
	}
	worker := &slow{take: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- intake.Run(t.Context(), worker) }()
	for deadline := time.Now().Add(20 * time.Second); intake.Figures().Newest < 15900*ms; <-time.After(10 * ms) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", intake.Figures())
		}
	}
	close(worker.take)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	dropped := intake.Figures().Dropped
	p := probe(t, worker.Bytes())
	pictures := p.pictures(t)
	if dropped.Groups < 9 || len(pictures)+int(dropped.Pictures) != 400 || len(pictures) < 100 {
		t.Errorf("%d pictures, dropped %+v", len(pictures), dropped)
	}
	if pictures[0]%time.Second != 0 || steady(pictures, 40*ms, ms) != "" || pictures[len(pictures)-1] != 15960*ms {
		t.Errorf("from %s to %s: %s", pictures[0], pictures[len(pictures)-1], steady(pictures, 40*ms, ms))
	}
}

// TestRefused holds that nothing is connected to that is not listed.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	for _, url := range []string{"http://127.0.0.1:1/a.ts", "rtsp://127.0.0.1:2/a", "udp://127.0.0.1:3", "rtsp://", "films/a.mkv"} {
		if i, err := New(url, options(outside(t, s.URL))); err == nil {
			t.Errorf("%s: %+v", url, i)
		}
	}
	away := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
	defer away.Close()
	intake, err := New(away.URL, options(outside(t, away.URL)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, intake); code(err) != "source_refused" {
		t.Error(err)
	}
}

// TestSecrets holds that no log and no error has what a URL may hold of secrets: its path, its query, its password.
func TestSecrets(t *testing.T) {
	t.Parallel()
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	away := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/hidden-away/live.ts?token=hidden-too", http.StatusFound))
	defer away.Close()
	for _, url := range []string{
		"http://" + closed.Addr().String() + "/hidden/live.ts?token=hidden",
		"http://" + closed.Addr().String() + "/hidden/live.m3u8?token=hidden",
		"rtsp://user:hidden@" + closed.Addr().String() + "/hidden/live?token=hidden",
		away.URL + "/hidden/live.ts", away.URL + "/hidden/live.m3u8",
	} {
		var log bytes.Buffer
		o := options(outside(t, url))
		o.Connect, o.Log = 500*ms, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		intake, err := New(url, o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = taken(t, intake)
		if told := fmt.Sprintf("%v %s %s", err, detail(err), &log); code(err) == "" || strings.Contains(told, "hidden") {
			t.Errorf("%s (%s)", told, code(err))
		}
	}
}
