//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// lead is how much later times in MPEG-TS are than those of the film.
const lead = time.Second

// TestStreams has each stream read from its URL by ffmpeg and GStreamer's player: all pictures are shown, in order
// and at their time, and each beep with its flash.
func TestStreams(t *testing.T) {
	d := start(t, nil)
	f := film{
		name: "film.mkv", rate: testmedia.Ratio{Num: 24000, Den: 1001}, frames: 100,
		args:  "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac -c:s srt",
		words: "1\n00:00:00,500 --> 00:00:01,400\none & <i>only</i>\n\n2\n00:00:01,600 --> 00:00:03,200\ntwo\n\n",
	}
	f.draw(t, d.films)
	s := d.play(f.name, nil)
	t.Run("subtitles", func(t *testing.T) {
		if got := tool(t, nil, "ffmpeg", "-v", "error", "-nostdin", "-i", d.url()+s.URLs.Stream.MKV, "-map", "0:s", "-f", "srt", "-"); string(got) != f.words {
			t.Errorf("got\n%s", got)
		}
	})
	for container, path := range map[string]string{"mp4": s.URLs.Stream.MP4, "ts": s.URLs.Stream.TS, "mkv": s.URLs.Stream.MKV} {
		t.Run(container, func(t *testing.T) {
			url := d.url() + path
			pictures, sounds := read(t, url, s.size()), beeps(t, url, 0)
			if container == "ts" {
				for i := range pictures {
					pictures[i].at -= lead
				}
				for i := range sounds {
					sounds[i] -= lead
				}
			}
			f.checkPictures(t, s, pictures)
			f.inSync(t, flashes(pictures), sounds, 0)
			f.decodedByGStreamer(t, s, url)
		})
	}
	t.Run("opus", func(t *testing.T) {
		s := d.play(f.name, order{"output": order{"sound": "opus"}})
		for _, path := range []string{s.URLs.Stream.MP4, s.URLs.Stream.TS, s.URLs.Stream.MKV} {
			url := d.url() + path
			sounds := beeps(t, url, 0)
			if path == s.URLs.Stream.TS {
				for i := range sounds {
					sounds[i] -= lead
				}
			}
			f.inSync(t, nil, sounds, 0)
		}
	})
}

// decodedByGStreamer has decodebin decode a stream to the end. Its successor in playbin3 (1.22) now and then loses the end of
// Matroska without lengths, whoever wrote it, and waits for ever.
func (f film) decodedByGStreamer(t *testing.T, s session, url string) {
	t.Helper()
	folder := t.TempDir()
	video, sound := filepath.Join(folder, "video.yuv"), filepath.Join(folder, "sound.pcm")
	tool(t, nil, "gst-launch-1.0", strings.Fields("-q souphttpsrc location="+url+" ! decodebin name=d"+
		" d. ! queue ! videoconvert ! video/x-raw,format=I420 ! filesink location="+video+
		" d. ! queue ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=2 ! filesink location="+sound)...)
	f.checkGStreamer(t, s, video, sound)
}

// TestStreamInABrowser plays stream.mp4 in a video element of Chromium, with nothing but its URL, through a change
// of the size to the end: each picture is the one that belongs to its time, and beeps are heard with their flashes.
// Then it plays it from the middle.
func TestStreamInABrowser(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "stream.html") })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	pages := httptest.NewServer(mux)
	t.Cleanup(pages.Close)
	d := start(t, settings{"auth.origins": pages.URL, "sessions.read_ahead": "2s"})
	f := film{name: "film.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 10 * 25, args: "-c:v libx264 -preset ultrafast -g 50 -c:a aac"}
	f.draw(t, d.films)
	s := d.play(f.name, nil)
	eventually(t, "what is read ahead is made", func() bool { return get[session](d, "/v1/sessions/"+s.ID).Buffered >= 2 })
	d.ask("PATCH", "/v1/sessions/"+s.ID, order{"model": tripling}, nil)
	page := func(query string) string {
		return pages.URL + "/?" + url.Values{"stream": {d.url() + s.URLs.Stream.MP4 + query}}.Encode()
	}
	v := d.browse(page(""), height, []step{
		{"name": "begin", "do": "play", "seconds": 1},
		{"name": "scale", "do": "wait", "until": fmt.Sprintf("watch.frames.at(-1).height === %d && watch.frames.at(-1).time > 7", 3*height)},
		{"name": "over", "do": "end"},
	})
	v.right(t, f)
	v.audible(t, "scale")
	if first := v.Frames[0]; first.Height != 2*height {
		t.Errorf("it begins with %d rows", first.Height)
	}
	v = d.browse(page("?start=5.2"), height, []step{
		{"name": "begin", "do": "play", "seconds": 5.6},
		{"name": "later", "do": "wait", "until": "watch.frames.at(-1).time > 8"},
		{"name": "over", "do": "end"},
	})
	v.right(t, f)
	v.audible(t, "later")
	if first := v.Frames[0]; *first.Number < 125 || *first.Number > 140 {
		t.Errorf("from the middle it begins with picture %d", *first.Number)
	}
}
