package worker

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// clip makes a short film that is not of numbered pictures.
func clip(t *testing.T, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	ffmpeg(t, nil, append(append(strings.Fields("-y -f lavfi -i testsrc2=s=160x120:r=25:d=4 -f lavfi -i sine=d=4:r=48000"), args...), path)...)
	return path
}

// part returns a file that holds the first part of another.
func part(t *testing.T, path string, share float64) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, data[:int(float64(len(data))*share)])
}

func written(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBadBodies proves that each kind of body that is no film ends with its own code
// before anything is written.
func TestBadBodies(t *testing.T) {
	x264 := strings.Fields("-c:v libx264 -preset ultrafast -c:a aac")
	for name, c := range map[string]struct {
		path func(t *testing.T) string
		code string
	}{
		"empty":       {func(t *testing.T) string { return written(t, nil) }, "source_empty"},
		"one byte":    {func(t *testing.T) string { return written(t, []byte{1}) }, "not_media"},
		"text":        {func(t *testing.T) string { return written(t, bytes.Repeat([]byte("only words. "), 9000)) }, "not_media"},
		"sound":       {func(t *testing.T) string { return clip(t, "in.mka", "-map", "1") }, "no_video"},
		"sound in TS": {func(t *testing.T) string { return clip(t, "in.ts", "-map", "1") }, "no_video"},
		"index behind": {func(t *testing.T) string {
			return clip(t, "in.mp4", strings.Fields("-vf scale=1280:-2,noise=alls=100 -c:v mpeg4 -q:v 1 -c:a aac")...)
		}, "not_streamable"},
		"head alone": {func(t *testing.T) string { return part(t, clip(t, "in.mkv", x264...), 0.005) }, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.refused("prepare", s.body(c.path(t), streamed("mkv")), c.code)
			s.stop()
		})
	}
}

// TestBadWishes proves that what cannot be made is refused.
func TestBadWishes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.Prepare)
		code   string
	}{
		"container":         {func(m *wire.Prepare) { m.Output.Container = "avi" }, "bad_request"},
		"model":             {func(m *wire.Prepare) { m.Upscale.Model = "none" }, "model_unknown"},
		"codec":             {func(m *wire.Prepare) { m.Output.VideoCodec = "mpeg2" }, "bad_request"},
		"codec of TS":       {func(m *wire.Prepare) { m.Output.Container, m.Output.VideoCodec = "ts", "av1" }, "bad_request"},
		"audio":             {func(m *wire.Prepare) { m.Output.Audio = "mp3" }, "bad_request"},
		"track":             {func(m *wire.Prepare) { m.Output.Track = 1 }, "bad_request"},
		"no track":          {func(m *wire.Prepare) { m.Output.Track = -2 }, "bad_request"},
		"table":             {func(m *wire.Prepare) { m.Upscale.Filters.LUT = "warm" }, "bad_request"},
		"start":             {func(m *wire.Prepare) { m.Output.Start = time.Hour }, "bad_request"},
		"start in the past": {func(m *wire.Prepare) { m.Output.Start = -1 }, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			m := streamed("mkv")
			c.change(&m)
			s.refused("prepare", s.body(testFilm(t), m), c.code)
			s.refused("transcode", s.tryTranscode(), "bad_request")
			s.stop()
		})
	}
}

func (s *server) tryTranscode() wire.Reply {
	s.t.Helper()
	_, w := ends(s.t)
	s.send(wire.SourceOutput, w)
	return s.ask(func(id uint32) wire.Message { return wire.Transcode{ID: id, Run: id} })()
}

// TestBrokenOff ends a run whose body breaks off or is damaged midway, whose code the
// server tells in a trailer.
func TestBrokenOff(t *testing.T) {
	for name, film := range map[string]func() string{
		"mkv": func() string { return testFilm(t) },
		"mp4": func() string {
			return clip(t, "in.mp4", strings.Fields("-c:v libx264 -preset ultrafast -g 10 -c:a aac -movflags faststart")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.agreed(s.body(part(t, film(), 0.5), streamed("mkv")))
			r, w := ends(t)
			run := s.transcode(w)
			into(t, r, "out.mkv")
			if m := s.whole(run); m.ended.Error == nil || m.ended.Error.Code != "damaged" || m.ended.Halted {
				t.Errorf("it ended with %+v", m.ended)
			}
			s.stop()
		})
	}
}

// TestOutputGone ends a run of which nobody reads any more.
func TestOutputGone(t *testing.T) {
	s := begin(t)
	s.agreed(s.body(testFilm(t), streamed("mkv")))
	r, w := ends(t)
	run := s.transcode(w)
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if m := s.whole(run); m.ended.Error == nil || m.ended.Error.Code != "output_failed" {
		t.Errorf("it ended with %+v", m.ended)
	}
	s.stop()
}

// TestHalts ends transcodes that work, that nobody reads, that get nothing, and that
// are paused: each within a second, and their pipes are closed then.
func TestHalts(t *testing.T) {
	for name, c := range map[string]struct {
		share        float64 // of the film that comes
		reads, pause bool
	}{
		"works":        {1, true, false},
		"nobody reads": {1, false, false},
		"body stops":   {0.3, true, false},
		"paused":       {1, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			film := clip(t, "in.mkv", strings.Fields("-c:v libx264 -preset ultrafast -c:a aac -vf loop=20:25,scale=320:-2")...)
			data, err := os.ReadFile(part(t, film, c.share))
			if err != nil {
				t.Fatal(err)
			}
			bodyRead, body := ends(t)
			fed := make(chan struct{})
			go func() { // the pipe stays open
				defer close(fed)
				_, _ = body.Write(data)
			}()
			s.agreed(s.prepare(wire.SourceStream, bodyRead, streamed("mkv")))
			_ = bodyRead.Close()
			r, w := ends(t)
			run := s.transcode(w)
			if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			read := make(chan struct{})
			go func() {
				defer close(read)
				if c.reads {
					_, _ = io.Copy(io.Discard, r)
				}
			}()
			if c.pause {
				s.write(wire.Limit{Run: run, Segment: 0})
				s.waits(run)
			}
			s.write(wire.Halt{Run: run})
			m := s.whole(run)
			if !m.ended.Halted || m.ended.Error != nil { // whole bounds how long it takes
				t.Errorf("it ended with %+v", m.ended)
			}
			if w, f := s.final(run); w.Upscaled == 0 || f.Upscaled != w.Upscaled || f.Encoded != w.Encoded {
				t.Errorf("before the end it tells %+v and %+v", w, f)
			}
			<-fed // since nobody is there to read it
			if c.reads {
				<-read
			}
			if _, err := body.Write([]byte{1}); err == nil {
				t.Error("the body is still read")
			}
			s.stop()
		})
	}
}

// TestStopsWhilePreparing ends a worker to which no body comes.
func TestStopsWhilePreparing(t *testing.T) {
	s := begin(t)
	r, w := ends(t)
	m := streamed("mkv")
	s.send(wire.SourceStream, r)
	_ = r.Close()
	m.ID = 1
	s.write(m)
	if _, err := w.Write([]byte{0x1a, 0x45, 0xdf, 0xa3}); err != nil {
		t.Fatal(err)
	}
	s.stop() // which bounds how long it takes
}
