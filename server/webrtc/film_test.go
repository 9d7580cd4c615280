package webrtc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// The film of these tests: five pictures a second in segments of a second, and sound in packets of 20 ms.
const (
	filmLength = 12 // seconds
	filmScale  = 5000
	filmFrame  = filmScale / 5
)

// worker makes the film, each packet with its number, a segment at once. It is its own session.Starter.
type worker struct {
	codec   string // of the sound
	handler session.Handler
	all     sync.WaitGroup

	mu    sync.Mutex // held also while the handler is called
	runs  map[uint32]wire.Play
	moved *sync.Cond
}

// Start implements session.Starter.
func (w *worker) Start(_ context.Context, _ string, _ session.Job, h session.Handler) (session.Worker, wire.Opened, error) {
	w.handler = h
	return w, wire.Opened{
		Duration: filmLength * time.Second, Segment: wire.Segment{Ticks: filmScale, Frames: 5},
		Video: wire.VideoInfo{TimeScale: filmScale, Rate: [2]int{5, 1}, SourceSize: [2]int{32, 24}, Size: [2]int{64, 48}, Aspect: [2]int{1, 1}, Scale: 2},
		Audio: []wire.AudioInfo{{Rate: soundRate, Channels: 2, FrameSamples: 960, Frames: filmLength * 50, BitRate: 96000}},
	}, nil
}

func (w *worker) Play(_ context.Context, p wire.Play) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, r := range w.runs {
		if r.Stream == p.Stream {
			delete(w.runs, id)
		}
	}
	w.runs[p.Run] = p
	w.all.Go(func() { w.run(p.Run) })
	w.moved.Broadcast()
	return nil
}

func (w *worker) Limit(run uint32, segment int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, ok := w.runs[run]; ok {
		p.Limit = segment
		w.runs[run] = p
	}
	w.moved.Broadcast()
	return nil
}

func (w *worker) Halt(run uint32) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.runs, run)
	w.moved.Broadcast()
	return nil
}

func (w *worker) Set(context.Context, wire.Set) error { return nil }

func (w *worker) Close(context.Context) error {
	w.mu.Lock()
	clear(w.runs)
	w.moved.Broadcast()
	w.mu.Unlock()
	w.all.Wait()
	return nil
}

// run makes a stream from a segment on, as far as it may.
func (w *worker) run(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.runs[id]
	init, packets := w.picture, 5
	if p.Stream.Kind == wire.StreamAudio {
		init, packets = w.sound, 50
	}
	w.handler.Init(init(id))
	for k := p.Segment; k < filmLength; k++ {
		for p, going := w.runs[id]; !going || p.Limit <= k; p, going = w.runs[id] {
			if !going {
				w.handler.Ended(wire.Ended{Run: id, Halted: true})
				return
			}
			w.moved.Wait()
		}
		for i := range packets {
			n := k*packets + i
			lasts := int64(filmFrame)
			if p.Stream.Kind == wire.StreamAudio {
				lasts = 960
			}
			w.handler.Packet(wire.Packet{
				Run: id, Key: i == 0 || packets == 50, PTS: int64(n) * lasts, DTS: int64(n) * lasts, Duration: lasts,
				Data: fmt.Appendf([]byte{0, 0, 0, 4, 0x41}, "%3d", n),
			})
		}
	}
	w.handler.Ended(wire.Ended{Run: id})
}

func (w *worker) picture(run uint32) wire.Init {
	config, _ := hex.DecodeString("0164000affe100156764000aacb423d808800001f480005dc00789135001000468ef0fcbfdf8f800")
	return wire.Init{Run: run, Codec: "avc1.64000a", CodecData: config, Width: 64, Height: 48, Aspect: [2]int{1, 1}}
}

func (w *worker) sound(run uint32) wire.Init {
	if w.codec == "opus" {
		return wire.Init{Run: run, Codec: "opus", CodecData: []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")}
	}
	return wire.Init{Run: run, Codec: "mp4a.40.2", CodecData: []byte{0x11, 0x90}}
}

// played is a session of the film, within a bubble of synctest that it ends with.
func played(t *testing.T, codec string) *session.Session {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 16 << 20})
	must(t, err)
	w := &worker{codec: codec, runs: map[uint32]wire.Play{}}
	w.moved = sync.NewCond(&w.mu)
	manager, err := session.New(session.Options{
		Starter: w, Cache: store, Scale: func(string) (int, error) { return 2, nil }, Capacity: session.Capacity{Sessions: 1, CoreMS: 1e6, GPUMS: 1e6},
		Segment: time.Second, ReadAhead: 3 * time.Second, Idle: 10 * time.Second, Wait: time.Minute,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = manager.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		must(t, store.Close())
	})
	s, err := manager.Create(t.Context(), session.Request{
		Source: "film", Audio: -1, Text: -1, Settings: session.Settings{Model: "a-x2", Strength: 1, Filters: filters.Neutral(), Quality: -1, Burn: -1},
	})
	must(t, err)
	return s
}

// number returns what a packet of the film says of itself.
func number(t *testing.T, p Packet) (n int) {
	t.Helper()
	_, err := fmt.Sscan(string(p.Data[5:]), &n)
	must(t, err)
	return n
}

func TestFilmIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, media, err := newFilm(t.Context(), played(t, "opus"))
		must(t, err)
		if !media.Sound || len(media.Warnings) > 0 || media.CodecData == nil {
			t.Errorf("%+v", media)
		}
		begun := time.Now()
		next := map[bool]int{}
		for {
			p, err := f.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			lasts := 200 * time.Millisecond
			if p.Sound {
				lasts = 20 * time.Millisecond
			}
			n := number(t, p)
			if at := time.Duration(n) * lasts; n != next[p.Sound] || p.At != at || time.Since(begun) != at {
				t.Fatalf("sound %t: %d at %s after %s", p.Sound, n, p.At, time.Since(begun))
			}
			next[p.Sound]++
		}
		if next[false] != filmLength*5 || next[true] != filmLength*50 {
			t.Errorf("%v", next)
		}
	})
}

// TestFilmFollowsItsSession seeks while a film is played out, and pauses it: it goes where it is sent, in the middle of
// a wait, and its line of time goes on with the wall's.
func TestFilmFollowsItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := played(t, "aac")
		f, media, err := newFilm(t.Context(), s)
		must(t, err)
		if media.Sound || len(media.Warnings) != 1 {
			t.Errorf("%+v", media)
		}
		begun := time.Now()
		take := func(want int) {
			t.Helper()
			p, err := f.Next(t.Context())
			must(t, err)
			if n := number(t, p); n != want || p.Sound || (p.At-time.Since(begun)).Abs() > tolerance {
				t.Fatalf("picture %d and not %d, at %s after %s", n, want, p.At, time.Since(begun))
			}
		}
		for n := range 8 {
			take(n)
		}
		if at := s.Snapshot().Position; at < time.Second {
			t.Errorf("the session is at %s", at)
		}
		time.AfterFunc(100*time.Millisecond, func() { must(t, s.Seek(9*time.Second)) })
		take(45)
		take(46)
		must(t, s.Pause())
		time.AfterFunc(30*time.Second, func() { must(t, s.Resume()) }) // longer than an idle session lasts
		paused := time.Now()
		take(47)
		if lasted := time.Since(paused); lasted < 30*time.Second || lasted > 30*time.Second+2*pausing {
			t.Errorf("the pause lasted %s", lasted)
		}
		must(t, s.Seek(0))
		take(0)
		s.End(session.CauseClient)
		for err == nil {
			_, err = f.Next(t.Context())
		}
		if ended := (*session.EndedError)(nil); !errors.As(err, &ended) {
			t.Error(err)
		}
	})
}

// TestFilmAtItsEnd is watched from there: there is nothing to watch, which a peer that is there already is not told as an
// error.
func TestFilmAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := played(t, "opus")
		f, _, err := newFilm(t.Context(), s)
		must(t, err)
		must(t, s.Seek(filmLength*time.Second))
		for err == nil {
			_, err = f.Next(t.Context())
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if _, _, err := newFilm(t.Context(), s); !errors.Is(err, playout.ErrPast) {
			t.Error(err)
		}
	})
}
