package session

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/worker/wire"
)

var (
	videoStream = wire.Stream{Kind: wire.StreamVideo}
	audioStream = wire.Stream{Kind: wire.StreamAudio}
	textStream  = wire.Stream{Kind: wire.StreamText}
)

// set up returns a Manager that runs until the test ends, over fakes and a small
// cache. It is called within a bubble of synctest.
func setUp(t *testing.T, change ...func(*Options)) *stage {
	t.Helper()
	starter := &fakeStarter{film: fakeFilm(300), startup: 300 * time.Millisecond, pace: 500 * time.Millisecond}
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	options := Options{
		Starter: starter, Cache: store, Scale: fakeScales,
		Capacity: Capacity{Sessions: 100, CoreMS: 1e6, GPUMS: 1e6},
		Segment:  time.Second, ReadAhead: 24 * time.Second, Idle: time.Minute, Wait: 20 * time.Second,
	}
	for _, c := range change {
		c(&options)
	}
	m, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	s := &stage{Manager: m, t: t, starter: starter, stop: func() { cancel(); running.Wait() }}
	t.Cleanup(func() {
		s.stop()
		s.clean()
		if err := options.Cache.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// clean checks that nothing is left of any session.
func (s *stage) clean() {
	s.t.Helper()
	if stats := s.options.Cache.Stats(); stats.Segments != 0 {
		s.t.Errorf("segments are left in the cache: %+v", stats)
	}
	if core, gpu := s.Load(); core != 0 || gpu != 0 || len(s.ledger.tickets) != 0 {
		s.t.Errorf("the ledger is not empty: %v %v", core, gpu)
	}
	for i, w := range s.starter.workers {
		if w.closed == 0 {
			s.t.Errorf("worker %d was not closed", i)
		}
	}
	for _, session := range s.List() {
		if state := session.State(); state != StateEnded {
			s.t.Errorf("a session is %s", state)
		}
	}
}

func request() Request {
	return Request{
		Owner: "me", Source: "film", Audio: -1, Text: -1,
		Settings: Settings{Model: "a-x2", Strength: 1, Filters: filters.Neutral(), Quality: -1, Burn: -1},
	}
}

// play begins a session.
func (s *stage) play(change ...func(*Request)) *Session {
	s.t.Helper()
	r := request()
	for _, c := range change {
		c(&r)
	}
	session, err := s.Create(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return session
}

// segment gets a segment of the picture and checks what it holds.
func (s *stage) segment(session *Session, generation, k int, look wire.Upscale) []byte {
	s.t.Helper()
	media, err := session.Segment(s.t.Context(), videoStream, generation, k)
	if err != nil {
		s.t.Fatalf("segment %d: %v", k, err)
	}
	data := bytes.Join(media, nil)
	holds(s.t, data, k, look)
	return data
}

// holds checks that a segment of the picture holds its pictures, all and in order.
func holds(t *testing.T, data []byte, k int, look wire.Upscale) {
	t.Helper()
	var want []byte
	for n := range fakeFrames {
		want = append(want, pictureData(k, n, look)...)
	}
	if !bytes.Contains(data, want) || bytes.Count(data, []byte("<picture")) != fakeFrames {
		at := max(0, bytes.Index(data, []byte("mdat")))
		t.Fatalf("segment %d holds %q, want %q", k, data[at:], want)
	}
}

var plain = wire.Upscale{Model: "a-x2", Strength: 1}

// ended waits until a session has ended and returns how.
func ended(t *testing.T, s *Session) Snapshot {
	t.Helper()
	select {
	case <-s.Ended():
	case <-time.After(10 * time.Second):
		t.Fatalf("session is still %s", s.State())
	}
	return s.Snapshot()
}

// wantEnded checks an error of a session that ended.
func wantEnded(t *testing.T, err error, cause Cause, code string) {
	t.Helper()
	var e *EndedError
	if !errors.As(err, &e) || e.Cause != cause || code != "" && (e.Failure == nil || e.Failure.Code != code) {
		t.Errorf("error %v, want end for %s %s", err, cause, code)
	}
}

func text0(t *testing.T, m Media, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Join(m, nil))
}

func wantPlays(t *testing.T, w *fakeWorker, kind wire.StreamKind, want ...int) {
	t.Helper()
	if got := w.played(kind); !slices.Equal(got, want) {
		t.Errorf("runs of %s began at %v, want %v", kind, got, want)
	}
}

func lines(text, prefix string) int {
	return strings.Count("\n"+text, "\n"+prefix)
}

// pass lets time of synctest's clock pass.
func pass(d time.Duration) { <-time.After(d) }
