package worker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// liveOrder is how the tests have a live stream made.
func liveOrder() wire.Relay {
	return wire.Relay{
		Name: "the camera", Upscale: upscaled(nearest), Video: wire.Video{Quality: 10}, Audio: wire.AudioAAC, KeyFrames: time.Second,
		Costs: &wire.Costs{Model: nearest, Decode: 1, Upscale: 2, Encode: 3},
	}
}

// camera has ffmpeg write the film in real time into a pipe, and returns its end. It
// stops when nobody reads.
func camera(t *testing.T, args string) *os.File {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "ffmpeg", strings.Fields("-v quiet -nostdin -re -i "+testFilm(t)+" -map 0:v -map 0:a -c copy "+args+" -flush_packets 1 pipe:1")...)
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { _ = cmd.Wait() }) // it fails when nobody reads any more
	t.Cleanup(func() { _, _ = out.Close(), in.Close(); done.Wait() })
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// relay gives the worker a live stream.
func (s *server) relay(f *os.File, m wire.Relay) func() wire.Reply {
	s.t.Helper()
	s.send(wire.SourceStream, f)
	if err := f.Close(); err != nil { // it is the worker's now
		s.t.Fatal(err)
	}
	return s.ask(func(id uint32) wire.Message { m.ID = id; return m })
}

// TestRelay makes a live stream, changes it, asks for a key frame and has it end.
func TestRelay(t *testing.T) {
	s := begin(t)
	r := s.agreed(s.relay(camera(t, "-f matroska -live 1"), liveOrder())())
	o := *r.Opened
	if v := o.Video; o.Container != "Matroska" || v.TimeScale != 90000 || v.SourceSize != [2]int{filmWidth, filmHeight} || v.Size != [2]int{2 * filmWidth, 2 * filmHeight} ||
		v.Scale != 2 || v.Rate != [2]int{filmRate, 1} || len(v.Decoder) == 0 || v.MaxRate == 0 || o.Cost.CoreMS <= 0 || o.Duration != 0 {
		t.Errorf("opened %+v", o)
	}
	if len(o.Audio) != 1 || !o.Audio[0].Passed || o.Audio[0].Rate != 48000 || o.Audio[0].Channels != 2 || o.Audio[0].FrameSamples != 1024 {
		t.Errorf("sound %+v", o.Audio)
	}
	s.wait("pictures", func() bool { return len(s.of(wire.RelayVideo).packets) > filmRate })
	s.agreed(s.set(wire.Set{Model: ptr(dimmer)})())
	s.refused("another scale", s.set(wire.Set{Model: ptr(identity)})(), "bad_request")
	s.refused("a film's run", s.begin(picture, 0, unlimited)(), "bad_request")
	s.refused("a key frame of the sound", s.ask(func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: wire.RelayAudio} })(), "bad_request")
	s.agreed(s.ask(func(id uint32) wire.Message { return wire.KeyFrame{ID: id, Run: wire.RelayVideo} })())
	m := s.finished(wire.RelayVideo)
	dropped := int64(0)
	s.wait("figures", func() bool {
		stats, ok := s.got[len(s.got)-1].(wire.Stats)
		dropped = stats.Dropped
		return ok && stats.Encoded == int64(len(m.packets)) && stats.Upscaled == stats.Encoded && stats.Plain == 0 && stats.Model == dimmer
	})
	if len(m.packets)+int(dropped) != filmFrames || len(m.inits) != 1 {
		t.Errorf("%d pictures, %d dropped, %d inits", len(m.packets), dropped, len(m.inits))
	}
	pictures := decode(t, o.Video.Size, m.packets)
	if !slices.IsSortedFunc(pictures, func(a, b shown) int { return a.number - b.number }) || pictures[len(pictures)-1].number != filmFrames-1 {
		t.Errorf("pictures %+v", pictures)
	}
	due := m.packets[0].PTS
	for _, p := range m.packets {
		if p.Key {
			due = p.PTS + 90000
		}
		if p.PTS > due {
			t.Errorf("no key frame at %d", p.PTS)
		}
	}
	sound := s.of(wire.RelayAudio)
	if len(sound.inits) != 1 || sound.inits[0].Codec != "mp4a.40.2" || len(sound.packets) < (filmSeconds-2)*48000/1024 || sound.ended != nil {
		t.Errorf("%+v and %d packets of sound", sound.inits, len(sound.packets))
	}
	s.stop()
}

// TestRelayOpus makes a transport stream with its sound as Opus, and halts it.
func TestRelayOpus(t *testing.T) {
	s := begin(t)
	m := liveOrder()
	m.Audio = wire.AudioOpus
	o := *s.agreed(s.relay(camera(t, "-f mpegts -muxdelay 0"), m)()).Opened
	if o.Container != "MPEG-TS" || len(o.Audio) != 1 || o.Audio[0].FrameSamples != 960 || o.Audio[0].Passed {
		t.Errorf("opened %+v", o)
	}
	s.wait("sound", func() bool { return len(s.of(wire.RelayAudio).packets) > 50 })
	s.write(wire.Halt{Run: wire.RelayVideo})
	if m := s.whole(wire.RelayVideo); !m.ended.Halted || m.ended.Error != nil {
		t.Errorf("it ended with %+v", m.ended)
	}
	sound := s.of(wire.RelayAudio)
	if i := sound.inits[0]; i.Codec != "opus" || !bytes.HasPrefix(i.CodecData, []byte("OpusHead")) {
		t.Errorf("sound %+v", i)
	}
	for _, p := range sound.packets {
		if p.Duration != 960 || !p.Key {
			t.Errorf("a packet of sound at %d for %d", p.PTS, p.Duration)
		}
	}
	s.stop()
}

// TestBadRelays: a stream that is none, and wishes that cannot be met, are answered so.
func TestBadRelays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.Relay)
		code   string
	}{
		"sound as it is": {func(m *wire.Relay) { m.Audio = wire.AudioKeep }, "bad_request"},
		"key frames":     {func(m *wire.Relay) { m.KeyFrames = 0 }, "bad_request"},
		"strength":       {func(m *wire.Relay) { m.Upscale.Strength = -1 }, "bad_request"},
		"model":          {func(m *wire.Relay) { m.Upscale.Model = "none-x2" }, "model_unknown"},
		"no stream":      {func(*wire.Relay) {}, "not_media"},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			m := liveOrder()
			c.change(&m)
			reply := s.relay(out, m)
			_, _ = in.Write(bytes.Repeat([]byte("no film "), 1000)) // which may be read no more
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			s.refused(name, reply(), c.code)
			s.stop()
		})
	}
}

// TestRelayThatStops: a stream of which nothing comes any more leaves a worker that
// tells of itself, goes on when the stream does, and ends when it is told to.
func TestRelayThatStops(t *testing.T) {
	s := begin(t)
	from := camera(t, "-f matroska -live 1")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	part := make([]byte, 4096)
	pass := func(until func() bool) {
		for !until() {
			n, err := from.Read(part)
			if errors.Is(err, io.EOF) {
				return // it was written while the stream stood still
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(part[:n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	pictures := func(n int) func() bool {
		return func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.of(wire.RelayVideo).packets) >= n
		}
	}
	reply := s.relay(out, liveOrder())
	pass(pictures(filmRate))
	s.agreed(reply())
	beats := func() (n int) {
		for _, m := range s.got {
			if _, ok := m.(wire.Stats); ok {
				n++
			}
		}
		return n
	}
	s.mu.Lock()
	before := beats()
	s.mu.Unlock()
	s.wait("beats for longer than anything may hang", func() bool { return beats() > before+int(Stall/beat)+2 })
	s.mu.Lock()
	seen := len(s.of(wire.RelayVideo).packets)
	s.mu.Unlock()
	pass(pictures(seen + 10))
	s.wait("more pictures", func() bool { return len(s.of(wire.RelayVideo).packets) > seen })
	s.write(wire.Halt{Run: wire.RelayVideo})
	if m := s.whole(wire.RelayVideo); !m.ended.Halted || m.ended.Error != nil {
		t.Errorf("it ended with %+v", m.ended)
	}
	s.stop()
}

// watchLive has a process make a live stream, and returns with its first picture.
func (h *house) watchLive() *viewer {
	h.t.Helper()
	v := &viewer{gone: make(chan error, 1), begun: make(chan struct{})}
	var err error
	if v.worker, err = h.Take(h.t.Context(), "live", v); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = v.worker.Close(context.Background()) }) // which is bounded by itself
	f := camera(h.t, "-f matroska -live 1")
	if _, err = v.worker.Relay(h.t.Context(), liveOrder(), pool.Source{Kind: wire.SourceStream, File: f}); err != nil {
		h.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-v.begun:
	case <-time.After(patience):
		h.t.Fatal("no picture comes")
	}
	return v
}

// TestProcessRelays has processes make a live stream, and ends them at work.
func TestProcessRelays(t *testing.T) {
	h := employ(t, "plain")
	for _, kill := range []bool{false, true} {
		v := h.watchLive()
		began := time.Now()
		if kill {
			if err := syscall.Kill(v.worker.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = v.lost(t) // of whatever kind
		} else if err := v.worker.Close(t.Context()); err != nil {
			t.Error(err)
		}
		t.Logf("gone after %s", time.Since(began).Round(time.Millisecond))
	}
}

// TestProcessRelaysWithADecoderThatHangs: the run is told to have failed with a code,
// and the process ends itself.
func TestProcessRelaysWithADecoderThatHangs(t *testing.T) {
	h := employ(t, hangs)
	v := h.watchLive()
	h.until("the failure", func(pool.Counts) bool { return v.failure() != nil })
	if failure := v.failure(); failure.Code != "stalled" || !strings.Contains(failure.Sentence, "decode") {
		t.Errorf("failed with %s (%s)", failure.Code, failure.Sentence)
	}
	if gone := v.lost(t); gone.Reason != pool.ReasonExited || !strings.Contains(gone.Stderr, "stuck") {
		t.Errorf("gone with %v: %s", gone, gone.Stderr)
	}
}

// TestProcessRelaysWithADecoderThatLags: a decoder that is slower than real time is
// given less, from a key frame on; all that comes is shown or counted.
func TestProcessRelaysWithADecoderThatLags(t *testing.T) {
	h := employ(t, lags)
	v := h.watchLive()
	h.until("the end", func(pool.Counts) bool { return v.over() })
	v.mu.Lock()
	defer v.mu.Unlock()
	made, dropped := v.stats.Encoded, v.stats.Dropped
	if v.ended != nil || dropped == 0 || made+dropped != filmFrames {
		t.Errorf("ended with %v, %d pictures made and %d dropped of %d", v.ended, made, dropped, filmFrames)
	}
	// As many as it decodes in the time of the film, and not those of a backlog.
	if most := int64(decodes + 10*(filmSeconds+2)); made > most {
		t.Errorf("%d pictures, at most %d are in time", made, most)
	}
}
