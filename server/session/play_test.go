package session

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestSessionPlaysThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		s.starter.film = fakeFilm(40)
		session := s.play()
		if state := session.State(); state != StateStarting {
			t.Errorf("state %s", state)
		}
		master, err := session.Get(t.Context(), hls.Resource{File: hls.FileMaster}, "?cap=x")
		if text := text0(t, master, err); !strings.Contains(text, "avc1.64000a,mp4a.40.2") || !strings.Contains(text, "video/index.m3u8?cap=x") {
			t.Errorf("master playlist:\n%s", text)
		}
		list, err := session.Get(t.Context(), hls.Resource{File: hls.FilePlaylist, Stream: videoStream}, "")
		if text := text0(t, list, err); lines(text, "#EXTINF:1.000000,") != 40 || lines(text, "0/39.m4s") != 1 || lines(text, "#EXT-X-DISC") != 0 {
			t.Errorf("playlist:\n%s", text)
		}
		init, err := session.Get(t.Context(), hls.Resource{File: hls.FileInit, Stream: videoStream}, "")
		if text := text0(t, init, err); !strings.Contains(text, "avcC") {
			t.Error("init segment has no avcC")
		}
		for k := range 40 {
			if data := s.segment(session, 0, k, plain); bytes.Contains(data, []byte("moov")) {
				t.Fatalf("segment %d has an init segment in front", k)
			}
			if state := session.State(); state != StatePlaying {
				t.Fatalf("state %s", state)
			}
		}
		wantPlays(t, s.starter.last(), wire.StreamVideo, 0)
		wantPlays(t, s.starter.last(), wire.StreamAudio, 0) // the one that plays where nobody chooses
		wantPlays(t, s.starter.last(), wire.StreamText)
		if err := s.Delete(t.Context(), session.ID()); err != nil {
			t.Fatal(err)
		}
		if shot := session.Snapshot(); shot.State != StateEnded || shot.Cause != CauseClient {
			t.Errorf("%+v", shot)
		}
		if err := s.Delete(t.Context(), session.ID()); err != nil {
			t.Errorf("deleted again: %v", err)
		}
		_, err = session.Segment(t.Context(), videoStream, 0, 3)
		wantEnded(t, err, CauseClient, "")
	})
}

func TestSoundAndTextAreMadeOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play(func(r *Request) { r.Audio = 1 })
		second := wire.Stream{Kind: wire.StreamAudio, Index: 1}
		frame := int64(0)
		for k := range 30 {
			media, err := session.Segment(t.Context(), second, 0, k)
			data := []byte(text0(t, media, err))
			var want []byte
			for ; frame*1024 < int64(k+1)*48000; frame++ {
				want = append(want, soundData(frame, 1)...)
			}
			if !bytes.Contains(data, want) || bytes.Count(data, []byte("<sound")) != bytes.Count(want, []byte("<sound")) {
				t.Fatalf("segment %d: %q", k, data)
			}
		}
		for k := range 3 {
			media, err := session.Segment(t.Context(), textStream, 0, k)
			text := text0(t, media, err)
			if !strings.HasPrefix(text, "WEBVTT") || strings.Count(text, "cue ") != min(k+1, 2) {
				t.Errorf("text segment %d: %q", k, text)
			}
		}
		w := s.starter.last()
		wantPlays(t, w, wire.StreamAudio, 0)
		wantPlays(t, w, wire.StreamText, 0)
		for _, play := range w.commands() {
			if play.Stream.Kind == wire.StreamAudio && play.Stream.Index != 1 {
				t.Errorf("track %d was begun", play.Stream.Index)
			}
		}
		// Nobody hears it any more.
		for range 70 {
			pass(time.Second)
			if err := session.Ping(-1); err != nil {
				t.Fatal(err)
			}
		}
		if at := w.limit(second); at != -1 {
			t.Error("a track that nobody asks for still has a run")
		}
		if w.limit(videoStream) == -1 {
			t.Error("the picture has no run")
		}
		must(t, session.Seek(50*time.Second)) // of it, the player has not said that it wants any again
		synctest.Wait()
		if at := w.limit(second); at == -1 {
			t.Error("a seek did not begin the track that is likely to be asked for")
		}
		if _, err := session.Segment(t.Context(), second, 0, 200); err != nil {
			t.Error(err)
		}
		wantPlays(t, w, wire.StreamAudio, 0, 54, 200) // 50 to 53 were there
	})
}

func TestReadAheadIsBoundAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		s.segment(session, 0, 0, plain)
		pass(30 * time.Second)
		w := s.starter.last()
		if w.limit(videoStream) != 25 || w.progress() != 25 {
			t.Errorf("limit %d, made %v", w.limit(videoStream), w.progress())
		}
		if shot := session.Snapshot(); shot.Buffered != 25*time.Second {
			t.Errorf("buffered %s", shot.Buffered)
		}
		if err := session.Pause(); err != nil {
			t.Fatal(err)
		}
		for k := 1; k < 25; k++ {
			s.segment(session, 0, k, plain)
		}
		pass(10 * time.Second)
		if w.progress() != 25 || session.State() != StatePaused {
			t.Errorf("made %v while %s", w.progress(), session.State())
		}
		s.segment(session, 0, 25, plain) // is asked for, so it is made, but no more
		pass(10 * time.Second)
		if w.progress() != 26 {
			t.Errorf("made %v", w.progress())
		}
		if err := session.Resume(); err != nil {
			t.Fatal(err)
		}
		pass(40 * time.Second)
		if w.progress() != 50 || session.State() != StatePlaying {
			t.Errorf("made %v while %s", w.progress(), session.State())
		}
		wantPlays(t, w, wire.StreamVideo, 0)
	})
}

func TestSeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seeks []time.Duration
		s := setUp(t, func(o *Options) { o.Hooks.Seek = func(d time.Duration) { seeks = append(seeks, d) } })
		session := s.play()
		took := func(k int) time.Duration {
			began := time.Now()
			s.segment(session, 0, k, plain)
			return time.Since(began)
		}
		startup := s.starter.startup + s.starter.pace
		for _, k := range []int{0, 200, 201, 202, 100, 101, 0, 299, 203} {
			if d := took(k); d > startup {
				t.Errorf("segment %d took %s", k, d)
			}
			pass(2 * time.Second)
		}
		w := s.starter.last()
		// 0 and 203 were there; after 0 the run goes on beyond what was made then.
		got := w.played(wire.StreamVideo)
		if len(got) < 4 || got[1] != 200 || got[2] != 100 {
			t.Errorf("runs began at %v", got)
		}
		if len(seeks) < 3 {
			t.Errorf("seeks observed: %v", seeks)
		}
		// An announced seek has begun when the player comes.
		must(t, session.Seek(250*time.Second))
		if !session.Snapshot().Seeking {
			t.Error("not seeking")
		}
		pass(startup)
		if d := took(250); d > 0 {
			t.Errorf("an announced seek took %s", d)
		}
		if session.Snapshot().Seeking {
			t.Error("still seeking")
		}
	})
}

func TestSeekAheadWaitsForARunThatIsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t)
		session := s.play()
		for k := range 10 {
			s.segment(session, 0, k, plain)
		}
		pass(2 * time.Second)
		w := s.starter.last()
		next := int(w.progress())
		s.segment(session, 0, next+1, plain)
		wantPlays(t, w, wire.StreamVideo, 0)
		s.segment(session, 0, next+15, plain)
		wantPlays(t, w, wire.StreamVideo, 0, next+15)
	})
}

func soundData(frame int64, track int) []byte {
	return fmt.Appendf(nil, "<sound %d of %d>", frame, track)
}
