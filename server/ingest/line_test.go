package ingest

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// keyPicture is a key picture of H.264 with its parameter sets.
var keyPicture = [][]byte{
	{0x67, 0x42, 0xc0, 0x28, 0x8d, 0x68, 0x1e, 0x08, 0xfe, 0xf0, 0x16, 0xa0, 0x20, 0x20, 0x20, 0xf0, 0x80, 0x42, 0x16},
	{0x68, 0xce, 0x0b, 0xc8},
	{0x65, 1, 2},
}

// aacStereo describes sound of AAC.
func aacStereo() *matroska.Track {
	return aac(&mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelConfig: 2})
}

// lineTo returns a line without a connection of an intake that hands its warnings on.
func lineTo(warn func(wire.Warning)) *line {
	i := &Intake{name: "test", log: slog.New(slog.DiscardHandler), queue: newQueue(), clock: newClock(), known: make(chan struct{})}
	i.o.Warn = warn
	return newLine(i, func() {})
}

// TestSoundThatDoesNotCome begins without a sound that was announced, but does not come, or not with its pictures: a
// feed that has a track for it would be waited on for ever.
func TestSoundThatDoesNotCome(t *testing.T) {
	t.Parallel()
	const none = -1
	for name, row := range map[string]struct {
		sound  time.Duration // when it begins; none
		before bool          // the pictures
		tracks int
	}{
		"none":                {none, false, 1},
		"before its pictures": {9900 * ms, true, 2},
		"behind its pictures": {10500 * ms, false, 2},
		"seconds before":      {13 * time.Second, false, 1},
		"hours away":          {3 * time.Hour, true, 1},
		"hours behind":        {0, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var warned []wire.Warning
			l := lineTo(func(w wire.Warning) { warned = append(warned, w) })
			l.tracks(sets{codec: matroska.AVC}, aacStereo(), announced)
			sound := func(after time.Duration) {
				if row.sound == none {
					return
				}
				if err := l.frame(row.sound+after, []byte{1}); err != nil {
					t.Fatal(err)
				}
			}
			if row.before {
				sound(0)
			}
			for at := time.Duration(0); at < 4*time.Second; at += 40 * ms {
				if err := l.picture(10*time.Second+at, keyPicture); err != nil {
					t.Fatal(err)
				}
				sound(at + 20*ms)
			}
			var pictures, sounds int
			for _, u := range l.intake.queue.units {
				if u.picture {
					pictures++
				} else {
					sounds++
				}
			}
			if pictures != 100 || len(l.intake.header) != row.tracks || (sounds > 0) != (row.tracks > 1) {
				t.Errorf("%d tracks, %d pictures, %d frames of sound", len(l.intake.header), pictures, sounds)
			}
			if left := len(warned) == 1 && warned[0].Code == CodeMute; left != (row.tracks == 1) {
				t.Errorf("warned of %+v", warned)
			}
		})
	}
}

// TestSoundComesBack keeps the sound of a feed over a line that begins without it, and has none of a feed that began so.
func TestSoundComesBack(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		l := lineTo(func(wire.Warning) {})
		for connection := range 2 {
			sounding := first == (connection == 0)
			l = newLine(l.intake, func() {})
			l.tracks(sets{codec: matroska.AVC}, aacStereo(), announced)
			for at := time.Duration(0); at < 4*time.Second; at += 40 * ms {
				if err := l.picture(at, keyPicture); err != nil {
					t.Fatal(err)
				}
				if sounding || at > 3*time.Second {
					if err := l.frame(at, []byte{1}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		late := false // sound of the second line
		for _, u := range l.intake.queue.units {
			late = late || !u.picture && u.at > 6*time.Second
		}
		if late != first {
			t.Errorf("the feed began with sound: %v; there is sound at its end: %v", first, late)
		}
	}
}

// TestSoundOfOneTrack takes sound of the track whose frames came first, where several may be sound.
func TestSoundOfOneTrack(t *testing.T) {
	t.Parallel()
	frames := (&framer{family: dolby}).cut(0, sounding(t, "ac3", "ac3", "2"))
	l := lineTo(func(wire.Warning) {})
	l.tracks(sets{codec: matroska.AVC}, nil, possible)
	if err := l.picture(0, keyPicture); err != nil {
		t.Fatal(err)
	}
	first, second := &framer{family: dolby}, &framer{family: dolby}
	for n := 0; n+1 < 40; n += 2 {
		at := frames[n].at
		if err := l.told(first, at, frames[n].data); err != nil {
			t.Fatal(err)
		}
		if err := l.told(second, at+frames[n].lasts, frames[n+1].data); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, u := range l.intake.queue.units {
		if u.picture {
			continue
		}
		if !bytes.Equal(u.data, frames[n].data) {
			t.Errorf("at %s there is a frame of the other track", u.at)
		}
		n += 2
	}
	if n != 40 {
		t.Errorf("%d frames", n/2)
	}
}
