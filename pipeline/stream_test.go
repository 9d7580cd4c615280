package pipeline

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/source"
)

// feed writes a file into a pipe of which the film is read.
func feed(t testing.TB, path string) Film {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { <-done }) // after the reader is closed
	go func() {
		defer close(done)
		_, _ = io.Copy(w, in) // ends early where the film is not read to its end
		_, _ = in.Close(), w.Close()
	}()
	return streamOf(t, r)
}

// streamOf returns the film that comes out of a descriptor.
func streamOf(t testing.TB, r *os.File) Film {
	t.Helper()
	s, err := source.NewStream(r, StreamHead)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return Film{Name: "the body", Reader: s}
}

// piped makes what s asks for of a stream into a pipe, and returns the plan, what came
// of the run and the path of what came out of the pipe.
func piped(t testing.TB, in string, s Spec) (Plan, Result, string) {
	t.Helper()
	p, res, out, err := tryPiped(t, feed(t, in), s)
	if err != nil {
		t.Fatalf("stream %s: %v\n%s", in, err, p.Graph)
	}
	return p, res, out
}

func tryPiped(t testing.TB, f Film, s Spec) (Plan, Result, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	m, err := ProbeFilm(ctx, f)
	if err != nil {
		return Plan{}, Result{}, "", err
	}
	s.Stream = true
	p, err := NewPlan(m, s, Has)
	if err != nil {
		return Plan{}, Result{}, "", err
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "out."+string(s.Container))
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, r)
		read <- errors.Join(err, out.Close(), r.Close())
	}()
	res, err := streamRunner(t, 20*time.Second).Run(ctx, p.From(f).To(w))
	if err := errors.Join(w.Close(), <-read); err != nil {
		t.Fatal(err)
	}
	return p, res, path, err
}

func streamRunner(t testing.TB, stall time.Duration) Runner {
	t.Helper()
	return Runner{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Stall: stall}
}

// TestStreamKinds makes streams of films of every container that can be read as one,
// into every container that is written as one.
func TestStreamKinds(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"in.mkv", "in.ts", "in.mp4", "in.flv", "in.avi", "in.webm"} {
		for _, out := range []Container{Matroska, MP4, TS} {
			t.Run(in+" to "+string(out), func(t *testing.T) {
				t.Parallel()
				var more []string
				switch in {
				case "in.mp4":
					more = []string{"-movflags", "frag_keyframe+empty_moov"}
				case "in.webm":
					more = []string{"-c:v", "libvpx", "-c:a", "libopus"}
				}
				s := spec()
				s.Container = out
				p, res, path := piped(t, film(t, in, more...), s)
				d := describeFile(t, path)
				if res.Encoded != 100 || len(d.Streams) != 2 || d.Streams[0].Width != 320 {
					t.Errorf("%d pictures, %+v\n%s", res.Encoded, d, p.Graph)
				}
				if n := len(times(t, path, "v:0")); n != 100 {
					t.Errorf("%d pictures can be read", n)
				}
				t.Log(p.Lost)
			})
		}
	}
}

// TestStreamTellsItsLength has the length of a stream known where its beginning tells it,
// although it is read from begin to end.
func TestStreamTellsItsLength(t *testing.T) {
	t.Parallel()
	const unknown = 0
	fragments := filepath.Join(t.TempDir(), "in.mp4")
	gst := exec.CommandContext(t.Context(), "gst-launch-1.0", "-q", "filesrc", "location="+film(t, "in.mp4"), "!", "qtdemux", "!", "h264parse",
		"!", "mp4mux", "fragment-duration=500", "!", "filesink", "location="+fragments)
	if out, err := gst.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		path string
		want time.Duration
	}{
		"Matroska":               {film(t, "in.mkv"), 4 * time.Second},
		"WebM":                   {film(t, "in.webm", "-c:v", "libvpx", "-c:a", "libopus"), 4 * time.Second},
		"live Matroska":          {film(t, "in.mkv", "-live", "1"), unknown},
		"MP4":                    {film(t, "in.mp4", "-movflags", "faststart"), 4 * time.Second},
		"fragments":              {fragments, 4 * time.Second},
		"fragments that do not":  {film(t, "in.mp4", "-movflags", "frag_keyframe"), unknown},
		"without anything ahead": {film(t, "in.ts"), unknown},
	} {
		m, err := ProbeFilm(t.Context(), feed(t, c.path))
		if off := m.Duration - c.want; err != nil || off.Abs() > 50*time.Millisecond || c.want == unknown && m.Duration != 0 {
			t.Errorf("%s: %s, not %s: %v", name, m.Duration, c.want, err)
		}
	}
}

// TestStreamRests proves that a body that pauses and a reader that pauses are no faults
// of the run, and lose nothing.
func TestStreamRests(t *testing.T) {
	t.Parallel()
	const stall, pause = time.Second, 4 * time.Second
	in := film(t, "in.mkv", "-g", "10", "-vf", "noise=alls=60") // of more bytes than pipes hold
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ body, reader time.Duration }{"body": {pause, 0}, "reader": {0, pause}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bodyRead, body, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			outRead, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			fed := make(chan error, 1)
			go func() {
				_, err := body.Write(data[:len(data)/2])
				<-time.After(c.body) // longer than the watchdog waits
				_, more := body.Write(data[len(data)/2:])
				fed <- errors.Join(err, more, body.Close())
			}()
			path := filepath.Join(t.TempDir(), "out.mkv")
			read := make(chan error, 1)
			go func() {
				first := make([]byte, 10_000)
				_, err := io.ReadFull(outRead, first)
				<-time.After(c.reader)
				rest, more := io.ReadAll(outRead)
				read <- errors.Join(err, more, outRead.Close(), os.WriteFile(path, append(first, rest...), 0o600))
			}()
			f := streamOf(t, bodyRead)
			m, err := ProbeFilm(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			s := spec()
			s.Stream, s.Quality = true, 1
			p, err := NewPlan(m, s, Has)
			if err != nil {
				t.Fatal(err)
			}
			_, err = streamRunner(t, stall).Run(t.Context(), p.From(f).To(out))
			if err := errors.Join(err, out.Close(), <-fed, <-read); err != nil {
				t.Fatal(err)
			}
			if n := len(times(t, path, "v:0")); n != 100 {
				t.Errorf("%d pictures can be read", n)
			}
		})
	}
}

// TestStreamEnds takes the beginning of a body that never ends.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	in := film(t, "in.mkv")
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = w.Close(); <-done })
	go func() { // and nothing more comes
		defer close(done)
		_, _ = w.Write(data)
	}()
	s := spec()
	s.Duration = 2 * time.Second
	_, res, out, err := tryPiped(t, streamOf(t, r), s)
	if err != nil || res.Encoded < 49 || res.Encoded > 51 {
		t.Fatalf("%d pictures: %v", res.Encoded, err)
	}
	if n := len(times(t, out, "v:0")); int64(n) != res.Encoded {
		t.Errorf("%d pictures can be read of %d", n, res.Encoded)
	}
}
