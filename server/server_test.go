package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/config"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// patience bounds each wait, on a machine that may be busy.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// daemon is a server that runs until the test ends.
type daemon struct {
	*Server
	t     *testing.T
	url   string
	films string // folder of the root "films"
	stop  func() // begins the drain
	hurry chan struct{}
	ended chan error
}

// fakeWorker returns a program that is a worker without GStreamer.
func fakeWorker(t *testing.T, start workertest.Kind) string {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	must(t, err)
	script := filepath.Join(t.TempDir(), "upscaled")
	must(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nexport GORACE=atexit_sleep_ms=0 '%s'\nexec '%s'\n", workertest.Env(start), self), 0o700))
	return script
}

// settings returns a configuration for tests.
func settings(t *testing.T) config.Config {
	t.Helper()
	c := config.Defaults()
	c.Listen, c.Cache.Path, c.Jobs.Path = "127.0.0.1:0", filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "jobs")
	c.WebRTC.Port = 0
	c.Media.Roots = []config.Root{{Name: "films", Path: t.TempDir()}}
	c.Workers.Command, c.Shutdown.Drain = fakeWorker(t, ""), 0
	return c
}

// begin runs a server until the test ends.
func begin(t *testing.T, c config.Config) *daemon {
	t.Helper()
	addr := make(chan net.Addr, 1)
	s, err := New(c, Options{Version: "test", Log: slog.New(slog.DiscardHandler), Listening: func(a net.Addr) { addr <- a }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{Server: s, t: t, films: c.Media.Roots[0].Path, stop: cancel, hurry: make(chan struct{}), ended: make(chan error, 1)}
	go func() { d.ended <- s.Run(ctx, d.hurry) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-d.ended:
			must(t, err)
		case <-time.After(patience):
			t.Error("the server does not end")
		}
	})
	select {
	case a := <-addr:
		d.url = "http://" + a.String()
	case err := <-d.ended:
		d.ended <- err
		t.Fatal(err)
	}
	return d
}

// holdings are what this process holds of the system.
type holdings struct{ descriptors, goroutines, children int }

func held(t *testing.T) holdings {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	lists, err := filepath.Glob("/proc/self/task/*/children")
	must(t, err)
	h := holdings{descriptors: len(entries), goroutines: runtime.NumGoroutine()}
	for _, list := range lists {
		pids, _ := os.ReadFile(list) // the thread may have ended
		h.children += len(strings.Fields(string(pids)))
	}
	return h
}

// TestNothingIsLeft runs a server with sessions that play, wait and fail, and ends
// it in their midst, again and again.
func TestNothingIsLeft(t *testing.T) {
	before := held(t)
	for range 5 {
		t.Run("", func(t *testing.T) {
			cam, c := camera(t, always), settings(t)
			c.Media.HTTP.Hosts = []string{cam.Listener.Addr().String()}
			d := begin(t, c)
			d.raw("GET " + strings.TrimSuffix(d.live(cam).URLs.Master, "master.m3u8") + "video1_stream.m3u8?_HLS_msn=7 HTTP/1.1\r\nHost: localhost\r\n\r\n")
			waits := d.play(d.add("slow.mkv", workertest.Film{Speed: 0.01}))
			d.raw("GET " + strings.TrimSuffix(waits.URLs.Master, "master.m3u8") + "video/0/5.m4s HTTP/1.1\r\nHost: localhost\r\n\r\n")
			d.raw("GET /v1/control HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: upscaled.v1\r\n\r\n")
			plays := d.play(d.add("a.mkv", workertest.Film{Duration: workertest.Length(time.Hour)}))
			if got := d.ask("GET", strings.TrimSuffix(plays.URLs.Master, "master.m3u8")+"video/0/100.m4s", ""); got.status != 200 {
				t.Errorf("status %d", got.status)
			}
			d.play(d.add("bad.mkv", workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Abort, After: 10}}))
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		after := held(t)
		if after.descriptors <= before.descriptors && after.goroutines <= before.goroutines && after.children <= before.children {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the test found %+v and leaves %+v", before, after)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// add makes a film and returns its name.
func (d *daemon) add(name string, film workertest.Film) string {
	d.t.Helper()
	path := filepath.Join(d.films, name)
	must(d.t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, film.Bytes(), 0o600)))
	return "films/" + name
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request, with a JSON document unless it is "".
func (d *daemon) ask(method, path, document string, headers ...string) answer {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	var body io.Reader
	if document != "" {
		body = strings.NewReader(document)
	}
	r, err := http.NewRequestWithContext(ctx, method, d.url+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	if document != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept-Encoding", "identity")
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[len(pair)-1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	data, err := io.ReadAll(response.Body)
	must(d.t, errors.Join(err, response.Body.Close()))
	return answer{response.StatusCode, response.Header, data}
}

// want checks an answer's status and reads its document.
func want[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var document T
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	if err := d.Decode(&document); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return document
}

// play creates a session.
func (d *daemon) play(source string) playback.Session {
	d.t.Helper()
	return want[playback.Session](d.t, d.ask("POST", "/v1/sessions", `{"source":"`+source+`"}`), 201)
}

// refused checks that an answer is a problem of a code.
func refused(t *testing.T, a answer, code problem.Code) problem.Problem {
	t.Helper()
	kind, known := problem.KindOf(code)
	p := want[problem.Problem](t, a, kind.Status)
	if !known || p.Code != code || a.header.Get("Content-Type") != problem.ContentType || p.Detail == "" {
		t.Fatalf("want %s, got %s: %s", code, a.header.Get("Content-Type"), a.body)
	}
	return p
}

func TestLifeOfASession(t *testing.T) {
	d := begin(t, settings(t))
	name := d.add("night-train.mkv", workertest.Film{
		Duration: workertest.Length(90 * time.Second), Rate: [2]int{24000, 1001},
		Audio: []workertest.Sound{{Language: "en"}}, Text: []workertest.Titles{{Language: "en"}},
	})
	created := d.ask("POST", "/v1/sessions", `{"source":"`+name+`","preset":"warm","filters":{"contrast":9}}`)
	s := want[playback.Session](t, created, 201)
	if created.header.Get("Location") != "/v1/sessions/"+s.ID || s.URLs == nil || len(s.Clamped) != 1 || s.Settings.Filters.Temperature != 5000 {
		t.Fatalf("%s", created.body)
	}
	if s.Film.Segments != 90 || s.Film.Video.Rate != "24000/1001" || len(s.Film.Audio) != 1 || len(s.Film.Subtitles) != 1 || s.Source != name {
		t.Errorf("film %+v", s.Film)
	}
	master := d.ask("GET", s.URLs.Master, "")
	if master.status != 200 || !bytes.Contains(master.body, []byte("video/index.m3u8")) || master.header.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("%d %v\n%s", master.status, master.header, master.body)
	}
	base := strings.TrimSuffix(s.URLs.Master, "master.m3u8")
	for path, kind := range map[string]string{
		"video/index.m3u8": "application/vnd.apple.mpegurl", "video/0/init.mp4": "video/mp4", "video/0/0.m4s": "video/mp4",
		"video/0/60.m4s": "video/mp4", "audio/0/0/0.m4s": "audio/mp4", "text/0/2.vtt": "text/vtt; charset=utf-8",
	} {
		got := d.ask("GET", base+path, "")
		if got.status != 200 || len(got.body) == 0 || got.header.Get("Content-Type") != kind || got.header.Get("Content-Length") == "" {
			t.Errorf("%s: %d, %v", path, got.status, got.header)
		}
		if head := d.ask("HEAD", base+path, ""); head.status != 200 || head.header.Get("Content-Length") != got.header.Get("Content-Length") {
			t.Errorf("HEAD %s: %d, %v", path, head.status, head.header)
		}
	}
	path := "/v1/sessions/" + s.ID
	if got := want[playback.Session](t, d.ask("GET", path, ""), 200); got.State != "playing" || got.Buffered <= 0 {
		t.Errorf("%s, buffered %g", got.State, got.Buffered)
	}
	changed := want[playback.Session](t, d.ask("PATCH", path, `{"strength":0.5,"filters":{"gamma":1.2}}`), 200)
	if changed.Settings.Strength != 0.5 || changed.Settings.Filters.Gamma != 1.2 || changed.Settings.Filters.Temperature != 5000 {
		t.Errorf("settings %+v", changed.Settings)
	}
	if got := want[playback.Session](t, d.ask("POST", path+"/pause", ""), 200); got.State != "paused" {
		t.Error(got.State)
	}
	if got := want[playback.Session](t, d.ask("POST", path+"/resume", ""), 200); got.State != "playing" {
		t.Error(got.State)
	}
	if got := want[playback.Session](t, d.ask("POST", path+"/seek", `{"position":42.5}`), 200); got.Position != 42.5 {
		t.Error(got.Position)
	}
	want[playback.Session](t, d.ask("POST", path+"/ping", `{"position":43}`), 200)
	want[playback.Session](t, d.ask("POST", path+"/ping", ""), 200)
	want[playback.URLs](t, d.ask("POST", path+"/urls", ""), 200)
	for range 2 { // again is no error
		if got := d.ask("DELETE", path, ""); got.status != 204 || len(got.body) != 0 {
			t.Fatalf("%d: %s", got.status, got.body)
		}
	}
	if got := want[playback.Session](t, d.ask("GET", path, ""), 200); got.State != "ended" || got.Cause != "client" || got.URLs != nil || got.Ended == nil {
		t.Errorf("%+v", got)
	}
	refused(t, d.ask("GET", base+"video/0/0.m4s", ""), problem.SessionEnded)
	refused(t, d.ask("POST", path+"/seek", `{"position":1}`), problem.SessionEnded)
}
