package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// streamed is how the tests have a stream made into one.
func streamed(container string) wire.Prepare {
	return wire.Prepare{
		Name: "the body", Size: -1, Upscale: upscaled(nearest),
		Output: wire.Output{Container: container, Quality: -1, Speed: "fast", Track: -1, Stream: true},
	}
}

// prepare gives the worker a film to transcode, which is the worker's alone from then on.
func (s *server) prepare(kind wire.SourceKind, f *os.File, m wire.Prepare) wire.Reply {
	s.t.Helper()
	s.send(kind, f)
	return s.ask(func(id uint32) wire.Message { m.ID = id; return m })()
}

// transcode begins what was prepared, into what is the worker's alone from then on.
func (s *server) transcode(out *os.File) (run uint32) {
	s.t.Helper()
	s.send(wire.SourceOutput, out)
	if err := out.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.agreed(s.ask(func(id uint32) wire.Message { return wire.Transcode{ID: id, Run: id} })())
	return s.last
}

// ends returns the two ends of a pipe, which the test need not close.
func ends(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() }) // most are closed by then
	return r, w
}

// body gives the worker a film that comes through a pipe.
func (s *server) body(path string, m wire.Prepare) wire.Reply {
	s.t.Helper()
	r, w := ends(s.t)
	in := file(s.t, path)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = io.Copy(w, in) // not to its end where the worker wants no more
		_ = w.Close()
	}()
	s.t.Cleanup(func() { _ = w.Close(); <-fed })
	s.send(wire.SourceStream, r)
	_ = r.Close()
	return s.ask(func(id uint32) wire.Message { m.ID = id; return m })()
}

// into reads a pipe to its end, into a file that it returns the path of.
func into(t *testing.T, r io.Reader, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// progress returns what Written has told last of a run.
func (s *server) progress(run uint32) (last wire.Written, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		if w, ok := m.(wire.Written); ok && w.Run == run {
			last, times = w, times+1
		}
	}
	return last, times
}

// final returns what Written and Stats have told last before a run ended.
func (s *server) final(run uint32) (w wire.Written, f wire.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		switch m := m.(type) {
		case wire.Written:
			if m.Run == run {
				w = m
			}
		case wire.Stats:
			f = m
		case wire.Ended:
			if m.Run == run {
				return w, f
			}
		}
	}
	return w, f
}

// packets returns how many packets of a kind a file has, as ffprobe reads them.
func packets(t *testing.T, path, kind string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-count_packets", "-select_streams", kind,
		"-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n") // ffprobe tells of a stream once more in its program
	return strings.Trim(first, ",")
}

// TestStreamToStream makes a stream of a stream, in every container.
func TestStreamToStream(t *testing.T) {
	for _, container := range []string{"mkv", "mp4", "ts"} {
		t.Run(container, func(t *testing.T) {
			s := begin(t)
			m := streamed(container)
			m.Costs = &wire.Costs{Model: nearest, Decode: 1, Upscale: 2, Encode: 3}
			p := s.agreed(s.body(testFilm(t), m)).Prepared
			if p == nil || p.Container != "Matroska" || p.Video.Size != [2]int{2 * filmWidth, 2 * filmHeight} || p.Video.Aspect != [2]int{1, 1} ||
				!strings.HasPrefix(p.Encoding, "H.264") || p.Cost != m.Costs.Predict(p.Video) || len(p.Plan) < 2 ||
				p.Duration.Round(time.Second) != filmSeconds*time.Second {
				t.Fatalf("%+v", p)
			}
			r, w := ends(t)
			run := s.transcode(w)
			path := into(t, r, "out."+container)
			s.finished(run)
			last, times := s.progress(run)
			if last.Encoded != filmFrames || last.Upscaled != filmFrames || last.Decoded != filmFrames || last.Plain != 0 || times == 0 {
				t.Errorf("it tells %+v", last)
			}
			if w, f := s.final(run); w != last || f.Encoded != filmFrames || f.Upscaled != filmFrames || len(f.Runs) != 0 {
				t.Errorf("before the end it tells %+v and %+v", w, f)
			}
			if got := packets(t, path, "v:0"); got != strconv.Itoa(filmFrames) {
				t.Errorf("%s pictures can be read, not %d", got, filmFrames)
			}
			if got := packets(t, path, "a:0"); len(got) < 3 {
				t.Errorf("%s packets of sound", got)
			}
			s.stop()
		})
	}
}

// TestFileToFile makes files of files, with what only files have.
func TestFileToFile(t *testing.T) {
	extra := written(t, []byte(";FFMETADATA1\ntitle=Film\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=one\n[CHAPTER]\nTIMEBASE=1/1\nSTART=1\nEND=2\ntitle=two\n"))
	font := written(t, bytes.Repeat([]byte("font"), 1000))
	in := filepath.Join(t.TempDir(), "in.mkv")
	ffmpeg(t, nil, "-i", testFilm(t), "-i", extra, "-map", "0", "-map_metadata", "1", "-c", "copy",
		"-attach", font, "-metadata:s:t", "mimetype=application/x-font", "-metadata:s:t", "filename=font.ttf", in)
	for container, want := range map[string]string{"mkv": "4 streams, 2 chapters", "mp4": "3 streams, 2 chapters", "ts": "2 streams, 0 chapters"} {
		t.Run(container, func(t *testing.T) {
			s := begin(t)
			m := streamed(container)
			m.Output.Stream = false
			f := file(t, in)
			s.agreed(s.prepare(wire.SourceFile, f, m))
			path := filepath.Join(t.TempDir(), "out")
			out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			run := s.transcode(out)
			s.finished(run)
			if got := contents(t, path); got != want {
				t.Errorf("it has %s, want %s", got, want)
			}
			if got := packets(t, path, "v:0"); got != strconv.Itoa(filmFrames) {
				t.Errorf("%s pictures can be read, not %d", got, filmFrames)
			}
			s.refused("a second transcode", s.tryTranscode(), "bad_request")
			s.stop()
		})
	}
}

// contents counts what ffprobe finds in a file.
func contents(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_chapters", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var d struct {
		Streams, Chapters []struct{}
	}
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d streams, %d chapters", len(d.Streams), len(d.Chapters))
}

// TestTranscodePauses holds a transcode, which then makes nothing, and lets it go on.
func TestTranscodePauses(t *testing.T) {
	s := begin(t)
	s.agreed(s.body(testFilm(t), streamed("mkv")))
	r, w := ends(t)
	run := s.transcode(w)
	first := make([]byte, 1000)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	s.write(wire.Limit{Run: run, Segment: 0})
	s.waits(run)
	before, n := s.progress(run)
	s.wait("two further reports", func() bool {
		times := 0
		for _, m := range s.got {
			if _, ok := m.(wire.Written); ok {
				times++
			}
		}
		return times > n+2
	})
	after, _ := s.progress(run)
	if after.Upscaled > before.Upscaled+1 || after.Upscaled == filmFrames { // one was under way
		t.Errorf("it made pictures %d to %d while it was held", before.Upscaled, after.Upscaled)
	}
	s.write(wire.Limit{Run: run, Segment: 1})
	path := into(t, io.MultiReader(bytes.NewReader(first), r), "out.mkv")
	s.finished(run)
	if got := packets(t, path, "v:0"); got != strconv.Itoa(filmFrames) {
		t.Errorf("%s pictures can be read, not %d", got, filmFrames)
	}
	s.stop()
}

// TestTranscodeWishes makes what is asked for of sound, range, size and filters.
func TestTranscodeWishes(t *testing.T) {
	in := filepath.Join(t.TempDir(), "in.mkv") // with a second track of sound
	ffmpeg(t, nil, "-i", testFilm(t), "-f", "lavfi", "-i", "sine=d=6:r=48000", "-map", "0:v", "-map", "0:a", "-map", "1:a",
		"-c", "copy", "-c:a:1", "ac3", in)
	for name, c := range map[string]struct {
		change func(*wire.Prepare)
		sound  string // codecs
	}{
		"kept":      {func(*wire.Prepare) {}, "aac ac3"},
		"copied":    {func(m *wire.Prepare) { m.Output.Audio = wire.AudioCopy }, "aac ac3"},
		"one track": {func(m *wire.Prepare) { m.Output.Track = 1 }, "ac3"},
		"as AAC":    {func(m *wire.Prepare) { m.Output.Audio = wire.AudioAAC }, "aac aac"},
		"as Opus":   {func(m *wire.Prepare) { m.Output.Audio = wire.AudioOpus }, "opus opus"},
		"none":      {func(m *wire.Prepare) { m.Output.Audio = wire.AudioNone }, ""},
		"filtered":  {func(m *wire.Prepare) { m.Output.Track, m.Upscale.Filters.Brightness = 0, 0.2 }, "aac"},
	} {
		for _, container := range []string{"mkv", "mp4", "ts"} {
			t.Run(name+" in "+container, func(t *testing.T) {
				s := begin(t)
				m := streamed(container)
				m.Output.Duration = time.Second
				c.change(&m)
				s.agreed(s.body(in, m))
				r, w := ends(t)
				run := s.transcode(w)
				path := into(t, r, "out."+container)
				s.finished(run)
				if got := codecs(t, path); got != strings.TrimSpace("h264 "+c.sound) {
					t.Errorf("it holds %q, want %q", got, c.sound)
				}
				last, _ := s.progress(run)
				if last.Encoded < filmRate || last.Encoded > filmRate+1 || (last.Position-time.Second).Abs() > 50*time.Millisecond {
					t.Errorf("it tells %+v", last)
				}
				s.stop()
			})
		}
	}
}

// codecs returns what ffprobe calls the streams of a file, each once.
func codecs(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-of", "json", "-show_streams", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	var d struct {
		Streams []struct {
			Codec string `json:"codec_name"`
		}
	}
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range d.Streams {
		names = append(names, s.Codec)
	}
	return strings.Join(names, " ")
}
