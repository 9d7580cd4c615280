//go:build e2e

package e2e

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// station shows a file live, as MPEG-TS, from its begin on to everybody who asks.
func station(t *testing.T, path string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		show := exec.CommandContext(r.Context(), "ffmpeg", "-v", "error", "-nostdin", "-re", "-i", path, "-c", "copy", "-flush_packets", "1", "-f", "mpegts", "-")
		show.Stdout = flushed{w}
		_ = show.Run() // until the watcher has gone
	}))
	t.Cleanup(s.Close)
	return s
}

// TestLiveStreams takes codecs of television in, and records what comes out as one stream: its pictures are those of the
// film, in order and at their times, and each beep is heard with its flash.
func TestLiveStreams(t *testing.T) {
	t.Parallel()
	const avc = "-c:v libx264 -preset ultrafast -g 25 "
	for _, row := range []struct{ name, args, out string }{
		{"h264 and mp2 in mkv", avc + "-c:a mp2", "mkv"},
		{"h264 and ac3 in mp4", avc + "-c:a ac3", "mp4"},
		{"h264 and eac3 in ts", avc + "-c:a eac3", "ts"},
		{"h265 and aac in mkv", "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25 -c:a aac", "mkv"},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := film{name: "one.ts", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 40 * 25, args: row.args}
			folder := t.TempDir()
			f.draw(t, folder)
			tv := station(t, filepath.Join(folder, f.name))
			d := start(t, settings{"media.http.hosts": tv.Listener.Addr().String()})
			s := d.live(tv.URL + "/" + f.name)
			if len(s.Film.Audio) != 1 {
				t.Fatalf("%d tracks of sound", len(s.Film.Audio))
			}
			url := map[string]string{"mkv": s.URLs.Stream.MKV, "mp4": s.URLs.Stream.MP4, "ts": s.URLs.Stream.TS}[row.out]
			record := filepath.Join(folder, "record.mkv")
			tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", d.url()+url, "-t", "6", "-c", "copy", record)
			f.live(t, read(t, record, s.size()), beeps(t, record, 0))
		})
	}
}

// live checks a record of some seconds of a film that was shown live.
func (f film) live(t *testing.T, pictures []picture, beeps []time.Duration) {
	t.Helper()
	const bound = 45 * time.Millisecond // a picture, and the rounding of times
	if len(pictures) < 75 {
		t.Fatalf("%d pictures in 6 s", len(pictures))
	}
	first := pictures[0]
	for i, p := range pictures {
		if i > 0 && p.number <= pictures[i-1].number {
			t.Errorf("picture %d comes after %d", p.number, pictures[i-1].number)
		}
		if off := p.at - first.at - f.time(p.number-first.number); off.Abs() > bound {
			t.Errorf("picture %d is %s late", p.number, off)
		}
	}
	lit := flashes(pictures)
	if len(lit) < 3 {
		t.Fatalf("flashes at %v", lit)
	}
	for _, at := range lit[1 : len(lit)-1] { // at the ends one may be without the other
		if !slices.ContainsFunc(beeps, func(b time.Duration) bool { return (b - at).Abs() <= bound }) {
			t.Errorf("no beep with the flash at %s: %v", at, beeps)
		}
	}
}
