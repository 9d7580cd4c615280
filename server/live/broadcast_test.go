package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// picture returns a picture at a time; every 25th is a key picture.
func picture(n int) wire.Packet {
	return wire.Packet{Run: wire.RelayVideo, Key: n%25 == 0, PTS: int64(n) * 3600, Data: []byte{byte(n)}}
}

// opened returns a broadcast of picture and sound whose Inits are there, and how often a key picture was asked for.
func opened() (*broadcast, *int) {
	asked := 0
	b := newBroadcast(func() { asked++ })
	b.expect(wire.RelayVideo, wire.RelayAudio)
	b.init(wire.Init{Run: wire.RelayAudio, Codec: "mp4a.40.2"})
	b.init(wire.Init{Run: wire.RelayVideo, Codec: "avc1.640028"})
	return b, &asked
}

// next returns the next message.
func next[T wire.Message](t *testing.T, s *Subscription) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := m.(T)
	if !ok {
		t.Fatalf("got %+v", m)
	}
	return got
}

// TestSubscribe begins in the middle of a group of pictures.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, asked := opened()
		b.packet(picture(0))
		s := b.subscribe()
		if *asked != 1 {
			t.Errorf("key pictures asked for: %d", *asked)
		}
		for n := 1; n < 27; n++ {
			b.packet(wire.Packet{Run: wire.RelayAudio, Key: true, PTS: int64(n)})
			b.packet(picture(n))
		}
		if m := next[wire.Init](t, s); m.Run != wire.RelayVideo {
			t.Errorf("%+v", m)
		}
		if m := next[wire.Init](t, s); m.Run != wire.RelayAudio {
			t.Errorf("%+v", m)
		}
		if m := next[wire.Packet](t, s); m.PTS != 25*3600 || !m.Key {
			t.Errorf("it begins with %+v", m)
		}
		if m := next[wire.Packet](t, s); m.Run != wire.RelayAudio || m.PTS != 26 {
			t.Errorf("%+v", m)
		}
		b.init(wire.Init{Run: wire.RelayVideo, Codec: "avc1.42c028"})
		b.packet(picture(50))
		if m := next[wire.Packet](t, s); m.PTS != 26*3600 {
			t.Errorf("%+v", m)
		}
		if m := next[wire.Init](t, s); m.Codec != "avc1.42c028" {
			t.Errorf("%+v", m)
		}
		if m := next[wire.Packet](t, s); m.PTS != 50*3600 {
			t.Errorf("%+v", m)
		}
		waited := make(chan error)
		go func() {
			_, err := s.Next(t.Context())
			waited <- err
		}()
		synctest.Wait()
		lost := errors.New("lost")
		b.end(lost)
		if err := <-waited; !errors.Is(err, lost) {
			t.Error(err)
		}
		s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

// TestLaggingSubscriber is cut to the newest key picture, and holds up nobody.
func TestLaggingSubscriber(t *testing.T) {
	t.Parallel()
	b, asked := opened()
	lags, follows := b.subscribe(), b.subscribe()
	next := func(s *Subscription) wire.Packet {
		t.Helper()
		for {
			m, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := m.(wire.Packet); ok {
				return p
			}
		}
	}
	for n := range 160 {
		b.packet(picture(n))
		if p := next(follows); p.PTS != int64(n)*3600 {
			t.Fatalf("picture %d is %+v", n, p)
		}
	}
	if p := next(lags); p.PTS != 100*3600 || lags.Dropped() != 100 {
		t.Errorf("after 6.4 s it is at %d, %d dropped", p.PTS/3600, lags.Dropped())
	}
	before := *asked
	huge := wire.Packet{Run: wire.RelayVideo, PTS: 161 * 3600, Data: make([]byte, backlogBytes)}
	b.packet(huge) // nothing of what waits can be shown without what is dropped
	b.packet(picture(162))
	if *asked != before+2 || follows.Dropped() != 2 { // lags had the key picture of 150, and is cut to it
		t.Errorf("%d asked for, %d dropped of one, %d of the other", *asked-before, follows.Dropped(), lags.Dropped())
	}
	b.packet(picture(175))
	if p := next(follows); p.PTS != 175*3600 || !p.Key {
		t.Errorf("it goes on at %d", p.PTS/3600)
	}
}

// TestNothingBeforeTheInits holds that a subscriber is told of nothing before all that belongs to the stream is known.
func TestNothingBeforeTheInits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBroadcast(func() {})
		s := b.subscribe()
		b.init(wire.Init{Run: wire.RelayVideo})
		b.packet(picture(0))
		got := make(chan wire.Message, 2)
		go func() {
			for range 2 {
				m, _ := s.Next(t.Context())
				got <- m
			}
		}()
		synctest.Wait()
		b.expect(wire.RelayVideo, wire.RelayAudio)
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("told of %+v", <-got)
		}
		b.init(wire.Init{Run: wire.RelayAudio})
		for _, want := range []uint32{wire.RelayVideo, wire.RelayAudio} {
			if m := (<-got).(wire.Init); m.Run != want {
				t.Errorf("%+v", m)
			}
		}
	})
}
