package ingest

import (
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
