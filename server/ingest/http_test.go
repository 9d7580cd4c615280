package ingest

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// serve returns a server of one file, at every path, which tells its length: its end is the stream's.
func serve(t *testing.T, file []byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "live.ts", time.Time{}, bytes.NewReader(file))
	}))
	t.Cleanup(s.Close)
	return s
}

// TestTransportStreams takes in every codec that is carried, each at its place in time.
func TestTransportStreams(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name           string
		args           []string
		picture, sound string
	}{
		{"avc", avcAAC, "h264", "aac"},
		{"bframes", bframes, "h264", "aac"},
		{"hevc", hevcAAC, "hevc", "aac"},
		{"opus", avcOpus, "h264", "opus"},
		{"ac3", avcWith("-c:a", "ac3"), "h264", "ac3"},
		{"ac3 of dvb", avcWith("-c:a", "ac3", "-mpegts_flags", "system_b"), "h264", "ac3"},
		{"eac3", avcWith("-c:a", "eac3"), "h264", "eac3"},
		{"mp2", avcWith("-c:a", "mp2"), "h264", "mp2"},
		{"mp3", avcWith("-c:a", "libmp3lame"), "h264", "mp3"},
		{"hevc and mp2", append([]string{"-c:a", "mp2"}, slices.Delete(slices.Clone(hevcAAC), 6, 8)...), "hevc", "mp2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, encode(t, 2, row.args...))
			intake, err := New(s.URL+"/live.ts", options(outside(t, s.URL)))
			if err != nil {
				t.Fatal(err)
			}
			feed, err := taken(t, intake)
			if err != nil {
				t.Fatal(err)
			}
			p := probe(t, feed)
			if len(p.Streams) != 2 || p.Streams[0].Codec != row.picture || p.Streams[1].Codec != row.sound || p.Streams[0].Width != 192 || p.Streams[1].Channels != 2 {
				t.Fatalf("streams: %+v", p.Streams)
			}
			pictures := p.pictures(t)
			if len(pictures) != 50 || steady(pictures, 40*ms, ms) != "" {
				t.Errorf("%d pictures, %s", len(pictures), steady(pictures, 40*ms, ms))
			}
			sounds := p.sounds(t)
			each := time.Duration(len(sounds)) * (sounds[1] - sounds[0])
			if each < 1800*ms || each > 2200*ms || steady(sounds, sounds[1]-sounds[0], ms) != "" {
				t.Errorf("%d frames of sound, %s, %s", len(sounds), each, steady(sounds, sounds[1]-sounds[0], ms))
			}
		})
	}
}

// TestWithoutIDR joins a stream that has no IDR pictures: it begins at a recovery point.
func TestWithoutIDR(t *testing.T) {
	t.Parallel()
	whole := encode(t, 4, "-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "intra-refresh=1:keyint=25", "-c:a", "aac", "-f", "mpegts")
	s := serve(t, whole[len(whole)/3/tsPacket*tsPacket:]) // its first picture, which is one, is gone
	intake, err := New(s.URL, options(outside(t, s.URL)))
	if err != nil {
		t.Fatal(err)
	}
	feed, err := taken(t, intake)
	if err != nil {
		t.Fatal(err)
	}
	if p := probe(t, feed); len(p.Streams) != 2 || len(p.pictures(t)) < 20 { // shown from when all of a picture has been made anew
		t.Errorf("%+v, %d pictures", p.Streams, len(p.pictures(t)))
	}
}

// TestNotTaken holds the codes of what is not taken in.
func TestNotTaken(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		body   []byte
		status int
		want   string
	}{
		"no stream":   {[]byte("<html>There is nothing live here.</html>"), http.StatusOK, CodeNotMedia},
		"nothing":     {nil, http.StatusOK, CodeNotMedia},
		"mpeg-2":      {encode(t, 0.5, mpeg2...), http.StatusOK, CodeUnknown},
		"no picture":  {encode(t, 0.5, voice...), http.StatusOK, CodeNoVideo},
		"not found":   {nil, http.StatusNotFound, "source_not_found"},
		"not allowed": {nil, http.StatusForbidden, "source_unreadable"},
		"playlist":    {[]byte("#EXTM3U\nnonsense"), http.StatusOK, CodeNotMedia},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(row.status)
			_, _ = w.Write(row.body)
		}))
		intake, err := New(s.URL, options(outside(t, s.URL)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := taken(t, intake); code(err) != row.want {
			t.Errorf("%s: %v (%s), want %s", name, err, code(err), row.want)
		}
		s.Close()
	}
}

// TestConnectionsEnd keeps no connection of a source that is given up, be it a stream's or a playlist's.
func TestConnectionsEnd(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/live.ts", "/live.m3u8"} {
		var open atomic.Int64
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("#EXTM3U\nnonsense")) }))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			default: // it goes on
			}
		}
		s.Start()
		intake, err := New(s.URL+path, options(outside(t, s.URL)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := taken(t, intake); code(err) != CodeNotMedia {
			t.Errorf("%s: %v (%s)", path, err, code(err))
		}
		for deadline := time.Now().Add(10 * time.Second); open.Load() > 0; <-time.After(10 * ms) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d connections are open still", path, open.Load())
			}
		}
		s.Close()
	}
}

// TestMute warns of sound that is not carried.
func TestMute(t *testing.T) {
	t.Parallel()
	s := serve(t, encode(t, 0.5, avcWith("-c:a", "aac", "-mpegts_flags", "latm")...))
	o := options(outside(t, s.URL))
	var warned []wire.Warning
	o.Warn = func(w wire.Warning) { warned = append(warned, w) }
	intake, err := New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	feed, err := taken(t, intake)
	if err != nil {
		t.Fatal(err)
	}
	if p := probe(t, feed); len(p.Streams) != 1 || len(warned) != 1 || warned[0].Code != CodeMute {
		t.Errorf("%+v, warned of %+v", p.Streams, warned)
	}
}
