package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// camera is a server that shows a test pattern live, with sound, to everybody who asks, as long as show says so.
func camera(t *testing.T, show func(r *http.Request) (context.Context, bool)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, on := show(r)
		if !on {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=192x128:rate=25", //nolint:contextcheck // show derives it from that of the request
			"-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
			"-pix_fmt", "yuv420p", "-g", "25", "-ac", "2", "-c:a", "aac", "-flush_packets", "1", "-f", "mpegts", "pipe:1")
		cmd.Stdout = flushed{w}
		_ = cmd.Run() // until the watcher hangs up
		if ctx.Err() != nil && r.Context().Err() == nil {
			panic(http.ErrAbortHandler) // it breaks off
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// always shows.
func always(r *http.Request) (context.Context, bool) { return r.Context(), true }

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
	cam := camera(t, always)
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
	refused(t, d.ask("GET", s.URLs.Stream.MP4+"?start=1", ""), problem.BadRequest)
	refused(t, d.ask("GET", s.URLs.Stream.MP4+"?audio=1", ""), problem.StreamUnknown)
	now := d.media(base + "video1_stream.m3u8")
	if now.ServerControl == nil || !now.ServerControl.CanBlockReload || now.PartInf == nil || now.PartInf.PartTarget > 200*time.Millisecond || now.PreloadHint == nil {
		t.Fatalf("%+v %+v", now.ServerControl, now.PartInf)
	}
	if zip := d.ask("GET", base+"video1_stream.m3u8", "", "Accept-Encoding", "gzip"); zip.header.Get("Content-Encoding") != "gzip" || !bytes.HasPrefix(zip.body, []byte{0x1f, 0x8b}) {
		t.Errorf("playlist for who takes gzip: %v", zip.header)
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
	d.farewell(base)
}

// farewell holds what players are told when a stream has ended: all that they lack, and that it is all; and then that
// there is nothing any more.
func (d *daemon) farewell(base string) {
	d.t.Helper()
	last := d.media(base + "video1_stream.m3u8?_HLS_msn=100000&_HLS_part=0") // answers whatever is waited for
	if !last.Endlist || last.PreloadHint != nil || len(last.Parts) > 0 || len(last.Segments) == 0 {
		d.t.Errorf("the last playlist: %+v", last)
	}
	if master := d.ask("GET", base+"master.m3u8", ""); master.status != http.StatusOK || !bytes.Contains(master.body, []byte("video1_stream.m3u8")) {
		d.t.Errorf("the master playlist: %d %s", master.status, master.body)
	}
	stream := d.ask("GET", base+last.Map.URI, "").body
	listed := time.Duration(0)
	for _, segment := range last.Segments {
		if !segment.Gap {
			stream = append(stream, d.ask("GET", base+segment.URI, "").body...)
			listed += segment.Duration
		}
	}
	pictures := strings.Count(string(tool(d.t, stream, "ffmpeg", "-v", "error", "-i", "-", "-map", "0:v", "-fps_mode", "passthrough", "-f", "framemd5", "-")), "\n0,")
	if want := int(listed.Seconds()*25 + 0.5); pictures != want {
		d.t.Errorf("%d pictures in %s", pictures, listed)
	}
	for deadline := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		if got := d.ask("GET", base+"video1_stream.m3u8", ""); got.status != http.StatusOK {
			refused(d.t, got, problem.SessionEnded)
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal("the stream is not over")
		}
	}
}

// TestLiveStreams has ffmpeg read each stream of a live session.
func TestLiveStreams(t *testing.T) {
	t.Parallel()
	cam := camera(t, always)
	c := settings(t)
	c.Media.HTTP.Hosts = []string{cam.Listener.Addr().String()}
	d := begin(t, c)
	s := d.live(cam)
	for path, form := range map[string]string{s.URLs.Stream.MP4: "mp4", s.URLs.Stream.TS: "mpegts", s.URLs.Stream.MKV: "matroska"} {
		var found struct {
			Format struct {
				Format string `json:"format_name"`
			}
			Packets []struct {
				Kind string `json:"codec_type"`
				At   string `json:"pts_time"`
			}
		}
		must(t, json.Unmarshal(tool(t, nil, "ffprobe", "-v", "error", "-read_intervals", "%+2", "-of", "json", "-show_format", "-show_packets", d.url+path), &found))
		count, first := map[string]int{}, map[string]float64{}
		for _, p := range found.Packets {
			at, err := strconv.ParseFloat(p.At, 64)
			must(t, err)
			if count[p.Kind]++; count[p.Kind] == 1 {
				first[p.Kind] = at
			}
		}
		begins := map[string]float64{"mpegts": 1}[form]
		if !strings.Contains(found.Format.Format, form) || count["video"] < 45 || count["audio"] < 80 ||
			math.Abs(first["video"]-begins) > 0.001 || math.Abs(first["audio"]-begins) > 0.5 {
			t.Errorf("%s: %s, %v from %v on", form, found.Format.Format, count, first)
		}
	}
	response, err := http.Get(d.url + s.URLs.Stream.MKV) //nolint:noctx // it ends with the session
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	if got := d.ask("DELETE", "/v1/sessions/"+s.ID, ""); got.status != 204 {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	if n, err := io.Copy(io.Discard, response.Body); err == nil {
		t.Errorf("the stream of a deleted session ends like a whole one, after %d bytes", n)
	}
	refused(t, d.ask("GET", s.URLs.Stream.MP4, ""), problem.SessionEnded)
}

// live begins a session of a camera.
func (d *daemon) live(cam *httptest.Server) playback.Session {
	d.t.Helper()
	return want[playback.Session](d.t, d.ask("POST", "/v1/sessions", `{"source":"`+cam.URL+`/live.ts","live":true}`), 201)
}

// untilSession asks for a session until it is as is wanted.
func (d *daemon) untilSession(id string, done func(playback.Session) bool) playback.Session {
	d.t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		s := want[playback.Session](d.t, d.ask("GET", "/v1/sessions/"+id, ""), 200)
		if done(s) {
			return s
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("it is %+v", s)
		}
	}
}

// TestLiveBreaks follows a session whose source breaks off, comes back, and then is gone for good.
func TestLiveBreaks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	shows, breakOff := 0, func() {}
	cam := camera(t, func(r *http.Request) (context.Context, bool) {
		mu.Lock()
		defer mu.Unlock()
		if shows++; shows > 2 {
			return nil, false
		}
		var ctx context.Context
		ctx, breakOff = context.WithCancel(r.Context()) //nolint:gosec // interrupt calls it, or the request ends
		return ctx, true
	})
	interrupt := func() {
		mu.Lock()
		defer mu.Unlock()
		breakOff()
	}
	c := settings(t)
	c.Media.HTTP.Hosts, c.Live.Reconnect = []string{cam.Listener.Addr().String()}, 3*time.Second
	d := begin(t, c)
	s := d.live(cam)
	pictures := func(n int64) func(playback.Session) bool {
		return func(s playback.Session) bool { return s.Progress != nil && s.Progress.Encoded >= n }
	}
	first := d.untilSession(s.ID, pictures(30))
	interrupt()
	second := d.untilSession(s.ID, pictures(first.Progress.Encoded+50))
	if at := second.Progress.Position; at < 3 || second.State != "playing" {
		t.Errorf("%s at %g s", second.State, at)
	}
	now := d.media(strings.TrimSuffix(s.URLs.Master, "master.m3u8") + "video1_stream.m3u8")
	for _, segment := range now.Segments {
		if segment.Duration > 2*time.Second {
			t.Errorf("a segment of %s: the break shows", segment.Duration)
		}
	}
	interrupt()
	ended := d.untilSession(s.ID, func(s playback.Session) bool { return s.State == "ended" })
	if ended.Cause != "failed" || ended.Failure == nil || ended.Failure.Code != problem.SourceLost || ended.Failure.Owner != problem.Media {
		t.Errorf("%s %+v", ended.Cause, ended.Failure)
	}
	if last := d.media(strings.TrimSuffix(s.URLs.Master, "master.m3u8") + "video1_stream.m3u8"); !last.Endlist {
		t.Error("players are not told that it has ended")
	}
}

// TestLiveIdle ends a session that nobody watches.
func TestLiveIdle(t *testing.T) {
	t.Parallel()
	cam := camera(t, always)
	c := settings(t)
	c.Media.HTTP.Hosts, c.Sessions.Idle = []string{cam.Listener.Addr().String()}, time.Second
	d := begin(t, c)
	s := d.live(cam)
	if ended := d.untilSession(s.ID, func(s playback.Session) bool { return s.State == "ended" }); ended.Cause != "idle" {
		t.Errorf("%s", ended.Cause)
	}
}

// TestLiveNotTaken holds what a client is told of sources that cannot be taken in.
func TestLiveNotTaken(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer other.Close()
	c := settings(t)
	c.Media.HTTP.Hosts, c.Live.Connect = []string{other.Listener.Addr().String()}, time.Second
	d := begin(t, c)
	for source, code := range map[string]problem.Code{
		other.URL + "/none": problem.SourceNotFound, other.URL + "/empty": problem.NotMedia, "http://127.0.0.1:1/a": problem.SourceRefused,
		"rtsp://cam.example/a": problem.SourceRefused, "udp://239.0.0.1:1234": problem.SourceRefused, "films/a.mkv": problem.SourceRefused,
		"rtsp://" + other.Listener.Addr().String() + "/a": problem.SourceUnreachable,
	} {
		refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+source+`","live":true}`), code)
	}
	for _, s := range want[struct{ Sessions []playback.Session }](t, d.ask("GET", "/v1/sessions", ""), 200).Sessions {
		if s.State != "ended" || s.Cause != "failed" || s.Failure == nil {
			t.Errorf("%+v", s)
		}
	}
}

// TestLiveWorkerLost tells who watches that the worker is gone, and why. It is not run beside others, whose workers it
// would kill.
func TestLiveWorkerLost(t *testing.T) {
	cam := camera(t, always)
	c := settings(t)
	c.Media.HTTP.Hosts = []string{cam.Listener.Addr().String()}
	d := begin(t, c)
	s := d.live(cam)
	lists, err := filepath.Glob("/proc/self/task/*/children")
	must(t, err)
	for _, list := range lists {
		children, _ := os.ReadFile(list) // the thread may have ended
		for _, child := range strings.Fields(string(children)) {
			if name, _ := os.ReadFile("/proc/" + child + "/comm"); !strings.HasPrefix(string(name), "ffmpeg") {
				pid, err := strconv.Atoi(child)
				must(t, err)
				must(t, syscall.Kill(pid, syscall.SIGKILL))
			}
		}
	}
	ended := d.untilSession(s.ID, func(s playback.Session) bool { return s.State == "ended" })
	if ended.Cause != "failed" || ended.Failure == nil || ended.Failure.Code != problem.WorkerFailed {
		t.Errorf("%s %+v", ended.Cause, ended.Failure)
	}
}
