package session

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// deaf is a worker that takes everything and does nothing.
type deaf struct{}

func (deaf) Play(context.Context, wire.Play) error { return nil }
func (deaf) Set(context.Context, wire.Set) error   { return nil }
func (deaf) Limit(uint32, int) error               { return nil }
func (deaf) Halt(uint32) error                     { return nil }
func (deaf) Close(context.Context) error           { return nil }

// heard returns a session whose worker takes everything: runs 1 to 4 are those of the picture, of two tracks of sound and
// of text.
func heard(t testing.TB) *Session {
	t.Helper()
	store, err := cache.New(cache.Options{Folder: t.TempDir(), Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the test is about the session
	m, err := New(Options{
		Starter: &fakeStarter{}, Cache: store, Scale: fakeScales, Capacity: Capacity{Sessions: 1, CoreMS: 1000},
		Segment: time.Second, ReadAhead: time.Second, Idle: time.Second, Wait: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := m.ledger.reserve(time.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	s := m.session(request(), ticket)
	film := fakeFilm(20)
	if err := s.attach(deaf{}, &film, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	must(t, s.Seek(0))
	for _, r := range s.renditions() {
		r.hint(0, time.Now())
		s.step(r)
	}
	return s
}

// FuzzHandler has a worker say anything in any order. Whatever it says, the session
// holds to its film: it goes on, or it fails with a code.
func FuzzHandler(f *testing.F) {
	good := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0}
	for n := range fakeFrames {
		p := binary.BigEndian.AppendUint64([]byte{1}, uint64(n*fakeFrame))
		good = append(good, p...)
	}
	f.Add(good)
	f.Add([]byte{5, 0, 0, 0, 0, 0, 0, 0, 9, 4, 255, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 1, 1})
	f.Add([]byte{1, 127, 255, 255, 255, 255, 255, 255, 255, 3, 127, 255, 255, 255, 255, 255, 255, 255})
	config, err := hex.DecodeString(avcConfigs[1])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		s := heard(t)
		h := handler{s}
		for ; len(said) >= 9; said = said[9:] {
			run, ticks := uint32(said[0]>>4)+1, int64(binary.BigEndian.Uint64(said[1:9]))
			switch said[0] & 15 {
			case 0:
				h.Init(wire.Init{Run: run, Codec: "avc1.64000a", CodecData: config, Width: 64, Height: 48, Aspect: [2]int{1, 1}})
			case 1:
				h.Packet(wire.Packet{Run: run, Key: true, PTS: ticks, DTS: ticks, Duration: fakeFrame, Data: said[:9]})
			case 2:
				h.Packet(wire.Packet{Run: run, PTS: ticks, DTS: ticks >> 1, Duration: ticks >> 3, Data: said[:9]})
			case 3:
				h.Cue(wire.Cue{Run: run, Start: time.Duration(ticks), End: time.Duration(ticks >> 1), Text: string(said[:9])})
			case 4:
				h.Progress(wire.Progress{Run: run, Until: time.Duration(ticks)})
			case 5:
				h.Ended(wire.Ended{Run: run, Halted: ticks&1 == 0})
			case 6:
				h.Stats(wire.Stats{CPU: time.Duration(ticks), Runs: []wire.RunStats{{Run: run, Until: float64(ticks)}}})
			case 7:
				h.Warning(wire.Warning{Code: string(said[:1])})
			}
			for _, r := range s.renditions() {
				s.step(r)
			}
		}
		shot := s.Snapshot()
		if shot.State.over() != (shot.Cause == CauseFailed) || shot.State.over() != (shot.Failure != nil) {
			t.Fatalf("%s, %s, %v", shot.State, shot.Cause, shot.Failure)
		}
	})
}
