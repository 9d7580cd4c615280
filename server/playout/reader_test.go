package playout_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// pass lets time of synctest's clock pass.
func pass(d time.Duration) { <-time.After(d) }

// open returns a Reader of a session.
func open(t *testing.T, s *session.Session, at time.Duration, audio int) *playout.Reader {
	t.Helper()
	r, err := playout.Open(t.Context(), s, at, audio)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rest reads to the end.
func rest(t *testing.T, r *playout.Reader) (all []playout.Sample) {
	t.Helper()
	for {
		s, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

// whole checks that samples are those of the film from a segment on, each once and in the order of decoding, and
// returns how many there are of each kind.
func whole(t *testing.T, all []playout.Sample, from int) (count map[wire.StreamKind]int) {
	t.Helper()
	next, latest := map[wire.StreamKind]int64{wire.StreamVideo: int64(from) * scale}, time.Duration(0)
	next[wire.StreamAudio] = max(silent, (int64(from)*rate+samples-1)/samples) * samples
	count = map[wire.StreamKind]int{}
	for i, s := range all {
		if s.Packet.DTS != next[s.Kind] || s.Decoded() < latest {
			t.Fatalf("sample %d: %s at %s, %d instead of %d, after %s", i, s.Kind, s.Decoded(), s.Packet.DTS, next[s.Kind], latest)
		}
		if (s.Init != nil) != (count[s.Kind] == 0) {
			t.Errorf("sample %d: init %v", i, s.Init)
		}
		next[s.Kind] += s.Packet.Duration
		latest = s.Decoded()
		count[s.Kind]++
	}
	return count
}

func TestReaderReadsTheFilm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 100*time.Millisecond)
		r := open(t, s, 0, playout.StandardAudio)
		if sound, ok := r.Sound(); !ok || sound.Init.Codec != "mp4a.40.2" || sound.Scale != rate || sound.Info.Language != "" {
			t.Errorf("sound %+v", sound)
		}
		if picture := r.Picture(); picture.Init.Width != 64 || picture.Scale != scale {
			t.Errorf("picture %+v", picture)
		}
		all := rest(t, r)
		if n := whole(t, all, 0); n[wire.StreamVideo] != pictures || n[wire.StreamAudio] != sounds {
			t.Errorf("%v", n)
		}
		last := 0
		for _, one := range all {
			if one.Last {
				last++
			}
		}
		if last != seconds || !all[len(all)-1].Last {
			t.Errorf("%d segments end", last)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestReaderBeginsInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 100*time.Millisecond)
		all := rest(t, open(t, s, 7900*time.Millisecond, 0))
		whole(t, all, 7)
		if first := all[0]; first.Decoded() != 7*time.Second || !first.Packet.Key || first.Kind != wire.StreamVideo {
			t.Errorf("it begins with %s at %s", first.Kind, first.Decoded())
		}
		if n := whole(t, rest(t, open(t, s, 11*time.Second, playout.NoAudio)), 11); n[wire.StreamVideo] != pictures-55 || n[wire.StreamAudio] != 0 {
			t.Errorf("%v", n)
		}
		over := open(t, s, 11*time.Second, 0) // where there is no sound any more
		if sound, ok := over.Sound(); !ok || sound.Init.Codec != "mp4a.40.2" {
			t.Errorf("sound %+v", sound)
		}
		if n := whole(t, rest(t, over), 11); n[wire.StreamVideo] != pictures-55 || n[wire.StreamAudio] != 0 {
			t.Errorf("%v", n)
		}
		if _, err := playout.Open(t.Context(), s, 11600*time.Millisecond, 0); !errors.Is(err, playout.ErrPast) {
			t.Errorf("past the end: %v", err)
		}
		if _, err := playout.Open(t.Context(), s, 0, 2); !errors.Is(err, session.ErrNoStream) {
			t.Errorf("no such track: %v", err)
		}
	})
}

// TestReaderFollowsGenerations changes the size in the midst: the samples go on, and the first of the new size
// says so.
func TestReaderFollowsGenerations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 100*time.Millisecond)
		r := open(t, s, 0, playout.StandardAudio)
		var all []playout.Sample
		for len(all) == 0 || !all[len(all)-1].Last {
			one, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		model := "b-x4"
		if err := s.Set(t.Context(), session.Change{Model: &model}); err != nil {
			t.Fatal(err)
		}
		all = append(all, rest(t, r)...)
		n, size, changes := 0, "size 2", 0
		for i, one := range all {
			if one.Kind != wire.StreamVideo {
				continue
			}
			if one.Init != nil && i > 0 {
				if changes++; one.Init.Width != 128 || !one.Packet.Key {
					t.Errorf("init %+v at %s", one.Init, one.Decoded())
				}
				size = "size 4"
			}
			if want := packets(wire.StreamVideo, n/5, int(size[5]-'0'))[n%5]; string(one.Packet.Data) != string(want.Data) {
				t.Fatalf("picture %d: %q, want %q", n, one.Packet.Data, want.Data)
			}
			n++
		}
		if n != pictures || changes != 1 {
			t.Errorf("%d pictures, %d changes", n, changes)
		}
	})
}

// TestASlowReaderHoldsThePipelineBack reads a segment and then nothing: what is read ahead is made and no more.
// The session is kept while samples are taken, however slowly, and ends when none are.
func TestASlowReaderHoldsThePipelineBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, worker := play(t, 100*time.Millisecond)
		r := open(t, s, 0, playout.StandardAudio)
		pass(5 * time.Second)
		if n := worker.begun(wire.StreamVideo); n != 4 {
			t.Errorf("%d segments were begun for a reader of the first", n)
		}
		for range 5 {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(9 * time.Second)
		}
		if n := worker.begun(wire.StreamVideo); n != 4 {
			t.Errorf("%d segments were begun for a reader of the first", n)
		}
		for range 3 {
			if _, err := r.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := worker.begun(wire.StreamVideo); n != 5 {
			t.Errorf("%d segments were begun for a reader of the second", n)
		}
		<-s.Ended()
		ended := (*session.EndedError)(nil)
		for i := 0; ; i++ {
			if _, err := r.Next(t.Context()); err != nil {
				if !errors.As(err, &ended) || ended.Cause != session.CauseIdle {
					t.Error(err)
				}
				return
			}
			if i > 100 {
				t.Fatal("a session that has ended is read")
			}
		}
	})
}

// TestAReaderStopsAtOnce ends its context while it waits for a segment that takes an hour.
func TestAReaderStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 30*time.Second)
		r := open(t, s, 0, playout.StandardAudio)
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(gone) })
		began := time.Now()
		for {
			_, err := r.Next(ctx)
			if err == nil {
				continue
			}
			if !errors.Is(err, gone) || time.Since(began) != 3*time.Second {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			return
		}
	})
}

// TestAReaderThatWaitsKeepsTheSession waits for a segment that takes an hour for longer than a session lives that
// nobody asks for anything, and hangs up: only then it ends.
func TestAReaderThatWaitsKeepsTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, time.Hour)
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(45*time.Second, func() { cancel(gone) })
		if _, err := playout.Open(ctx, s, 0, playout.StandardAudio); !errors.Is(err, gone) {
			t.Errorf("it waits no more, and its client is there: %v", err)
		}
		if err := s.Err(); err != nil {
			t.Errorf("while its client waits: %v", err)
		}
		<-s.Ended()
		if ended := (*session.EndedError)(nil); !errors.As(s.Err(), &ended) || ended.Cause != session.CauseIdle {
			t.Error(s.Err())
		}
	})
}

// slow takes little at a time, and a long time for it.
type slow struct{ most int }

func (s *slow) Write(data []byte) (int, error) {
	s.most = max(s.most, len(data))
	pass(4 * time.Second)
	return len(data), nil
}

// TestAStreamThatIsTakenSlowlyGoesOn takes longer for a segment than the session lives that nobody asks for anything.
func TestAStreamThatIsTakenSlowlyGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 10*time.Millisecond, func(w *fakeWorker) { w.weight = 64 << 10 })
		out, began := &slow{}, time.Now()
		if err := playout.Stream(t.Context(), open(t, s, 9*time.Second, playout.NoAudio), playout.MP4, out, func() error { return nil }); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 50*time.Second || out.most > 64<<10 {
			t.Errorf("it took %s, %d bytes at once", took, out.most)
		}
	})
}

// TestStreamsAreWhole writes each container and looks for every sample in it.
func TestStreamsAreWhole(t *testing.T) {
	t.Parallel()
	for _, c := range playout.Containers() {
		synctest.Test(t, func(t *testing.T) {
			s, _ := play(t, 10*time.Millisecond)
			var out strings.Builder
			flushed := 0
			err := playout.Stream(t.Context(), open(t, s, 0, playout.StandardAudio), c, &out, func() error { flushed++; return nil })
			if err != nil || flushed != seconds {
				t.Errorf("%s: %v, %d segments", c, err, flushed)
			}
			if c == playout.TS { // cuts packets
				return
			}
			if n := strings.Count(out.String(), "picture "); n != pictures {
				t.Errorf("%s: %d pictures", c, n)
			}
			if n := strings.Count(out.String(), "sound "); n != sounds {
				t.Errorf("%s: %d frames of sound", c, n)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 10*time.Millisecond)
		if err := playout.Stream(t.Context(), open(t, s, 0, playout.NoAudio), "ogg", io.Discard, nil); !errors.Is(err, playout.ErrContainer) {
			t.Error(err)
		}
	})
}
