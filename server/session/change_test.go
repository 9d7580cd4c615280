package session

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

func ptr[T any](v T) *T { return &v }

func TestLiveChangeTakesEffectFromWhatIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(30 * time.Second)
		if err := session.Set(t.Context(), Change{Strength: ptr(0.5), Model: ptr("b-x2")}); err != nil {
			t.Fatal(err)
		}
		other := wire.Upscale{Model: "b-x2", Strength: 0.5}
		s.segment(session, 0, 24, plain)
		s.segment(session, 0, 25, other)
		if got := session.Snapshot().Settings; got.Strength != 0.5 || got.Model != "b-x2" {
			t.Errorf("settings %+v", got)
		}
		// A run that begins later has them, too.
		s.segment(session, 0, 200, other)
		w := s.starter.last()
		wantPlays(t, w, wire.StreamVideo, 0, 200)
	})
}

func TestLiveChangeFromATimeRemakesWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(30 * time.Second)
		if err := session.Set(t.Context(), Change{Strength: ptr(0.25), From: ptr(3500 * time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		weak := wire.Upscale{Model: "a-x2", Strength: 0.25}
		for k := range 10 {
			look := plain
			if k >= 3 {
				look = weak
			}
			s.segment(session, 0, k, look)
		}
		wantPlays(t, s.starter.last(), wire.StreamVideo, 0, 3)
		list, err := session.Playlist(videoStream, "")
		if text := text0(t, list, err); strings.Contains(text, "DISCONTINUITY") {
			t.Error("a live change made a discontinuity")
		}
	})
}

// A worker has pictures under way beyond the segment that it hands over. Those of a
// segment that is to be made anew are not waited for.
func TestLiveChangeFromATimeThatTheRunIsComingTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		change := Change{Strength: ptr(0.25), From: ptr(10 * time.Second)}
		if err := session.Set(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		s.segment(session, 0, 10, wire.Upscale{Model: "a-x2", Strength: 0.25})
		wantPlays(t, s.starter.last(), wire.StreamVideo, 0, 1)
		change.From = ptr(200 * time.Second) // which no run is let into yet
		if err := session.Set(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		s.segment(session, 0, 11, wire.Upscale{Model: "a-x2", Strength: 0.25})
		wantPlays(t, s.starter.last(), wire.StreamVideo, 0, 1)
	})
}

func TestModelOfAnotherScaleBeginsAGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(30 * time.Second)
		if err := session.Set(t.Context(), Change{Model: ptr("c-x4"), From: ptr(10 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		large := wire.Upscale{Model: "c-x4", Strength: 1}
		if data := s.segment(session, 0, 9, plain); bytes.Contains(data, []byte("moov")) {
			t.Error("init segment in front of one of the known generation")
		}
		if data := s.segment(session, 0, 10, large); !bytes.Contains(data, []byte("avcC")) {
			t.Error("no init segment in front of one of a later generation")
		}
		if data := s.segment(session, 1, 11, large); bytes.Contains(data, []byte("moov")) {
			t.Error("init segment in front for a player that knows the generation")
		}
		if data := s.segment(session, 1, 9, plain); !bytes.Contains(data, []byte("avcC")) {
			t.Error("no init segment in front of one of an earlier generation")
		}
		inits := map[string]bool{}
		for g := range 2 {
			init, err := session.InitSegment(t.Context(), videoStream, g)
			inits[text0(t, init, err)] = true
		}
		if len(inits) != 2 {
			t.Error("both generations have the same init segment")
		}
		if _, err := session.InitSegment(t.Context(), videoStream, 2); !errors.Is(err, ErrNoSegment) {
			t.Errorf("generation 2: %v", err)
		}
		for _, stream := range []wire.Stream{videoStream, audioStream, textStream} {
			list, err := session.Playlist(stream, "")
			text := text0(t, list, err)
			maps := map[wire.StreamKind]int{wire.StreamVideo: 2, wire.StreamAudio: 1}[stream.Kind]
			if lines(text, "#EXT-X-DISCONTINUITY\n") != 1 || lines(text, "#EXT-X-MAP") != maps {
				t.Errorf("%s:\n%s", stream.Kind, text)
			}
		}
		list, err := session.Playlist(videoStream, "")
		if text := text0(t, list, err); !strings.Contains(text, "0/9.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"1/init.mp4\"\n#EXTINF:1.000000,\n1/10.m4s") {
			t.Error(text)
		}
		master, err := session.Master(t.Context(), "")
		if text := text0(t, master, err); !strings.Contains(text, "RESOLUTION=128x96") {
			t.Error(text)
		}
		w := s.starter.last()
		wantPlays(t, w, wire.StreamVideo, 0, 10)
		if play := w.commands()[len(w.commands())-1]; play.Upscale == nil || play.Upscale.Model != "c-x4" || play.Video == nil || play.Burn == nil {
			t.Errorf("%+v", play)
		}
		// What is not made is of the newest generation wherever it lies: what was
		// evicted or never made before the change has no other settings to be made with.
		s.segment(session, 0, 100, large)
	})
}

func TestSettingsThatAreRefusedAreTakenBack(t *testing.T) {
	for name, change := range map[string]Change{
		"live":             {Model: ptr("b-x2")},
		"of another scale": {Model: ptr("c-x4"), From: ptr(time.Duration(0))},
		"unknown model":    {Model: ptr("d-x9")},
		"bitmap":           {Burn: ptr(0)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setUp(t)
				session := s.play()
				s.segment(session, 0, 0, plain)
				w := s.starter.last()
				w.mu.Lock()
				w.refuse = &wire.Error{Code: "model_failed", Sentence: "No."}
				w.mu.Unlock()
				if err := session.Set(t.Context(), change); err == nil {
					t.Fatal("no error")
				}
				w.mu.Lock()
				w.refuse = nil
				w.mu.Unlock()
				for k := range 30 {
					s.segment(session, 0, k, plain)
				}
				if got := session.Snapshot(); got.Settings.Model != "a-x2" || got.Generation != 0 || got.State != StatePlaying {
					t.Errorf("%+v", got)
				}
				list, err := session.Playlist(videoStream, "")
				if text := text0(t, list, err); strings.Contains(text, "DISCONTINUITY") {
					t.Error(text)
				}
			})
		})
	}
}

// TestLateRefusalTakesBackNothingNewer gives a change up before the worker refuses it,
// and makes another one in between.
func TestLateRefusalTakesBackNothingNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		answer := s.giveUp(session)
		if err := session.Set(t.Context(), Change{Strength: ptr(0.5)}); err != nil {
			t.Fatal(err)
		}
		answer(&wire.Error{Code: "model_failed", Sentence: "No."})
		if got := session.Snapshot(); got.Settings.Model != "a-x2" || got.Settings.Strength != 0.5 || got.State != StatePlaying {
			t.Errorf("%s: %+v", got.State, got.Settings)
		}
		s.segment(session, 0, 200, wire.Upscale{Model: "a-x2", Strength: 0.5})
	})
}

// TestChangeThatIsTakenTooLate gives a change up before the worker takes it, which
// then has settings that nobody wants.
func TestChangeThatIsTakenTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		answer := s.giveUp(session)
		answer(nil)
		s.segment(session, 0, 200, plain)
	})
}

// giveUp begins a change and gives it up while the worker considers it. The worker
// answers when what is returned is called.
func (s *stage) giveUp(session *Session) (answer func(*wire.Error)) {
	s.t.Helper()
	w, held := s.starter.last(), make(chan struct{})
	w.mu.Lock()
	w.hold = held
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(s.t.Context())
	set := make(chan error)
	go func() { set <- session.Set(ctx, Change{Model: ptr("c-x4"), From: ptr(time.Duration(0))}) }()
	synctest.Wait()
	cancel()
	if err := <-set; !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
	return func(err *wire.Error) {
		w.mu.Lock()
		w.hold, w.refuse = nil, err
		w.mu.Unlock()
		close(held)
		synctest.Wait()
	}
}

func TestWorkerThatRefusesARunFailsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		w := s.starter.last()
		w.mu.Lock()
		w.refuse = &wire.Error{Code: "damaged", Sentence: "No."}
		w.mu.Unlock()
		_, err := session.Segment(t.Context(), videoStream, 0, 200)
		wantEnded(t, err, CauseFailed, "damaged")
		ended(t, session)
	})
}

// Changes of another kind come one after the other and all are there in the end.
func TestChangesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		done := make(chan error)
		for _, c := range []Change{{Model: ptr("c-x4")}, {Strength: ptr(0.5)}, {Height: ptr(96)}, {Quality: ptr(30)}} {
			go func() { done <- session.Set(t.Context(), c) }()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		got := session.Snapshot().Settings
		if got.Model != "c-x4" || got.Strength != 0.5 || got.Height != 96 || got.Quality != 30 {
			t.Errorf("%+v", got)
		}
		s.segment(session, 0, 200, wire.Upscale{Model: "c-x4", Strength: 0.5})
	})
}

// A run of settings that are no longer wanted does not go on making what nobody
// gets, also when nothing takes its place.
func TestStaleRunIsHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(5 * time.Second)
		if err := session.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := session.Set(t.Context(), Change{Strength: ptr(0.5), From: ptr(time.Duration(0))}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if at := s.starter.last().limit(videoStream); at != -1 {
			t.Errorf("the run is still there, with limit %d", at)
		}
		s.segment(session, 0, 0, wire.Upscale{Model: "a-x2", Strength: 0.5})
	})
}

// TestPlaylistEvents says what a player has to fetch anew.
func TestPlaylistEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(30 * time.Second)
		events := s.Subscribe(func(e Event) bool { return e.Playlist != nil })
		defer events.Close()
		next := func(want Playlist) {
			t.Helper()
			if e, err := events.Next(t.Context()); err != nil || *e.Playlist != want || e.Seq == 0 {
				t.Errorf("%+v %+v %v, want %+v", e, e.Playlist, err, want)
			}
		}
		set := func(c Change, refused bool) {
			t.Helper()
			if err := session.Set(t.Context(), c); (err != nil) != refused {
				t.Fatal(err)
			}
		}
		set(Change{Strength: ptr(0.5)}, false) // tells nothing: what is there stays
		set(Change{Strength: ptr(0.25), From: ptr(3500 * time.Millisecond)}, false)
		next(Playlist{Generation: 0, From: 3 * time.Second})
		pass(20 * time.Second)
		set(Change{Model: ptr("c-x4"), From: ptr(10 * time.Second)}, false)
		next(Playlist{Generation: 1, From: 10 * time.Second, Changed: true})
		pass(time.Minute)
		w := s.starter.last()
		w.mu.Lock()
		w.refuse = &wire.Error{Code: "model_failed", Sentence: "No."}
		w.mu.Unlock()
		set(Change{Height: ptr(48), From: ptr(20 * time.Second)}, true)
		next(Playlist{Generation: 2, From: 20 * time.Second, Changed: true})
		next(Playlist{Generation: 1, From: 20 * time.Second, Changed: true})
		if shot := session.Snapshot(); shot.Seq < 4 {
			t.Errorf("number %d of the last event", shot.Seq)
		}
	})
}
