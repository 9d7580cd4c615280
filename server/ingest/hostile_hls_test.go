package ingest

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileHLS holds that a server whose parts come faster than they are shown is not taken in without a bound: the
// library keeps them all, here since a rendition never comes.
func TestHostileHLS(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	encode(t, 1, "-c:v", "libx264", "-preset", "ultrafast", "-f", "hls", "-hls_segment_type", "fmp4", "-y", filepath.Join(folder, "live.m3u8"), "-t", "0.1", "-f", "null")
	begin, err := os.ReadFile(filepath.Join(folder, "init.mp4"))
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 8<<20)
	const enough = 4*maxPiece + 64<<20
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/live.m3u8":
			_, _ = w.Write([]byte("#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"never.m3u8\"\n" +
				"#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.42c01e\",AUDIO=\"a\"\npicture.m3u8\n"))
		case r.URL.Path == "/picture.m3u8":
			_, _ = fmt.Fprintf(w, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6\n"+
				"#EXT-X-PART-INF:PART-TARGET=0.2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:1,\none.mp4\n"+
				"#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part%d.mp4\"\n", sent.Load())
		case r.URL.Path == "/init.mp4":
			_, _ = w.Write(begin)
		case strings.HasPrefix(r.URL.Path, "/part") && sent.Load() < enough:
			sent.Add(int64(len(part)))
			_, _ = w.Write(part)
		default:
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	o := options(outside(t, s.URL))
	o.Connect, o.Stall = time.Millisecond, 5*time.Second
	intake, err := New(s.URL+"/live.m3u8", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, intake); code(err) != codeUnreachable || sent.Load() == 0 || sent.Load() >= enough {
		t.Errorf("%v after %d MiB of parts", err, sent.Load()>>20)
	}
}

// TestHostilePiece refuses a segment that announces more samples than any has.
func TestHostilePiece(t *testing.T) {
	t.Parallel()
	var traf []byte
	for range 200 {
		traf = append(traf, box("trun", 0, 0, 0, 1, 0, 0, 0x4b, 0, 0, 0, 0, 0)...)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live.m3u8" {
			_, _ = w.Write([]byte("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"a.mp4\"\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n"))
			return
		}
		_, _ = w.Write(box("moof", box("traf", traf...)...))
	}))
	defer s.Close()
	o := options(outside(t, s.URL))
	o.Connect = time.Millisecond
	intake, err := New(s.URL+"/live.m3u8", o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taken(t, intake); code(err) != codeUnreachable || !strings.Contains(detail(err), "samples") {
		t.Errorf("%v (%s): %s", err, code(err), detail(err))
	}
}

// box returns a box of MP4.
func box(kind string, body ...byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

// TestSamples counts the samples of pieces, also those that a small box announces many of.
func TestSamples(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	encode(t, 2, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_segment_type", "fmp4", "-y",
		filepath.Join(folder, "live.m3u8"), "-t", "0.1", "-f", "null")
	two, err := os.ReadFile(filepath.Join(folder, "live0.m4s"))
	if err != nil {
		t.Fatal(err)
	}
	if n := samples(two); n < 140 || n > 150 { // 50 pictures and 94 frames of sound
		t.Errorf("%d samples in two seconds", n)
	}
	run := []byte{0, 0, 0, 1, 0, 0, 0x4b, 0, 0, 0, 0, 0}
	large := append([]byte{0, 0, 0, 1, 't', 'r', 'u', 'n', 0, 0, 0, 0, 0, 0, 0, 28}, run...)
	for name, row := range map[string]struct {
		data []byte
		want int64
	}{
		"a run":             {box("moof", box("traf", box("trun", run...)...)...), 19200},
		"two":               {box("moof", append(box("trun", run...), box("trun", run...)...)...), 38400},
		"with a large size": {box("moof", large...), 19200},
		"in media data":     {box("mdat", box("trun", run...)...), 0},
		"behind it":         {append(box("mdat", 1, 2, 3), box("moof", box("trun", run...)...)...), 19200},
		"in an unknown box": {box("moov", box("udta", box("trun", run...)...)...), 19200},
		"a stream":          {append([]byte{tsSync}, box("trun", run...)...), 0},
		"ends in front":     {[]byte{0, 0, 0, 1, 'f', 'r', 'e', 'e', 0, 0, 0, 0, 0, 0, 0, 3}, maxSamples + 1},
		"cut off":           {box("trun", run...)[:10], 0},
		"nothing":           {nil, 0},
	} {
		if got := samples(row.data); got != row.want {
			t.Errorf("%s: %d samples, want %d", name, got, row.want)
		}
	}
}

// FuzzSamples holds that no piece is too odd to be counted.
func FuzzSamples(f *testing.F) {
	f.Add(box("moof", box("trun", 0, 0, 0, 1, 0, 0, 0x4b, 0)...))
	f.Add([]byte{0, 0, 0, 1, 't', 'r', 'u', 'n', 0, 0, 0, 0, 0, 0, 0, 16})
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := samples(data); n < 0 {
			t.Errorf("%d samples", n)
		}
	})
}
