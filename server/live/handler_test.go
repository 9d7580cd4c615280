package live

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// noFilms is a session.Starter where no film is played.
type noFilms struct{}

func (noFilms) Start(context.Context, string, session.Job, session.Handler) (session.Worker, wire.Opened, error) {
	return nil, wire.Opened{}, errors.New("no films")
}

// still is a worker that takes everything and does nothing.
type still struct{}

func (still) Set(context.Context, wire.Set) error    { return nil }
func (still) KeyFrame(context.Context, uint32) error { return nil }
func (still) Close(context.Context) error            { return nil }

// studio returns a Studio, which does not run, whose workers find a stream.
func studio(t *testing.T, found wire.Opened) *Studio {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: filepath.Join(t.TempDir(), "cache"), Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // nothing is in it
	scale := func(string) (int, error) { return 2, nil }
	sessions, err := session.New(session.Options{
		Starter: noFilms{}, Cache: store, Scale: scale, Capacity: session.Capacity{Sessions: 10, CoreMS: 1000},
		Segment: time.Second, ReadAhead: time.Second, Idle: time.Minute, Wait: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	relay := func(context.Context, string, session.Settings, wire.Relay, *os.File, session.Handler) (Worker, wire.Opened, error) {
		return still{}, found, nil
	}
	s, err := New(Options{Sessions: sessions, Relay: relay, Scale: scale, Window: time.Minute, Part: 200 * ms, Idle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listening returns a session that has begun and of which nothing runs, to be told what a worker says.
func listening(t *testing.T) handler {
	t.Helper()
	s, err := studio(t, wire.Opened{}).begin(session.About{Kind: session.KindLive, Owner: "me", Source: "camera"}, Stream{})
	if err != nil {
		t.Fatal(err)
	}
	s.Describe(wire.Opened{})
	return handler{s}
}

// TestProgressOfDays tells of a stream that has gone on for more than 28 h, where nanoseconds times 90 kHz are more than
// 63 bits hold.
func TestProgressOfDays(t *testing.T) {
	t.Parallel()
	h := listening(t)
	h.Packet(wire.Packet{Run: wire.RelayVideo, Key: true, PTS: 90000 * 110_000})
	h.Stats(wire.Stats{})
	if p := h.Snapshot().Progress; p == nil || p.Position != 110_000*time.Second {
		t.Errorf("the progress is %+v", p)
	}
}
