package hls

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/worker/wire"
)

func TestPlaylistOfGenerations(t *testing.T) {
	timeline := newTimeline(t, film(rates[0], pictures(rates[0], 24*3+6)))
	got, err := timeline.Playlist([]Change{{}, {Segment: 2, Generation: 1}, {Segment: 3, Generation: 1}}, "?cap=abc")
	if err != nil {
		t.Fatal(err)
	}
	// 1001/1000 s are whole microseconds; the last of the film's 78 pictures ends at 3.25325 s.
	want := `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="0/init.mp4?cap=abc"
#EXTINF:1.001000,
0/0.m4s?cap=abc
#EXTINF:1.001000,
0/1.m4s?cap=abc
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="1/init.mp4?cap=abc"
#EXTINF:1.001000,
1/2.m4s?cap=abc
#EXT-X-DISCONTINUITY
#EXTINF:0.250250,
1/3.m4s?cap=abc
#EXT-X-ENDLIST
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}

// TestStreamsAreAligned gives the picture's changes to every stream of a film.
func TestStreamsAreAligned(t *testing.T) {
	for _, rate := range rates {
		timeline := newTimeline(t, film(rate, 95*time.Minute+1234567*time.Microsecond))
		sound, err := NewSound(timeline, wire.AudioInfo{Rate: 44100, FrameSamples: 1024, Frames: 245_531})
		if err != nil {
			t.Fatal(err)
		}
		parse := func(playlist []byte, err error) *hlstest.Media {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			media, err := hlstest.ParseMedia(playlist)
			if err != nil {
				t.Fatal(err)
			}
			return media
		}
		picture := parse(timeline.Playlist([]Change{{}, {100, 1}, {5000, 2}}, "?cap=x"))
		still := []Change{{}, {100, 0}, {5000, 0}}
		heard, read := parse(sound.Playlist(still, "?cap=x")), parse(timeline.TextPlaylist(still, "?cap=x"))
		if err := picture.Align(heard, 1024*time.Second/44100); err != nil {
			t.Errorf("%v: sound: %v", rate, err)
		}
		if err := picture.Align(read, 0); err != nil {
			t.Errorf("%v: text: %v", rate, err)
		}
		if read.Segments[7].URI != "7.vtt?cap=x" || read.Segments[7].Init != "" || !picture.Independent || read.Independent {
			t.Errorf("text: %+v", read.Segments[7])
		}
		if off := heard.Duration() - picture.Duration(); off > 50*time.Millisecond || off < -50*time.Millisecond {
			t.Errorf("%v: sound lasts %s, the picture %s", rate, heard.Duration(), picture.Duration())
		}
	}
}

func TestPlaylistRefuses(t *testing.T) {
	timeline := newTimeline(t, film(rates[2], 10*time.Second))
	for name, changes := range map[string][]Change{
		"none": nil, "not from the begin": {{Segment: 1}}, "twice": {{}, {3, 1}, {3, 2}},
		"behind the end": {{}, {10, 1}}, "backwards": {{}, {5, 1}, {4, 2}}, "negative": {{0, -1}},
	} {
		if _, err := timeline.Playlist(changes, ""); !errors.Is(err, ErrCaller) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, query := range []string{"cap=1", "?cap=\"", "?a b", "?a\nb", "?a#b", "?ä"} {
		_, err := timeline.Playlist([]Change{{}}, query)
		if !errors.Is(err, ErrCaller) || strings.Contains(err.Error(), query) {
			t.Errorf("%q: %v", query, err)
		}
		if _, err := (Master{}).Playlist(query); !errors.Is(err, ErrCaller) {
			t.Errorf("%q: %v", query, err)
		}
	}
}

// BenchmarkPlaylist writes the playlist of three hours.
func BenchmarkPlaylist(b *testing.B) {
	timeline := newTimeline(b, film(rates[0], 3*time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := timeline.Playlist([]Change{{}, {5000, 1}}, "?cap="+"0123456789abcdef"); err != nil {
			b.Fatal(err)
		}
	}
}
