package worker

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
				!strings.HasPrefix(p.Encoding, "H.264") || p.Cost != m.Costs.Predict(p.Video) || len(p.Plan) < 2 {
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
