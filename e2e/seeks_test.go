//go:build e2e

package e2e

import (
	"bytes"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/server/hls/hlstest"
)

// TestSeeks fetches a film's segments in the order of a viewer who seeks forward and
// back, so that runs begin anew in many places, and holds what was made together: not
// a picture, a sample or a tick is missing or twice where two runs meet.
func TestSeeks(t *testing.T) {
	// With so little read-ahead each jump is farther than a run is waited for.
	d := start(t, settings{"sessions.read_ahead": "2s"})
	f := film{
		name: "long.mkv", rate: testmedia.Ratio{Num: 24000, Den: 1001}, frames: 20 * 24,
		args: "-map 0 -map 1 -map 1 -c:v libx264 -preset ultrafast -bf 2 -g 60 -c:a:0 aac -c:a:1 ac3 -filter:a:1 adelay=400:all=1",
	}
	f.draw(t, d.films)
	s := d.play(f.name, nil)
	p := d.fetchAll(s, []int{0, 1, 2, 15, 16, 17, 18, 19, 8, 9, 10, 11, 3, 4, 5, 6, 7, 14, 13, 12})
	if seeks := d.metric("upscaled_seek_seconds_count"); seeks < 3 {
		t.Errorf("the server knows of %d seeks", seeks)
	}
	p.continuous(t)
	p.lasts(t, f.lasts(), f.rounding())
	for _, r := range p.master.Renditions {
		if r.Type == "AUDIO" {
			must(t, p.lists[p.master.Variants[0].URI].Align(p.lists[r.URI], 1024*time.Second/48000))
		}
	}
	pictures := read(t, p.joined(t, p.master.Variants[0].URI), s.size())
	f.checkPictures(t, s, pictures)
	for track, uri := range []string{"audio/0/index.m3u8", "audio/1/index.m3u8"} {
		f.inSync(t, flashes(pictures), beeps(t, p.joined(t, uri), 0), time.Duration(track)*secondLater)
	}
}

// joined writes a rendition, of one init segment, as one file.
func (p presentation) joined(t testing.TB, uri string) string {
	t.Helper()
	list := p.lists[uri]
	if list == nil {
		t.Fatalf("no rendition %s", uri)
	}
	whole := bytes.Clone(p.inits[path.Join(path.Dir(uri), list.Segments[0].Init)])
	for _, one := range p.parts[uri] {
		whole = append(whole, one.data...)
	}
	file := filepath.Join(t.TempDir(), "joined.mp4")
	must(t, os.WriteFile(file, whole, 0o600))
	return file
}

// metric returns a figure of /metrics that has no labels.
func (d *server) metric(name string) int {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.context(), http.MethodGet, d.url()+"/metrics", nil)
	must(d.t, err)
	r.Header.Set("X-Api-Token", token)
	_, text := d.send(r)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			must(d.t, err)
			return n
		}
	}
	d.t.Fatalf("no metric %s", name)
	return 0
}

// TestChanges changes the model while a film plays. One of the same scale takes over
// in the same stream; one of another begins a new part, which the playlists of the
// picture and of the sound mark at the same place. Players of others follow.
func TestChanges(t *testing.T) {
	d := start(t, settings{"sessions.read_ahead": "2s"})
	f := film{name: "film.mp4", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 12 * 25, args: "-c:v libx264 -preset ultrafast -g 50 -c:a aac"}
	f.draw(t, d.films)
	s := d.play(f.name, nil)
	d.media(s, "video/0/init.mp4")
	for k := range 5 { // in order, so that all of them are made
		d.media(s, "video/0/"+strconv.Itoa(k)+".m4s")
	}

	d.ask(http.MethodPatch, "/v1/sessions/"+s.ID, order{"model": blurring, "from": 4.0}, &s)
	if s.Generation != 0 {
		t.Errorf("generation %d after a change that needs none", s.Generation)
	}
	if sharp, blurred := d.detail(s, "video/0/", 1), d.detail(s, "video/0/", 5); blurred > sharp/2 {
		t.Errorf("the picture has detail %.0f before and %.0f after it was to be blurred", sharp, blurred)
	}

	d.ask(http.MethodPatch, "/v1/sessions/"+s.ID, order{"model": tripling, "from": 5.0}, &s) // segment 5 is made
	if s.Generation != 1 {
		t.Errorf("generation %d after a change of scale", s.Generation)
	}
	p := d.fetchAll(s, nil)
	p.continuous(t)
	video, sound := p.lists["video/index.m3u8"], p.lists["audio/0/index.m3u8"]
	must(t, video.Align(sound, 1024*time.Second/48000))
	at := slices.IndexFunc(video.Segments, func(one hlstest.Segment) bool { return one.Discontinuity > 0 })
	if at != 5 || video.Segments[at].Init == video.Segments[at-1].Init || len(p.inits) != 3 {
		t.Errorf("the new part begins with segment %d; inits %v", at, len(p.inits))
	}
	for k, one := range video.Segments {
		if want := map[bool]string{false: "0/init.mp4", true: "1/init.mp4"}[k >= 5]; one.Init != want {
			t.Errorf("segment %d has %s", k, one.Init)
		}
	}

	url := d.master(s)
	pictures := read(t, url, [2]int{2 * width, 2 * height}) // ffmpeg scales to what it began with
	f.checkPictures(t, s, pictures)
	f.inSync(t, flashes(pictures), beeps(t, url, 0), 0)
	sizes := strings.Fields(string(tool(t, nil, "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=width,height", "-of", "csv=p=0:s=x", url)))
	for i, size := range sizes {
		if want := map[bool]string{false: "320x256", true: "480x384"}[i >= 5*25]; strings.Trim(size, "x") != want {
			t.Fatalf("picture %d is %s instead of %s", i, size, want)
		}
	}
}

// detail returns how much neighbouring pixels differ, squared, in a picture in the
// middle of a segment, where there is no flash.
func (d *server) detail(s session, folder string, k int) float64 {
	d.t.Helper()
	data := append(d.media(s, folder+"init.mp4"), d.media(s, folder+strconv.Itoa(k)+".m4s")...)
	raw := tool(d.t, bytes.NewReader(data), "ffmpeg", "-v", "error", "-i", "-", "-vf", "select=eq(n\\,12)", "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-")
	sum := 0
	for i := 1; i < len(raw); i++ {
		step := int(raw[i]) - int(raw[i-1])
		sum += step * step
	}
	return float64(sum) / float64(len(raw))
}
