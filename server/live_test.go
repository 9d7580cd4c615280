package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// camera is a server that shows a test pattern live, with sound, to everybody who asks.
func camera(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cmd := exec.CommandContext(r.Context(), "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=192x128:rate=25",
			"-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
			"-pix_fmt", "yuv420p", "-g", "25", "-ac", "2", "-c:a", "aac", "-flush_packets", "1", "-f", "mpegts", "pipe:1")
		cmd.Stdout = flushed{w}
		if err := cmd.Run(); err != nil && r.Context().Err() == nil && !errors.Is(err, errHungUp) {
			t.Logf("camera: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

var errHungUp = errors.New("the watcher has gone")

// flushed hands on what is written at once.
type flushed struct{ w http.ResponseWriter }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err = errors.Join(err, http.NewResponseController(f.w).Flush()); err != nil {
		err = errHungUp
	}
	return n, err
}

// media fetches and reads a media playlist.
func (d *daemon) media(path string) *playlist.Media {
	d.t.Helper()
	got := d.ask("GET", path, "")
	if got.status != 200 {
		d.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	parsed, err := playlist.Unmarshal(got.body)
	if err != nil {
		d.t.Fatal(err)
	}
	return parsed.(*playlist.Media)
}

// TestLive follows a live session from its source to its end.
func TestLive(t *testing.T) {
	t.Parallel()
	cam := camera(t)
	c := settings(t)
	c.Media.HTTP.Hosts = []string{cam.Listener.Addr().String()}
	d := begin(t, c)
	s := want[playback.Session](t, d.ask("POST", "/v1/sessions", `{"source":"`+cam.URL+`/live.ts","live":true}`), 201)
	if s.Kind != "live" || s.URLs == nil || s.Film.Video.Delivered.Width == 0 || len(s.Film.Audio) != 1 || !strings.HasSuffix(s.Source, "/…/live.ts") {
		t.Fatalf("%+v", s)
	}
	master := d.ask("GET", s.URLs.Master, "")
	if master.status != 200 || !bytes.Contains(master.body, []byte("video1_stream.m3u8")) || !bytes.Contains(master.body, []byte("mp4a.40.2")) {
		t.Fatalf("%d %s", master.status, master.body)
	}
	base := strings.TrimSuffix(s.URLs.Master, "master.m3u8")
	now := d.media(base + "video1_stream.m3u8")
	if now.ServerControl == nil || !now.ServerControl.CanBlockReload || now.PartInf == nil || now.PartInf.PartTarget > 200*time.Millisecond || now.PreloadHint == nil {
		t.Fatalf("%+v %+v", now.ServerControl, now.PartInf)
	}
	if init := d.ask("GET", base+now.Map.URI, ""); init.status != 200 || init.header.Get("Content-Type") != "video/mp4" || init.header.Get("Cache-Control") != "no-store" {
		t.Errorf("init: %d %v", init.status, init.header)
	}
	hint := d.ask("GET", base+now.PreloadHint.URI, "") // waits until it is made
	if hint.status != 200 || len(hint.body) == 0 {
		t.Errorf("hint: %d", hint.status)
	}
	sound := d.media(base + "audio2_stream.m3u8")
	if got := d.ask("GET", base+sound.Segments[len(sound.Segments)-1].URI, ""); got.status != 200 || got.header.Get("Content-Type") != "audio/mp4" {
		t.Errorf("sound: %d %v", got.status, got.header)
	}
	for _, path := range []string{"video1_stream.m3u8?_HLS_msn=x", "video1_stream.m3u8?_HLS_part=1", "video1_stream.m3u8?_HLS_msn=100000"} {
		refused(t, d.ask("GET", base+path, ""), problem.BadRequest)
	}
	for _, path := range []string{"none.mp4", "video/index.m3u8", "index.m3u8"} {
		refused(t, d.ask("GET", base+path, ""), problem.NotFound)
	}
	path := "/v1/sessions/" + s.ID
	changed := want[playback.Session](t, d.ask("PATCH", path, `{"strength":0.5,"filters":{"gamma":1.2}}`), 200)
	if changed.Settings.Strength != 0.5 || changed.Settings.Filters.Gamma != 1.2 {
		t.Errorf("settings %+v", changed.Settings)
	}
	refused(t, d.ask("PATCH", path, `{"height":720}`), problem.BadRequest)
	refused(t, d.ask("POST", path+"/seek", `{"position":1}`), problem.SessionKind)
	want[playback.Session](t, d.ask("POST", path+"/ping", ""), 200)
	if got := want[playback.Session](t, d.ask("GET", path, ""), 200); got.State != "playing" || got.Progress == nil || got.Progress.Encoded == 0 {
		t.Errorf("%s %+v", got.State, got.Progress)
	}
	if got := d.ask("DELETE", path, ""); got.status != 204 {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	if got := want[playback.Session](t, d.ask("GET", path, ""), 200); got.State != "ended" || got.Cause != "client" || got.URLs != nil {
		t.Errorf("%+v", got)
	}
	refused(t, d.ask("GET", base+"video1_stream.m3u8", ""), problem.SessionEnded)
}
