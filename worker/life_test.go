package worker

import (
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// TestProtocolViolations: a server that breaks the protocol ends its worker, which
// says why, also while a run is at work.
func TestProtocolViolations(t *testing.T) {
	for name, c := range map[string]struct {
		violate func(*server)
		says    string
	}{
		"what only a worker sends": {func(s *server) { s.write(wire.Stats{}) }, "what only a worker sends"},
		"hello twice":              {func(s *server) { s.write(wire.Hello{Version: wire.Version}) }, "what only a worker sends"},
		"an unknown kind":          {func(s *server) { s.raw(0, 0, 0, 2, 255, 0, 0, 0, '{', '}') }, "unknown kind 255"},
		"too large":                {func(s *server) { s.raw(255, 0, 0, 0, byte(wire.KindStop), 0, 0, 0) }, "bad head"},
		"no JSON":                  {func(s *server) { s.raw(0, 0, 0, 2, byte(wire.KindLimit), 0, 0, 0, '{', '{') }, "limit"},
		"half a frame":             {func(s *server) { s.raw(0, 0, 0, 2, byte(wire.KindStop), 0, 0, 0, '{'); s.hangUp() }, "breaks off"},
		"a second film": {func(s *server) {
			f := file(s.t, testFilm(s.t))
			s.send(wire.SourceFile, f)
			s.write(order(f))
		}, "a second film"},
		"a film for a model": {func(s *server) {
			s.send(wire.SourceFile, file(s.t, testFilm(s.t)))
			s.write(wire.Load{ID: 99, Model: "any"})
		}, "a film in place of a model"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			s.open(testFilm(t))
			run := s.play(picture, 0, unlimited)
			s.wait("pictures", func() bool { return len(s.of(run).packets) > 0 })
			c.violate(s)
			if err := s.ended(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("ended with %v, want %q", err, c.says)
			}
		})
	}
}

// raw sends bytes as they are.
func (s *server) raw(b ...byte) {
	s.t.Helper()
	if _, err := s.ends.Frames.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

// hangUp closes the server's ends, as the end of its process does.
func (s *server) hangUp() {
	s.t.Helper()
	if err := s.ends.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// TestHello: a server that speaks another version, or does not greet, is left.
func TestHello(t *testing.T) {
	for name, m := range map[string]wire.Message{"another version": wire.Hello{Version: wire.Version + 1}, "no hello": wire.Stop{}} {
		t.Run(name, func(t *testing.T) {
			s := connect(t)
			s.write(m)
			if err := s.ended(); err == nil || !strings.Contains(err.Error(), "another version") {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// TestOpenRefused: a film that cannot be opened is refused with a code, and the
// worker lives on.
func TestOpenRefused(t *testing.T) {
	for name, c := range map[string]struct {
		kind   wire.SourceKind
		path   string
		change func(*wire.Open)
		code   string
	}{
		"no film":    {wire.SourceFile, "film_test.go", func(*wire.Open) {}, "not_media"},
		"a model":    {wire.SourceModel, testFilm(t), func(*wire.Open) {}, "internal"},
		"no socket":  {wire.SourceRanges, testFilm(t), func(*wire.Open) {}, "internal"},
		"a folder":   {wire.SourceFile, ".", func(*wire.Open) {}, "source_unreadable"},
		"no model":   {wire.SourceFile, testFilm(t), func(m *wire.Open) { m.Upscale.Model = "none-x2" }, "model_unknown"},
		"no bitmaps": {wire.SourceFile, testFilm(t), func(m *wire.Open) { m.Burn = 0 }, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			f := file(t, c.path)
			s.send(c.kind, f)
			m := order(f)
			c.change(&m)
			s.refused(name, s.ask(func(id uint32) wire.Message { m.ID = id; return m })(), c.code)
			s.refused("play", s.begin(picture, 0, 1)(), "bad_request")
			s.stop()
		})
	}
}

// TestServerGone closes the server's ends while all streams are at work.
func TestServerGone(t *testing.T) {
	s := begin(t)
	s.open(testFilm(t))
	run := s.play(picture, 0, unlimited)
	s.play(sound, 0, unlimited)
	s.play(text, 0, unlimited)
	s.wait("pictures", func() bool { return len(s.of(run).packets) > 0 })
	s.hangUp()
	if err := s.ended(); err == nil {
		t.Error("ended without an error")
	}
}

// TestStop stops a worker at any time: while it opens, measures, plays, waits and
// sets.
func TestStop(t *testing.T) {
	for name, busy := range map[string]func(*server){
		"idle": func(*server) {},
		"opening": func(s *server) {
			f := file(s.t, testFilm(s.t))
			s.send(wire.SourceFile, f)
			s.write(order(f))
		},
		"measuring": func(s *server) { s.write(wire.Measure{ID: 1, Model: nearest}) },
		"playing": func(s *server) {
			s.open(testFilm(s.t))
			run := s.play(picture, 0, unlimited)
			s.play(sound, 0, unlimited)
			s.wait("pictures", func() bool { return len(s.of(run).packets) > 0 })
		},
		"building": func(s *server) {
			s.open(testFilm(s.t))
			s.begin(picture, 3, unlimited)
			s.begin(sound, 3, unlimited)
			s.set(wire.Set{Model: ptr(dimmer)})
		},
		"waiting": func(s *server) {
			s.open(testFilm(s.t))
			s.waits(s.play(picture, 0, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			busy(s)
			s.stop()
		})
	}
}

// TestPanicInTheElement: the run ends with a code, and the next one plays.
func TestPanicInTheElement(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	run := s.play(picture, 0, unlimited, func(m *wire.Play) { u := upscaled(panics); m.Upscale = &u })
	if m := s.whole(run); m.ended.Error == nil || m.ended.Error.Code == "" || m.ended.Error.Sentence == "" {
		t.Errorf("ended with %+v", m.ended)
	} else {
		t.Logf("%+v", *m.ended.Error)
	}
	run = s.play(picture, 0, unlimited, func(m *wire.Play) { u := upscaled(nearest); m.Upscale = &u })
	checkPictures(t, o, s.finished(run), 0, filmFrames)
	s.stop()
}
