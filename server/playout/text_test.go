package playout_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// shown is a cue of a stream.
type shown struct {
	from, to time.Duration
	text     string
}

// captioned plays the fake film with subtitles, and returns the cues.
func captioned(t *testing.T, s *session.Session, start time.Duration) (all []shown) {
	t.Helper()
	r, err := playout.Play(t.Context(), s, playout.Selection{Start: start, Audio: playout.NoAudio, Text: playout.StandardText})
	if err != nil {
		t.Fatal(err)
	}
	latest := time.Duration(0)
	for {
		one, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if one.Decoded() < latest {
			t.Errorf("%s at %s after %s", one.Kind, one.Decoded(), latest)
		}
		if latest = one.Decoded(); one.Kind == wire.StreamText {
			all = append(all, shown{one.Shown(), one.Shown() + time.Duration(one.Packet.Duration)*time.Millisecond, string(one.Packet.Data)})
		}
	}
}

// last is the last cue of the fake film.
var last = shown{10900 * time.Millisecond, 11200 * time.Millisecond, "the last"}

// TestSubtitlesAreReadOnce reads each cue once, in its place, one that has begun already from the stream's begin on.
func TestSubtitlesAreReadOnce(t *testing.T) {
	t.Parallel()
	long := shown{500 * time.Millisecond, 8500 * time.Millisecond, "a < <i>b</i>"}
	cut := shown{3 * time.Second, long.to, long.text}
	two := shown{2 * time.Second, 2500 * time.Millisecond, "two"}
	for start, want := range map[time.Duration][]shown{0: {long, two, last}, 3 * time.Second: {cut, last}, 9 * time.Second: {last}} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := play(t, 100*time.Millisecond)
			if got := captioned(t, s, start); !slices.Equal(got, want) {
				t.Errorf("from %s on: %+v", start, got)
			}
		})
	}
}

// TestLateSubtitlesHoldNothingUp has subtitles come late, and never: the stream waits for them once, for a second, and
// those that are shown still when they come are shown from then on.
func TestLateSubtitlesHoldNothingUp(t *testing.T) {
	t.Parallel()
	for _, mute := range []time.Duration{1500 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := play(t, 100*time.Millisecond, func(w *fakeWorker) { w.mute = mute })
			began := time.Now()
			got := captioned(t, s, 0)
			whole := len(got) == 2 && got[0].from > 2*time.Second && got[0].to == 8500*time.Millisecond && got[1] == last
			if mute < time.Hour && !whole || mute == time.Hour && len(got) > 0 {
				t.Errorf("with subtitles after %s: %+v", mute, got)
			}
			if took := time.Since(began); took > 2500*time.Millisecond {
				t.Errorf("with subtitles after %s it took %s", mute, took)
			}
		})
	}
}

// TestSubtitlesAreChosen holds that there are none where nobody wants them, or the container has no place for them.
func TestSubtitlesAreChosen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := play(t, 10*time.Millisecond)
		for number, want := range map[int]error{playout.NoText: nil, 1: nil, 0: session.ErrNoStream, 2: session.ErrNoStream} {
			r, err := playout.Play(t.Context(), s, playout.Selection{Audio: playout.NoAudio, Text: number})
			if !errors.Is(err, want) || err == nil && want != nil {
				t.Errorf("subtitles %d: %v", number, err)
				continue
			}
			if err != nil {
				continue
			}
			if info, is := r.Text(); is != (number == 1) || is && info.Language != "ger" {
				t.Errorf("subtitles %d: %v %+v", number, is, info)
			}
			for _, c := range playout.Containers() {
				var out strings.Builder
				err := playout.Stream(t.Context(), r, c, &out, func() error { return nil })
				if refused := number == 1 && c != playout.Matroska; errors.Is(err, playout.ErrContainer) != refused {
					t.Errorf("subtitles %d in %s: %v", number, c, err)
				}
				if c == playout.Matroska && number == 1 && (strings.Count(out.String(), "the last") != 1 || !strings.Contains(out.String(), "S_TEXT/UTF8")) {
					t.Error("the subtitles are not in it")
				}
			}
		}
	})
}
