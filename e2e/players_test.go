//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/server/hls/hlstest"
)

const words = "1\n00:00:00,500 --> 00:00:01,400\none\n\n2\n00:00:01,600 --> 00:00:03,200\ntwo <i>long</i>\n\n"

// secondLater is how much later than the first a second track of sound is.
const secondLater = 400 * time.Millisecond

// films are one of each rate, and what is odd about files, spread over them.
func films(t *testing.T) []film {
	t.Helper()
	h264 := "-c:v libx264 -preset ultrafast -bf 2 -g 50 "
	return []film{
		{
			name: "two-sounds.mkv", rate: testmedia.Ratio{Num: 24000, Den: 1001}, frames: 120, words: words,
			args: "-map 0 -map 1 -map 1 -map 2 " + h264 + "-c:a:0 aac -c:a:1 ac3 -filter:a:1 adelay=400:all=1 -c:s srt " +
				"-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -metadata:s:s:0 language=eng",
		},
		{name: "sound-ends-first.mp4", rate: testmedia.Ratio{Num: 24, Den: 1}, frames: 120, sound: -1500 * time.Millisecond, args: h264 + "-c:a aac"},
		{
			name: "begins-late.ts", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 110,
			args: "-c:v mpeg2video -b:v 2M -bf 2 -c:a mp2 -output_ts_offset 3600",
		},
		{name: "sound-goes-on.mp4", rate: testmedia.Ratio{Num: 30000, Den: 1001}, frames: 100, sound: 1300 * time.Millisecond, args: h264 + "-c:a aac"},
		{name: "web.webm", rate: testmedia.Ratio{Num: 50, Den: 1}, frames: 210, args: "-c:v libvpx -b:v 1M -deadline realtime -cpu-used 8 -c:a libopus"},
		{name: "claims-more.mkv", rate: testmedia.Ratio{Num: 60000, Den: 1001}, frames: 250, args: h264 + "-c:a aac", spoil: claimTenTimes(t)},
		{name: "no-index.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 90, args: h264 + "-c:a aac -live 1 -f matroska"},
		{
			name: "frames-missing.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 110,
			args: "-vf select='not(eq(mod(n\\,7)\\,3))+lt(n\\,30)' -fps_mode vfr " + h264 + "-c:a aac",
			at: func(n int) time.Duration {
				if n%7 == 3 && n >= 30 {
					return -1
				}
				return time.Duration(n) * 40 * time.Millisecond
			},
		},
		{
			name: "rate-varies.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 110, varies: true,
			args:  "-vf settb=1/1000,setpts=N*40+mod(N*N\\,5)*7 -fps_mode passthrough -enc_time_base:v 1/1000 -c:v libvpx -b:v 1M -deadline realtime -cpu-used 8 -c:a libopus",
			spoil: tellNoRate(t), at: func(n int) time.Duration { return time.Duration(n*40+n*n%5*7) * time.Millisecond },
		},
	}
}

// TestPlayers has films of every rate read by ffprobe, ffmpeg and GStreamer's player
// from one URL: all pictures are shown, in order and at their time, and each beep
// with its flash. The playlists predict exactly what there is.
func TestPlayers(t *testing.T) {
	d := start(t, nil)
	t.Run("films", func(t *testing.T) {
		for _, f := range films(t) {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				f.draw(t, d.films)
				d := d.within(t)
				s := d.play(f.name, nil)
				defer func() {
					if t.Failed() {
						t.Logf("the session at last: %+v", get[session](d, "/v1/sessions/"+s.ID))
					}
				}()
				url := d.master(s)
				f.probed(t, s, url)
				f.played(t, s, url)
				f.listed(t, s, d.fetchAll(s, nil))
				f.playedByGStreamer(t, d, s, url)
				if f.words != "" {
					d.worded(s)
				}
				d.ask("DELETE", "/v1/sessions/"+s.ID, nil, nil)
			})
		}
	})
}

func (s session) size() [2]int {
	return [2]int{s.Film.Video.Delivered.Width, s.Film.Video.Delivered.Height}
}

// probed checks what ffprobe finds behind the master playlist.
func (f film) probed(t *testing.T, s session, url string) {
	t.Helper()
	out := tool(t, nil, "ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", url)
	var found struct {
		Streams []struct {
			Kind    string `json:"codec_type"`
			Codec   string `json:"codec_name"`
			Rate    string `json:"r_frame_rate"`
			Start   string `json:"start_time"`
			Width   int
			Height  int
			Channel int `json:"channels"`
		}
		Format struct{ Duration string }
	}
	must(t, json.Unmarshal(out, &found))
	var kinds []string
	for _, one := range found.Streams {
		kinds = append(kinds, one.Kind+" "+one.Codec)
		switch begin, err := strconv.ParseFloat(one.Start, 64); {
		case err != nil || math.Abs(begin) > 0.05:
			t.Errorf("%s begins at %s", one.Kind, one.Start)
		case one.Kind != "video":
		case [2]int{one.Width, one.Height} != [2]int{2 * width, 2 * height} || s.size() != [2]int{2 * width, 2 * height}:
			t.Errorf("%d×%d, %v announced", one.Width, one.Height, s.size())
		case !f.varies && f.at == nil && one.Rate != fmt.Sprintf("%d/%d", f.rate.Num, f.rate.Den):
			t.Errorf("%s pictures a second", one.Rate)
		}
	}
	want := []string{"video h264"}
	for range s.Film.Audio {
		want = append(want, "audio aac")
	}
	slices.Sort(kinds)
	slices.Sort(want)
	if lasts, err := strconv.ParseFloat(found.Format.Duration, 64); err != nil || math.Abs(lasts-f.lasts().Seconds()) > f.rounding().Seconds() || !slices.Equal(kinds, want) {
		t.Errorf("%v, %s s; want %v, %s", kinds, found.Format.Duration, want, f.lasts())
	}
}

// played checks what ffmpeg decodes.
func (f film) played(t *testing.T, s session, url string) {
	t.Helper()
	pictures := read(t, url, s.size())
	f.checkPictures(t, s, pictures)
	for track := range s.Film.Audio {
		f.inSync(t, flashes(pictures), beeps(t, url, track), time.Duration(track)*secondLater)
	}
}

// rounding bounds how far a picture, or the film's end, may be moved: one that is
// near a segment's begin is moved there where the rate varies.
func (f film) rounding() time.Duration {
	if f.varies {
		return 40 * time.Millisecond
	}
	return time.Millisecond
}

// checkPictures holds decoded pictures to the drawn ones: each is shown once, in
// order and at its time. The picture before a segment in whose begin none is shown
// comes again there, and nowhere else.
func (f film) checkPictures(t *testing.T, s session, pictures []picture) {
	t.Helper()
	next := 0
	for i, p := range pictures {
		if i > 0 && p.number == pictures[i-1].number {
			k := math.Round(p.at.Seconds() / s.Film.Segment)
			if off := p.at.Seconds() - k*s.Film.Segment; math.Abs(off) > 0.001 {
				t.Errorf("picture %d, number %d, comes again at %s", i, p.number, p.at)
			}
			continue
		}
		for next < f.frames && f.shown(next) < 0 {
			next++
		}
		if p.number != next || (p.at-f.shown(next)).Abs() > f.rounding() {
			t.Fatalf("picture %d is number %d at %s instead of %d at %s", i, p.number, p.at, next, f.shown(next))
		}
		next++
	}
	if next != f.frames {
		t.Errorf("%d pictures are shown, number %d is missing", len(pictures), next)
	}
}

// listed checks the playlists and what they list.
func (f film) listed(t *testing.T, s session, p presentation) {
	t.Helper()
	p.continuous(t)
	p.lasts(t, f.lasts(), f.rounding())
	variant := p.master.Variants[0]
	list, parts := p.lists[variant.URI], p.parts[variant.URI]
	if len(list.Segments) != s.Film.Segments || variant.Resolution != fmt.Sprintf("%dx%d", 2*width, 2*height) {
		t.Errorf("%d segments of %s, %d announced", len(list.Segments), variant.Resolution, s.Film.Segments)
	}
	if told := s.Film.Video.Rate; f.varies != (told == "") {
		t.Errorf("rate %q", told)
	}
	if f.varies {
		return
	}
	frames := int(math.Round(float64(f.rate.Num) / float64(f.rate.Den))) // of a second
	count := (f.count() + frames - 1) / frames
	if err := list.Check(count, [2]int64{int64(frames * f.rate.Den), int64(f.rate.Num)}, [2]int64{int64(f.count() * f.rate.Den), int64(f.rate.Num)}); err != nil {
		t.Error(err)
	}
	for k, one := range parts {
		if want := f.pictures(k*frames, min((k+1)*frames, f.count())); one.samples != want {
			t.Errorf("segment %d has %d pictures instead of %d", k, one.samples, want)
		}
		// Rational time: not a tick is lost.
		if one.begin*int64(f.rate.Num) != int64(k*frames*f.rate.Den)*one.scale {
			t.Errorf("segment %d begins at %d/%d s", k, one.begin, one.scale)
		}
	}
}

// pictures counts those of a segment between two frames: those that are shown, and
// the one before it where its own first is not.
func (f film) pictures(from, to int) int {
	n := 0
	for i := from; i < to; i++ {
		if i == from || i < f.frames && f.shown(i) >= 0 {
			n++
		}
	}
	return n
}

// playedByGStreamer has playbin3 play picture and sound to the end.
func (f film) playedByGStreamer(t *testing.T, d *server, s session, url string) {
	t.Helper()
	folder := t.TempDir()
	video, sound := filepath.Join(folder, "video.yuv"), filepath.Join(folder, "sound.pcm")
	refused := d.log.refused(s.ID)
	for again := 2; ; again-- {
		_, err := try(t, nil, "gst-launch-1.0", "-q", "playbin3", "uri="+url,
			"video-sink=videoconvert ! video/x-raw,format=I420 ! filesink location="+video,
			"audio-sink=audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=2 ! filesink location="+sound)
		if err == nil {
			break
		}
		// Now and then its demuxer (1.22) gives up while everything is answered: it
		// takes requests that it cancels before they are sent for failed ones. That all were answered in full is seen at the server.
		if again == 0 || !strings.Contains(err.Error(), "Fragment downloading has failed") || d.log.refused(s.ID) != refused {
			t.Fatal(err)
		}
		t.Log(err)
	}
	f.checkGStreamer(t, s, video, sound)
}

// checkGStreamer checks the pictures and the sound that GStreamer wrote into files.
func (f film) checkGStreamer(t *testing.T, s session, video, sound string) {
	t.Helper()
	raw, err := os.ReadFile(video)
	must(t, err)
	next := 0
	for i, p := range numbers(t, raw, s.size()) {
		for next < f.frames && f.shown(next) < 0 {
			next++
		}
		switch p.number {
		case next:
			next++
		case next - 1: // held
		default:
			t.Fatalf("GStreamer's picture %d is number %d instead of %d", i, p.number, next)
		}
	}
	if next != f.frames {
		t.Errorf("GStreamer shows %d pictures, number %d is missing", next, next)
	}
	pcm, err := os.ReadFile(sound)
	must(t, err)
	if lasts := time.Duration(len(pcm)/testmedia.SampleBytes) * time.Second / testmedia.SampleRate; (lasts - f.lasts()).Abs() > 100*time.Millisecond {
		t.Errorf("GStreamer's sound lasts %s instead of %s", lasts, f.lasts())
	}
}

// worded reads the subtitles as a player does: each cue once, at its time, however
// many segments it touches.
func (d *server) worded(s session) {
	d.t.Helper()
	master, err := hlstest.ParseMaster(d.media(s, "master.m3u8"))
	must(d.t, err)
	at := slices.IndexFunc(master.Renditions, func(r hlstest.Rendition) bool { return r.Type == "SUBTITLES" })
	if at < 0 || master.Renditions[at].Language != "en" {
		d.t.Fatalf("renditions %+v", master.Renditions)
	}
	uri := master.Renditions[at].URI
	seen := map[hlstest.Cue]int{}
	for _, segment := range d.list(s, uri).Segments {
		v, err := hlstest.ParseVTT(d.media(s, filepath.Join(filepath.Dir(uri), segment.URI)))
		must(d.t, err)
		for _, cue := range v.Cues {
			shift := time.Duration(v.MPEGTS)*time.Second/90000 - v.Local
			seen[hlstest.Cue{Start: cue.Start + shift, End: cue.End + shift, Text: cue.Text}]++
		}
	}
	const ms = time.Millisecond
	want := map[hlstest.Cue]int{{Start: 500 * ms, End: 1400 * ms, Text: "one"}: 2, {Start: 1600 * ms, End: 3200 * ms, Text: "two <i>long</i>"}: 3}
	for cue, times := range want {
		if seen[cue] != times {
			d.t.Errorf("cue %+v is in %d segments instead of %d: %v", cue, seen[cue], times, seen)
		}
	}
	if len(seen) != len(want) {
		d.t.Errorf("cues %v", seen)
	}
}
