package hls_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/fmp4/fmp4test"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const query = "?cap=Zm9v-_.~%3D"

// film is a film that is served from memory: what a session does, without a worker.
type film struct {
	timeline hls.Timeline
	sounds   []hls.Sound
	files    map[string][]byte // by Resource.Path
}

// newFilm makes a film of some pictures at a rate, with two tracks of sound and one of text.
func newFilm(t *testing.T, rate [2]int, count int) *film {
	t.Helper()
	opened := &wire.Opened{Segment: wire.Segment{Frames: (rate[0] + rate[1]/2) / rate[1]}, Video: wire.VideoInfo{
		TimeScale: int64(rate[0]), Rate: rate, Size: [2]int{fmp4test.Width, fmp4test.Height}, Aspect: [2]int{1, 1}, MaxRate: 500,
	}}
	opened.Segment.Ticks = int64(opened.Segment.Frames * rate[1])
	opened.Duration = time.Duration(int64(count*rate[1])*int64(time.Second)/int64(rate[0])) + 7*time.Microsecond
	picture, pictures := fmp4test.Video(t, rate, opened.Segment.Frames, count)
	return serve(t, opened, picture, pictures)
}

// serve lays a film's packets out as segments and writes its playlists.
func serve(t *testing.T, opened *wire.Opened, picture wire.Init, pictures []wire.Packet) *film {
	t.Helper()
	f := &film{files: map[string][]byte{}}
	var err error
	if f.timeline, err = hls.NewTimeline(opened); err != nil {
		t.Fatal(err)
	}
	video := wire.Stream{Kind: wire.StreamVideo}
	f.put(t, hls.Resource{File: hls.FilePlaylist, Stream: video})(f.timeline.Playlist([]hls.Change{{}}, query))
	f.put(t, hls.Resource{File: hls.FileInit, Stream: video})(fmp4.VideoInit(picture, opened.Video.TimeScale))
	f.segments(t, hls.Resource{Stream: video}, f.timeline.Begin, f.timeline.Index, pictures)

	master := hls.Master{Video: opened.Video, Codec: picture.Codec, Average: 400, Text: []wire.TextInfo{{Language: "eng"}}}
	for i, rate := range []int{48000, 44100} {
		count := int(f.timeline.Duration().Seconds()*float64(rate)/1024) + 1
		sound, frames := fmp4test.Audio(t, rate, count)
		info := wire.AudioInfo{Rate: rate, Channels: 2, FrameSamples: 1024, Frames: int64(count), BitRate: 64000}
		master.Audio = append(master.Audio, hls.Track{AudioInfo: info, Codec: sound.Codec})
		track, err := hls.NewSound(f.timeline, info)
		if err != nil {
			t.Fatal(err)
		}
		f.sounds = append(f.sounds, track)
		audio := wire.Stream{Kind: wire.StreamAudio, Index: i}
		f.put(t, hls.Resource{File: hls.FilePlaylist, Stream: audio})(track.Playlist([]hls.Change{{}}, query))
		f.put(t, hls.Resource{File: hls.FileInit, Stream: audio})(fmp4.AudioInit(sound, info))
		f.segments(t, hls.Resource{Stream: audio}, track.Begin, track.Index, frames)
	}
	f.put(t, hls.Resource{File: hls.FileMaster})(master.Playlist(query))
	return f
}

// put returns a function that keeps a file under its path.
func (f *film) put(t *testing.T, r hls.Resource) func([]byte, error) {
	t.Helper()
	return func(file []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", r.Path(), err)
		}
		f.files[r.Path()] = file
	}
}

// segments keeps the segments of a stream and generation.
func (f *film) segments(t *testing.T, r hls.Resource, begin func(int) int64, index func(int64) int, packets []wire.Packet) {
	t.Helper()
	parts := make([][]wire.Packet, f.timeline.Count())
	for _, p := range packets {
		parts[index(p.PTS)] = append(parts[index(p.PTS)], p)
	}
	for k, part := range parts {
		if r.File, r.Segment = hls.FileSegment, k; len(part) > 0 {
			f.put(t, r)(fmp4.Fragment(uint32(k+1), begin(k), part))
		}
	}
}

// ServeHTTP answers only requests with the query on them.
func (f *film) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource, err := hls.ParsePath(strings.TrimPrefix(r.URL.Path, "/"))
	file, ok := f.files[resource.Path()]
	if err != nil || !ok || "?"+r.URL.RawQuery != query {
		http.Error(w, r.URL.String(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", resource.ContentType())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
}

// probe is what ffprobe tells.
type probe struct {
	Streams []struct {
		Type    string `json:"codec_type"`
		Rate    string `json:"r_frame_rate"`
		Samples string `json:"sample_rate"`
		Start   string `json:"start_time"`
		Packets string `json:"nb_read_packets"`
	} `json:"streams"`
	Format struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

// expected are warnings of ffmpeg that are no fault of a film's: it plays no subtitles over HLS, and
// reads the first init segment of a stream only.
var expected = []string{"Can't support the subtitle(uri:", "Found duplicated MOOV Atom. Skipped it"}

// run runs a tool. Its warnings are failures.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	for line := range strings.Lines(stderr.String()) {
		if !slices.ContainsFunc(expected, func(known string) bool { return strings.Contains(line, known) }) {
			t.Errorf("%s: %s", name, line)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// requirePlays holds what ffprobe finds at a film's address to what the film has, and decodes it.
func requirePlays(t *testing.T, f *film, pictures int) *probe {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	address := server.URL + "/master.m3u8" + query
	var got probe
	if err := json.Unmarshal(run(t, "ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-show_format", "-of", "json", address), &got); err != nil {
		t.Fatal(err)
	}
	media, err := hlstest.ParseMedia(f.files["video/index.m3u8"])
	if err != nil {
		t.Fatal(err)
	}
	// ffmpeg cuts each duration to whole microseconds after a floating point multiplication.
	lasts, err := time.ParseDuration(got.Format.Duration + "s")
	if short := media.Duration() - lasts; err != nil || short < 0 || short > time.Duration(f.timeline.Count())*time.Microsecond {
		t.Errorf("ffprobe says it lasts %s, want %s", lasts, media.Duration())
	}
	if short := media.Duration() - f.timeline.Duration(); short < -time.Microsecond || short > time.Microsecond {
		t.Errorf("the playlist lasts %s, the film %s", media.Duration(), f.timeline.Duration())
	}
	packets := map[string]string{}
	for _, stream := range got.Streams {
		packets[stream.Type+stream.Samples] = stream.Packets
		if stream.Start != "0.000000" {
			t.Errorf("%s begins at %s", stream.Type, stream.Start)
		}
	}
	want := map[string]string{"video": strconv.Itoa(pictures)}
	for _, s := range f.sounds {
		want["audio"+strconv.FormatInt(s.Rate(), 10)] = strconv.FormatInt(s.End()/1024, 10)
	}
	if fmt.Sprint(packets) != fmt.Sprint(want) {
		t.Errorf("packets %v, want %v", packets, want)
	}
	run(t, "ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-i", address, "-map", "0", "-fps_mode", "passthrough", "-enc_time_base", "-1", "-f", "null", "-")
	return &got
}

func TestPlayersReadTheWholeFilm(t *testing.T) {
	for _, rate := range [][2]int{{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {50, 1}, {60000, 1001}} {
		t.Run(fmt.Sprintf("%d:%d", rate[0], rate[1]), func(t *testing.T) {
			pictures := 7*rate[0]/rate[1] + 3
			got := requirePlays(t, newFilm(t, rate, pictures), pictures)
			for _, stream := range got.Streams {
				if want := fmt.Sprintf("%d/%d", rate[0], rate[1]); stream.Type == "video" && stream.Rate != want {
					t.Errorf("ffprobe sees %s pictures a second, want %s", stream.Rate, want)
				}
			}
		})
	}
}

// TestPlayersReadAVaryingRate spreads pictures unevenly; only the first of each segment has its place.
func TestPlayersReadAVaryingRate(t *testing.T) {
	opened := &wire.Opened{
		Duration: 6*time.Second + 5*time.Millisecond, Segment: wire.Segment{Ticks: 90000},
		Video: wire.VideoInfo{TimeScale: 90000, Rate: [2]int{0, 1}, Size: [2]int{fmp4test.Width, fmp4test.Height}, MaxRate: 500},
	}
	picture, pictures := fmp4test.Video(t, [2]int{25, 1}, 25, 150)
	for i := range pictures {
		within := int64(i % 25)
		pictures[i].PTS = int64(i/25)*90000 + within*within*144
		pictures[i].DTS, pictures[i].Duration = pictures[i].PTS, 90000-24*24*144
	}
	requirePlays(t, serve(t, opened, picture, pictures), len(pictures))
}

// TestPlayersCrossAGeneration changes the size and the profile of the picture within a film.
func TestPlayersCrossAGeneration(t *testing.T) {
	rate, count := [2]int{25, 1}, 7*25+3
	f := newFilm(t, rate, count)
	changes, still := []hls.Change{{}, {Segment: 3, Generation: 1}}, []hls.Change{{}, {Segment: 3}}
	video := hls.Resource{Stream: wire.Stream{Kind: wire.StreamVideo}, Generation: 1}
	picture, pictures := fmp4test.Video(t, rate, 25, count, "-vf", "scale=128:96", "-profile:v", "baseline")
	f.segments(t, video, f.timeline.Begin, f.timeline.Index, fmp4test.InBand(t, picture, pictures))
	video.File = hls.FileInit
	f.put(t, video)(fmp4.VideoInit(picture, int64(rate[0])))
	f.put(t, hls.Resource{File: hls.FilePlaylist, Stream: video.Stream})(f.timeline.Playlist(changes, query))
	for i, s := range f.sounds {
		f.put(t, hls.Resource{File: hls.FilePlaylist, Stream: wire.Stream{Kind: wire.StreamAudio, Index: i}})(s.Playlist(still, query))
	}
	requirePlays(t, f, count)

	server := httptest.NewServer(f)
	defer server.Close()
	sizes := run(t, "ffprobe", "-v", "warning", "-select_streams", "v", "-show_entries", "frame=width,height", "-of", "csv=p=0", server.URL+"/master.m3u8"+query)
	if small, large := bytes.Count(sizes, []byte("64,48")), bytes.Count(sizes, []byte("128,96")); small != 75 || large != count-75 {
		t.Errorf("%d pictures of generation 0 and %d of generation 1, want 75 and %d", small, large, count-75)
	}
}
