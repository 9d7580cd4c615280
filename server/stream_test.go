package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame" //nolint:depguard // pure, and in tests alone: they look at pictures
	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// tool runs a program on some input; it may complain of nothing.
func tool(t *testing.T, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%.2000s", name, err, stderr.Bytes())
	}
	return out
}

// numbers returns the numbers that are drawn in the pictures of a stream, which must be of one size.
func numbers(t *testing.T, stream []byte, width, height int) (all []int) {
	t.Helper()
	raw := tool(t, stream, "ffmpeg", "-v", "error", "-i", "-", "-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
	f := frame.New(frame.Layout{Format: frame.I420, Width: width, Height: height}, 1)
	for len(raw) >= width*height*3/2 {
		for p := range f.Planes {
			raw = raw[copy(f.Planes[p].Data, raw):]
		}
		number, err := testmedia.ReadNumber(f, 1)
		if err != nil {
			t.Fatalf("picture %d: %v", len(all), err)
		}
		all = append(all, number)
	}
	return all
}

// film is one of twelve seconds, with two tracks of sound.
func filmOfStreams() workertest.Film {
	return workertest.Film{
		Duration: workertest.Length(12 * time.Second), Rate: [2]int{24000, 1001},
		Audio: []workertest.Sound{{Language: "en", Default: true}, {Language: "ger", Rate: 44100}},
	}
}

// TestStreamsAreWhole reads each stream with ffmpeg, from its URL's body: every picture is there and in order, and
// the sound that was asked for.
func TestStreamsAreWhole(t *testing.T) {
	d := begin(t, settings(t))
	s := d.play(d.add("film.mkv", filmOfStreams()))
	size := s.Film.Video.Delivered
	for path, kind := range map[string]string{s.URLs.Stream.MP4: "video/mp4", s.URLs.Stream.TS: "video/mp2t", s.URLs.Stream.MKV: "video/x-matroska"} {
		for query, want := range map[string]struct {
			first, streams, rate int
			language             string
		}{"": {0, 2, 48000, "eng"}, "?start=7.5&audio=1": {168, 2, 44100, "deu"}, "?start=11.5&audio=none": {264, 1, 0, ""}} {
			got := d.ask("GET", path+query, "")
			for name, value := range map[string]string{
				"Content-Type": kind, "X-Accel-Buffering": "no", "Accept-Ranges": "none", "Content-Length": "", "Cache-Control": "no-store",
			} {
				if got.status != http.StatusOK || got.header.Get(name) != value {
					t.Fatalf("%s: %d, %s: %q", path, got.status, name, got.header.Get(name))
				}
			}
			all := numbers(t, got.body, size.Width, size.Height)
			for i, n := range all {
				if n != want.first+i {
					t.Fatalf("%s%s: picture %d is number %d instead of %d", kind, query, i, n, want.first+i)
				}
			}
			if len(all) != 288-want.first { // 12 s are 287.7 pictures
				t.Errorf("%s%s: %d pictures", kind, query, len(all))
			}
			var found struct {
				Streams []struct {
					Rate  string `json:"sample_rate"`
					Start string `json:"start_time"`
					Tags  struct{ Language string }
				}
			}
			must(t, json.Unmarshal(tool(t, got.body, "ffprobe", "-v", "error", "-of", "json", "-show_streams", "-"), &found))
			if len(found.Streams) != want.streams || want.streams == 2 && found.Streams[1].Rate != fmt.Sprint(want.rate) {
				t.Errorf("%s%s: %+v", kind, query, found)
			}
			if kind != "video/mp2t" && found.Streams[len(found.Streams)-1].Tags.Language != want.language && want.language != "" {
				t.Errorf("%s%s: %+v", kind, query, found)
			}
			var start float64
			_, err := fmt.Sscan(found.Streams[0].Start, &start)
			lead := map[string]float64{"video/mp2t": 1}[kind]
			if at := float64(want.first)*1001/24000 + lead; err != nil || math.Abs(start-at) > 0.001 {
				t.Errorf("%s%s begins at %g instead of %g", kind, query, start, at)
			}
		}
		if head := d.ask("HEAD", path, ""); head.status != http.StatusOK || head.header.Get("Content-Type") != kind || len(head.body) > 0 {
			t.Errorf("HEAD %s: %d %v", path, head.status, head.header)
		}
	}
}

// TestStreamsHaveSubtitles reads subtitles out of stream.mkv with ffmpeg: those of a track that was asked for or is the
// standard, each cue at its time; and none where none are wanted.
func TestStreamsHaveSubtitles(t *testing.T) {
	d := begin(t, settings(t))
	film := filmOfStreams()
	film.Text = []workertest.Titles{{Bitmap: true}, {Language: "ger"}, {Language: "en", Title: "Signs", Every: workertest.Length(5 * time.Second), Default: true}}
	s := d.play(d.add("film.mkv", film))
	for query, want := range map[string]struct {
		language string
		track    int
		every    time.Duration
	}{"": {"eng", 2, 5 * time.Second}, "?text=1": {"deu", 1, 3 * time.Second}, "?text=none": {}} {
		got := d.ask("GET", s.URLs.Stream.MKV+query, "")
		var found struct {
			Streams []struct {
				Codec string `json:"codec_name"`
				Tags  struct{ Language string }
			}
		}
		must(t, json.Unmarshal(tool(t, got.body, "ffprobe", "-v", "error", "-of", "json", "-show_streams", "-select_streams", "s", "-"), &found))
		if want.every == 0 {
			if len(found.Streams) != 0 {
				t.Errorf("%s: %+v", query, found)
			}
			continue
		}
		if len(found.Streams) != 1 || found.Streams[0].Codec != "subrip" || found.Streams[0].Tags.Language != want.language {
			t.Errorf("%s: %+v", query, found)
		}
		var srt strings.Builder
		for n := 1; time.Duration(n)*want.every <= 12*time.Second; n++ {
			begin := time.Time{}.Add(time.Duration(n) * want.every)
			fmt.Fprintf(&srt, "%d\n%s --> %s\ntrack %d cue %d\n\n", n, begin.Format("15:04:05,000"), begin.Add(want.every/2).Format("15:04:05,000"), want.track, n)
		}
		if text := tool(t, got.body, "ffmpeg", "-v", "error", "-i", "-", "-map", "0:s", "-f", "srt", "-"); string(text) != srt.String() {
			t.Errorf("%s: got\n%swant\n%s", query, text, &srt)
		}
	}
	for path, code := range map[string]problem.Code{
		s.URLs.Stream.MKV + "?text=0": problem.StreamUnknown, s.URLs.Stream.MKV + "?text=-1": problem.BadRequest, s.URLs.Stream.MP4 + "?text=1": problem.BadRequest,
	} {
		refused(t, d.ask("GET", path, ""), code)
	}
}

// TestStreamsGoOnInAnotherSize changes the size behind what is read ahead: the pictures after that are larger, in the
// same stream, and none is missing.
func TestStreamsGoOnInAnotherSize(t *testing.T) {
	c := settings(t)
	c.Sessions.ReadAhead = 2 * time.Second
	d := begin(t, c)
	s := d.play(d.add("film.mkv", filmOfStreams()))
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		if got := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+s.ID, ""), http.StatusOK); got.Buffered > 2 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%g s are read ahead", got.Buffered)
		}
	}
	if got := d.ask("PATCH", "/v1/sessions/"+s.ID, `{"height":400}`); got.status != http.StatusOK {
		t.Fatalf("%s", got.body)
	}
	for _, path := range []string{s.URLs.Stream.MP4, s.URLs.Stream.TS, s.URLs.Stream.MKV} {
		got := d.ask("GET", path, "")
		rows := strings.Fields(string(tool(t, got.body, "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=height", "-of", "csv=p=0", "-")))
		counts := map[string]int{}
		for _, height := range rows {
			counts[strings.TrimRight(height, ",")]++
		}
		if small := counts[fmt.Sprint(s.Film.Video.Delivered.Height)]; small < 48 || small > 96 || counts["400"] != 288-small {
			t.Errorf("%s: pictures by their height: %v", path, counts)
		}
	}
}

// TestStreamsAreRefused asks for what there is not. Nothing was sent then.
func TestStreamsAreRefused(t *testing.T) {
	d := begin(t, guarded(t))
	name := d.add("film.mkv", filmOfStreams())
	s := want[playback.Session](t, d.ask("POST", "/v1/sessions", `{"source":"`+name+`"}`, "X-Api-Token", token), http.StatusCreated)
	path := "/v1/sessions/" + s.ID + "/stream.mp4"
	refused(t, d.ask("GET", path, ""), problem.Unauthorized)
	if got := d.ask("GET", path+"?start=11.5", "", "X-Api-Token", token); got.status != http.StatusOK || len(got.body) < 1000 {
		t.Errorf("with the token: %d", got.status)
	}
	for query, code := range map[string]problem.Code{
		"?start=12.5": problem.SegmentOutOfRange, "?start=1e300": problem.BadRequest, "?start=-1": problem.BadRequest, "?start=NaN": problem.BadRequest,
		"?start=1&start=2": problem.BadRequest, "?audio=2": problem.StreamUnknown, "?audio=-1": problem.BadRequest, "?volume=11": problem.BadRequest,
	} {
		refused(t, d.ask("GET", s.URLs.Stream.MKV+query, ""), code)
	}
	refused(t, d.ask("GET", strings.TrimSuffix(s.URLs.Stream.TS, "ts")+"ogg", ""), problem.NotFound)
	if got := d.ask("DELETE", "/v1/sessions/"+s.ID, "", "X-Api-Token", token); got.status != http.StatusNoContent {
		t.Fatal(got.status)
	}
	refused(t, d.ask("GET", s.URLs.Stream.MP4, ""), problem.SessionEnded)
	if got := d.ask("HEAD", s.URLs.Stream.MP4, ""); got.status != http.StatusGone {
		t.Errorf("HEAD of one that ended: %d", got.status)
	}
}

// TestAFailureBreaksTheStreamOff has the worker fail in the midst: the answer has no clean end.
func TestAFailureBreaksTheStreamOff(t *testing.T) {
	c := settings(t)
	c.Sessions.ReadAhead = 2 * time.Second // it fails behind that: not before somebody reads
	d := begin(t, c)
	film := filmOfStreams()
	film.Trouble = workertest.Trouble{Kind: workertest.Fail, After: 200, Code: "damaged", Sentence: "The film is damaged."}
	s := d.play(d.add("bad.mkv", film))
	response, err := http.Get(d.url + s.URLs.Stream.MP4) //nolint:noctx // it ends with the server
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusOK || len(body) < 1000 || err == nil {
		t.Errorf("status %d, %d bytes, %v", response.StatusCode, len(body), err)
	}
	if got := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+s.ID, ""), http.StatusOK); got.Failure == nil || got.Failure.Code != "damaged" {
		t.Errorf("%+v", got.Failure)
	}
}

// TestADisconnectFreesTheWait asks for a stream that takes hours to begin, and hangs up: nobody waits then, and the
// session ends.
func TestADisconnectFreesTheWait(t *testing.T) {
	c := settings(t)
	c.Sessions.Idle = 4 * time.Second // within which the worker tells of itself
	d := begin(t, c)
	s := d.play(d.add("slow.mkv", workertest.Film{Duration: workertest.Length(time.Hour), Speed: 1e-4}))
	newest := func() (run uint32) {
		entry, err := d.sessions.Find(s.ID)
		must(t, err)
		if stats := entry.Snapshot().Stats; stats != nil {
			for _, r := range stats.Runs {
				run = max(run, r.Run)
			}
		}
		return run
	}
	until(t, "the worker is at work", func() bool { return newest() > 0 })
	first := newest()
	conn, _ := d.raw("GET " + s.URLs.Stream.MP4 + "?start=1800 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	until(t, "the worker is where somebody waits", func() bool { return newest() > first })
	must(t, conn.Close())
	if got := d.told(s.ID); got.Cause != "idle" {
		t.Errorf("the session is %s without its client, %s", got.State, got.Cause)
	}
}

// TestAReaderThatStops reads no more: the worker waits, and goes on when the reader does. When the session ends, so
// does the answer.
func TestAReaderThatStops(t *testing.T) {
	c := settings(t)
	c.Sessions.ReadAhead = 4 * time.Second
	d := begin(t, c)
	film := filmOfStreams()
	film.Duration = workertest.Length(3 * time.Hour) // far more than sockets hold
	s := d.play(d.add("long.mkv", film))
	conn, in := d.raw("GET " + s.URLs.Stream.TS + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	encoded := func() int64 {
		got := want[playback.Session](t, d.ask("GET", "/v1/sessions/"+s.ID, ""), http.StatusOK)
		if got.Stats == nil {
			return -1
		}
		return got.Stats.Frames.Encoded
	}
	stood := int64(0)
	for before := int64(-1); stood <= 0 || stood != before; <-time.After(1500 * time.Millisecond) { // from one second's figures to the next
		before, stood = stood, encoded()
		if whole := int64(film.Duration) * 24 / int64(time.Second); stood > whole/2 {
			t.Fatalf("%d of %d pictures are made for a reader that stands still", stood, whole)
		}
	}
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if _, err := io.CopyN(io.Discard, in, 8<<20); err != nil {
		t.Fatal(err)
	}
	until(t, "more is made", func() bool { return encoded() > stood })
	began := time.Now()
	if got := d.ask("DELETE", "/v1/sessions/"+s.ID, ""); got.status != http.StatusNoContent {
		t.Fatal(got.status)
	}
	must(t, conn.SetReadDeadline(time.Now().Add(patience)))
	rest, err := io.ReadAll(in)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if bytes.HasSuffix(rest, []byte("0\r\n\r\n")) {
		t.Error("the answer of a session that was deleted ends as if it were whole")
	}
	t.Logf("the answer ended %s after the request to delete the session", time.Since(began))
}
