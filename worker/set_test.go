package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/testonnx"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// settled is the segment from which on a change shows for sure that was made while a
// run waited at the limit before segment 1: what waits in queues was made before.
const settled = 3

// negative is a colour table that turns light into dark.
const negative = "LUT_1D_SIZE 2\n1 1 1\n0 0 0\n"

// lights returns how bright the pictures of the whole film are with a model, once.
func lights(t *testing.T, s *server, o wire.Opened) []shown {
	t.Helper()
	return checkPictures(t, o, s.finished(s.play(picture, 0, unlimited)), 0, filmFrames)
}

// checkLights compares how bright pictures are with what they are to be: factor times
// what they were.
func checkLights(t *testing.T, got, were []shown, factor float64) {
	t.Helper()
	for i, p := range got {
		if want := were[p.number].light * factor; math.Abs(p.light-want) > 0.5 {
			t.Errorf("picture %d has a mean of %.2f, want %.2f (%d of %d)", p.number, p.light, want, i, len(got))
			return
		}
	}
}

func ptr[T any](v T) *T { return &v }

// TestSetIsLive changes what runs: no picture is lost or repeated, and the change is
// seen, in a run that comes after, too.
func TestSetIsLive(t *testing.T) {
	lut := filters.Neutral()
	lut.LUT = "negative"
	for name, c := range map[string]struct {
		set   wire.Set
		check func(t *testing.T, got, were []shown)
	}{
		"model":   {wire.Set{Model: ptr(dimmer)}, checkDimmed},
		"filters": {wire.Set{Filters: &lut, Cube: []byte(negative)}, checkTurned},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			o := s.open(testFilm(t))
			were := lights(t, s, o)
			run := s.play(picture, 0, 1)
			s.waits(run)
			s.agreed(s.set(c.set)())
			s.write(wire.Limit{Run: run, Segment: unlimited})
			m := s.finished(run)
			all := shownIn(t, o, m, 0)
			checkLights(t, all[:filmRate], were, 1)
			c.check(t, all[settled*filmRate:], were)
			c.check(t, shownIn(t, o, s.finished(s.play(picture, 5, unlimited)), 5), were)
			s.stop()
		})
	}
}

// shownIn is checkPictures for a run whose pictures may be turned around, which
// leaves no number to be read.
func shownIn(t *testing.T, o wire.Opened, m made, segment int) []shown {
	t.Helper()
	if got, want := len(m.packets), filmFrames-segment*filmRate; got != want {
		t.Fatalf("%d pictures, want %d", got, want)
	}
	pictures := decodeLight(t, o.Video.Size, m.packets)
	for i := range pictures {
		pictures[i].number = segment*filmRate + i
	}
	return pictures
}

func checkDimmed(t *testing.T, got, were []shown) {
	t.Helper()
	checkLights(t, got, were, dimming)
}

// checkTurned compares with pictures whose light is turned around, between 16 and 235.
func checkTurned(t *testing.T, got, were []shown) {
	t.Helper()
	for _, p := range got {
		if want := 16 + 235 - were[p.number].light; math.Abs(p.light-want) > 3 { // colours turn with it
			t.Errorf("picture %d has a mean of %.2f, want %.2f", p.number, p.light, want)
			return
		}
	}
}

// TestStrengthIsLive mixes the model with a bicubic upscale, of which the dimmer one
// shows the share.
func TestStrengthIsLive(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	were := lights(t, s, o)
	run := s.play(picture, 0, 1)
	s.waits(run)
	s.agreed(s.set(wire.Set{Model: ptr(dimmer), Strength: ptr(0.5)})())
	s.write(wire.Limit{Run: run, Segment: unlimited})
	all := checkPictures(t, o, s.finished(run), 0, filmFrames)
	checkLights(t, all[settled*filmRate:], were, (1+dimming)/2)
	s.agreed(s.set(wire.Set{Strength: ptr(0.0)})()) // while nothing runs
	all = checkPictures(t, o, s.finished(s.play(picture, 4, unlimited)), 4*filmRate, filmFrames)
	checkLights(t, all, were, 1)
	s.stop()
}

// TestTheLaterSetStays sends many changes without waiting for their replies.
func TestTheLaterSetStays(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	were := lights(t, s, o)
	run := s.play(picture, 0, 1)
	s.waits(run)
	var replies []func() wire.Reply
	for range 5 {
		for _, model := range []string{nearest, dimmer} {
			replies = append(replies, s.set(wire.Set{Model: ptr(model)}))
		}
	}
	for _, reply := range replies {
		s.agreed(reply())
	}
	s.write(wire.Limit{Run: run, Segment: unlimited})
	all := checkPictures(t, o, s.finished(run), 0, filmFrames)
	checkLights(t, all[settled*filmRate:], were, dimming)
	s.stop()
}

// TestSetBeforeTheRunIsBuilt changes a run that waits for the end of the one before
// it: it is changed from its first picture on.
func TestSetBeforeTheRunIsBuilt(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	were := lights(t, s, o)
	for range 5 {
		s.waits(s.play(picture, 0, 1))
		begun := s.begin(picture, 4, unlimited)
		run := s.last
		s.agreed(s.set(wire.Set{Model: ptr(dimmer)})())
		s.agreed(begun())
		checkLights(t, checkPictures(t, o, s.finished(run), 4*filmRate, filmFrames), were, dimming)
		s.agreed(s.set(wire.Set{Model: ptr(nearest)})())
	}
	s.stop()
}

// TestSetRefused: of what is refused nothing is done, and the run goes on as it was.
func TestSetRefused(t *testing.T) {
	s := begin(t)
	s.refused("set before open", s.set(wire.Set{Strength: ptr(0.5)})(), "bad_request")
	o := s.open(testFilm(t))
	were := lights(t, s, o)
	lut := filters.Neutral()
	lut.LUT = "negative"
	bad := map[string]struct {
		set  wire.Set
		code string
	}{
		"another scale":           {wire.Set{Model: ptr(identity)}, "bad_request"},
		"no such model":           {wire.Set{Model: ptr("none-x2")}, "model_unknown"},
		"too strong":              {wire.Set{Model: ptr(dimmer), Strength: ptr(1.5)}, "bad_request"},
		"below nothing":           {wire.Set{Model: ptr(dimmer), Strength: ptr(-0.1)}, "bad_request"},
		"a table that is missing": {wire.Set{Model: ptr(dimmer), Filters: &lut}, "bad_request"},
		"a table that is none":    {wire.Set{Model: ptr(dimmer), Filters: &lut, Cube: []byte("no table")}, "bad_request"},
	}
	refuse := func(when string) {
		for name, c := range bad {
			s.refused(name+" "+when, s.set(c.set)(), c.code)
		}
	}
	refuse("while nothing runs")
	run := s.play(picture, 0, 1)
	s.waits(run)
	refuse("while a run waits")
	begun := s.begin(picture, 0, 1)
	run = s.last
	refuse("while a run is built")
	s.agreed(begun())
	s.write(wire.Limit{Run: run, Segment: unlimited})
	checkLights(t, checkPictures(t, o, s.finished(run), 0, filmFrames), were, 1)
	s.stop()
}

// TestLoad gives the worker a model that is not its own.
func TestLoad(t *testing.T) {
	s := begin(t)
	data := testonnx.Spec{Scale: 2, Channels: 3}.Nearest()
	load := func(model string, data []byte, sum string) wire.Reply {
		t.Helper()
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s.send(wire.SourceModel, file(t, path))
		return s.ask(func(id uint32) wire.Message { return wire.Load{ID: id, Model: model, SHA256: sum} })()
	}
	sum := func(data []byte) string { s := sha256.Sum256(data); return hex.EncodeToString(s[:]) }
	noNetwork := []byte("no network")
	s.refused("other bytes", load("loaded-x2", noNetwork, sum(data)), "model_invalid")
	s.refused("no network", load("loaded-x2", noNetwork, sum(noNetwork)), "model_invalid")
	s.refused("nothing", load("loaded-x2", nil, sum(nil)), "model_invalid")
	o := s.open(testFilm(t))
	were := lights(t, s, o)
	s.refused("a model that was refused", s.set(wire.Set{Model: ptr("loaded-x2")})(), "model_unknown")
	s.agreed(load("loaded-x2", data, sum(data)))
	s.agreed(s.set(wire.Set{Model: ptr("loaded-x2")})())
	checkLights(t, lights(t, s, o), were, 1)
	s.wait("the loaded model at work", func() bool {
		stats, ok := s.got[len(s.got)-1].(wire.Stats)
		return ok && stats.Model == "loaded-x2"
	})
	s.stop()
}

// TestKeyFrame has a run make a key frame where it would make none.
func TestKeyFrame(t *testing.T) {
	s := begin(t)
	o := s.open(testFilm(t))
	run := s.play(picture, 0, 1)
	s.waits(run)
	s.agreed(s.ask(func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: run} })())
	s.write(wire.Limit{Run: run, Segment: unlimited})
	m := s.finished(run)
	checkPictures(t, o, m, 0, filmFrames)
	extra := 0
	for n, p := range m.packets {
		if p.Key && n%filmRate != 0 {
			extra++
		}
	}
	if extra != 1 {
		t.Errorf("%d key frames beside those of the segments, want 1", extra)
	}
	for name, run := range map[string]uint32{"a run that has ended": run, "no run": 99} {
		s.refused(name, s.ask(func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: run} })(), "bad_request")
	}
	heard := s.play(sound, 0, 1)
	s.refused("sound", s.ask(func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: heard} })(), "bad_request")
	s.stop()
}
