package hls

import (
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// rates are the picture rates of the films that people have; 0/1 is a varying one.
var rates = [][2]int{{24000, 1001}, {24, 1}, {25, 1}, {30000, 1001}, {50, 1}, {60000, 1001}, {0, 1}}

// film returns what a worker says of a film at a rate: segments of whole pictures near a second.
func film(rate [2]int, lasts time.Duration) *wire.Opened {
	if rate[0] == 0 {
		return &wire.Opened{
			Duration: lasts, Segment: wire.Segment{Ticks: 90000},
			Video: wire.VideoInfo{TimeScale: 90000, Rate: rate},
		}
	}
	frames := (rate[0] + rate[1]/2) / rate[1]
	return &wire.Opened{
		Duration: lasts, Segment: wire.Segment{Ticks: int64(frames * rate[1]), Frames: frames},
		Video: wire.VideoInfo{TimeScale: int64(rate[0]), Rate: rate},
	}
}

// pictures returns how long n pictures last, as a worker's nanoseconds tell.
func pictures(rate [2]int, n int64) time.Duration {
	return time.Duration(mulDivNear(n*int64(rate[1]), int64(time.Second), int64(rate[0])))
}

func newTimeline(t testing.TB, opened *wire.Opened) Timeline {
	t.Helper()
	timeline, err := NewTimeline(opened)
	if err != nil {
		t.Fatal(err)
	}
	return timeline
}

// TestFilmsEndWithTheirLastPicture takes films of whole pictures at every rate, short and of a day.
func TestFilmsEndWithTheirLastPicture(t *testing.T) {
	for _, rate := range rates[:6] {
		a := int64(film(rate, 1).Segment.Frames)
		for _, n := range []int64{1, 2, a - 1, a, a + 1, 100*a - 1, 100 * a, 100*a + 1, 86000 * a} {
			timeline := newTimeline(t, film(rate, pictures(rate, n)))
			if want := n * int64(rate[1]); timeline.End() != want {
				t.Errorf("%v, %d pictures: the end is %d, want %d", rate, n, timeline.End(), want)
			}
			if want := (n + a - 1) / a; int64(timeline.Count()) != want {
				t.Errorf("%v, %d pictures: %d segments, want %d", rate, n, timeline.Count(), want)
			}
			if last := timeline.Ticks(timeline.Count() - 1); last < int64(rate[1]) {
				t.Errorf("%v, %d pictures: the last segment has %d ticks", rate, n, last)
			}
		}
	}
}

func TestRestsOfAFilm(t *testing.T) {
	for _, test := range []struct {
		rate  [2]int
		lasts time.Duration
		count int
		end   int64
	}{
		{rates[2], 4*time.Second + 19*time.Millisecond, 4, 100}, // not half a picture of 40 ms
		{rates[2], 4*time.Second + 21*time.Millisecond, 5, 101},
		{rates[2], time.Millisecond, 1, 1}, // a picture is the least
		{rates[6], 4*time.Second + 19*time.Millisecond, 4, 361710},
		{rates[6], 4*time.Second + 20*time.Millisecond, 5, 361800},
		{rates[6], 4 * time.Second, 4, 360000},
		{rates[6], time.Nanosecond, 1, 1},
		{rates[6], 10 * time.Millisecond, 1, 900},
	} {
		timeline := newTimeline(t, film(test.rate, test.lasts))
		if timeline.Count() != test.count || timeline.End() != test.end {
			t.Errorf("%v, %s: %d segments to %d, want %d to %d",
				test.rate, test.lasts, timeline.Count(), timeline.End(), test.count, test.end)
		}
	}
}

func TestIndexAndSpans(t *testing.T) {
	timeline := newTimeline(t, film(rates[0], pictures(rates[0], 24*100+5)))
	for k := range timeline.Count() {
		begin, end := timeline.Begin(k), timeline.Begin(k+1)
		if timeline.Index(begin) != k || timeline.Index(end-1) != k {
			t.Fatalf("segment %d: ticks %d to %d lie in %d and %d", k, begin, end, timeline.Index(begin), timeline.Index(end-1))
		}
		from, to := timeline.Span(k)
		if timeline.At(from+1) != k || timeline.At(to-1) != k {
			t.Fatalf("segment %d: %s to %s lie in %d and %d", k, from, to, timeline.At(from+1), timeline.At(to-1))
		}
	}
	for film, want := range map[time.Duration]int{-time.Hour: 0, 1000 * time.Hour: 100} {
		if got := timeline.At(film); got != want {
			t.Errorf("At(%s) = %d, want %d", film, got, want)
		}
	}
	if timeline.Index(-5) != 0 || timeline.Index(1<<62) != 100 {
		t.Error("times outside of the film lie in no segment")
	}
}

// TestDurationsNeverDrift adds what the playlist prints: every begin is within a microsecond.
func TestDurationsNeverDrift(t *testing.T) {
	for _, rate := range rates {
		for _, lasts := range []time.Duration{1500 * time.Millisecond, 95*time.Minute + 123456789, 24*time.Hour - time.Second} {
			opened := film(rate, lasts)
			timeline := newTimeline(t, opened)
			playlist, err := timeline.Playlist([]Change{{}}, "")
			if err != nil {
				t.Fatal(err)
			}
			media, err := hlstest.ParseMedia(playlist)
			if err != nil {
				t.Fatalf("%v: %v", rate, err)
			}
			scale := opened.Video.TimeScale
			if err := media.Check(timeline.Count(), [2]int64{opened.Segment.Ticks, scale}, [2]int64{timeline.End(), scale}); err != nil {
				t.Errorf("%v, %s: %v", rate, lasts, err)
			}
			picture := time.Second / 24 * 2
			if off := media.Duration() - lasts; off > picture/2 || off < -picture/2 {
				t.Errorf("%v: the playlist lasts %s, the film %s", rate, media.Duration(), lasts)
			}
		}
	}
}

func TestTimelineRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*wire.Opened){
		"no length":           func(o *wire.Opened) { o.Duration = 0 },
		"a negative length":   func(o *wire.Opened) { o.Duration = -time.Second },
		"more than a day":     func(o *wire.Opened) { o.Duration = 24*time.Hour + 1 },
		"no time scale":       func(o *wire.Opened) { o.Video.TimeScale = 0 },
		"a huge time scale":   func(o *wire.Opened) { o.Video.TimeScale = 1 << 62 },
		"no segments":         func(o *wire.Opened) { o.Segment.Ticks = 0 },
		"broken pictures":     func(o *wire.Opened) { o.Segment.Frames = 23 },
		"negative pictures":   func(o *wire.Opened) { o.Segment.Frames = -24 },
		"segments of minutes": func(o *wire.Opened) { o.Segment.Ticks = 24 * 61 },
		"too many segments": func(o *wire.Opened) {
			o.Segment = wire.Segment{Ticks: 6, Frames: 6}
			o.Duration = 12*time.Hour + time.Second
		},
	} {
		opened := film([2]int{24, 1}, time.Hour)
		spoil(opened)
		if _, err := NewTimeline(opened); !errors.Is(err, ErrFilm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTimeline holds whatever a worker may say to: an error, or segments without gaps.
func FuzzTimeline(f *testing.F) {
	f.Add(int64(time.Hour), int64(24024), int64(24000), 24, 48000, 1024, int64(0), int64(168750))
	f.Add(int64(24*time.Hour), int64(500_000_000), int64(1_000_000_000), 0, 192000, 1, int64(7), int64(1)<<40)
	f.Fuzz(func(t *testing.T, lasts, ticks, scale int64, frames, rate, samples int, first, count int64) {
		timeline, err := NewTimeline(&wire.Opened{
			Duration: time.Duration(lasts), Segment: wire.Segment{Ticks: ticks, Frames: frames}, Video: wire.VideoInfo{TimeScale: scale},
		})
		if err != nil {
			if !errors.Is(err, ErrFilm) {
				t.Fatal(err)
			}
			return
		}
		if timeline.Begin(0) != 0 || timeline.Begin(timeline.Count()) != timeline.End() {
			t.Fatalf("%+v does not cover the film", timeline)
		}
		last := timeline.Count() - 1
		for _, k := range []int{0, last / 2, last} {
			if timeline.Ticks(k) < 1 || timeline.Index(timeline.Begin(k)) != k {
				t.Fatalf("%+v: segment %d from %d to %d", timeline, k, timeline.Begin(k), timeline.Begin(k+1))
			}
		}
		sound, err := NewSound(timeline, wire.AudioInfo{Rate: rate, FrameSamples: samples, First: first, Frames: count})
		if err != nil {
			if !errors.Is(err, ErrFilm) {
				t.Fatal(err)
			}
			return
		}
		for _, k := range []int{0, last / 2, last} {
			requireFrames(t, timeline, sound, k)
		}
	})
}

// requireFrames holds a segment of sound to its definition, in numbers without bounds.
func requireFrames(t *testing.T, timeline Timeline, s Sound, k int) {
	t.Helper()
	begins := func(n int64) *big.Rat { return big.NewRat(s.first+n*s.samples, s.rate) }
	from, to := s.Frames(k)
	if from < 0 || from > to || to > s.count {
		t.Fatalf("segment %d has frames %d to %d of %d", k, from, to, s.count)
	}
	begin, end := big.NewRat(timeline.Begin(k), timeline.scale), big.NewRat(timeline.Begin(k+1), timeline.scale)
	last := k == timeline.Count()-1
	if from > 0 && begins(from-1).Cmp(begin) >= 0 || from < s.count && begins(from).Cmp(begin) < 0 {
		t.Fatalf("%+v: segment %d begins with frame %d", s, k, from)
	}
	if last && to != s.count || !last && (to > 0 && begins(to-1).Cmp(end) >= 0 || to < s.count && begins(to).Cmp(end) < 0) {
		t.Fatalf("%+v: segment %d ends before frame %d", s, k, to)
	}
	if from < to && (s.Index(s.Begin(k)) != k || s.Index(s.Begin(k+1)-s.samples) != k) {
		t.Fatalf("%+v: frames %d to %d lie in segments %d and %d, not %d", s, from, to, s.Index(s.Begin(k)), s.Index(s.Begin(k+1)-s.samples), k)
	}
}

func TestSoundFollowsThePicture(t *testing.T) {
	for _, rate := range rates {
		timeline := newTimeline(t, film(rate, 3*time.Hour+7*time.Millisecond))
		for _, track := range []wire.AudioInfo{
			{Rate: 48000, FrameSamples: 1024, Frames: 506250},
			{Rate: 44100, FrameSamples: 1024, First: 313, Frames: 465117},
			{Rate: 8000, FrameSamples: 2048, Frames: 42188},
			{Rate: 48000, FrameSamples: 1024, First: 3 * 48000, Frames: 100_000},
		} {
			name := fmt.Sprintf("%v with %d Hz from %d", rate, track.Rate, track.First)
			sound, err := NewSound(timeline, track)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			frames := int64(0)
			for k := range timeline.Count() {
				requireFrames(t, timeline, sound, k)
				from, to := sound.Frames(k)
				if from != frames {
					t.Fatalf("%s: segment %d begins with frame %d, want %d", name, k, from, frames)
				}
				frames = to
			}
			if frames != track.Frames {
				t.Errorf("%s: segments have %d frames of %d", name, frames, track.Frames)
			}
			playlist, err := sound.Playlist([]Change{{}}, "")
			if err != nil {
				t.Fatal(err)
			}
			media, err := hlstest.ParseMedia(playlist)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want := float64(sound.End()) / float64(sound.Rate())
			if off := media.Duration().Seconds() - want; off > 1e-6 || off < -1e-6 {
				t.Errorf("%s: the playlist lasts %s, the track %.9f s", name, media.Duration(), want)
			}
		}
	}
}

// TestEmptySegmentsOfSound takes a track that begins late and ends early.
func TestEmptySegmentsOfSound(t *testing.T) {
	timeline := newTimeline(t, film(rates[2], 10*time.Second))
	sound, err := NewSound(timeline, wire.AudioInfo{Rate: 48000, FrameSamples: 1024, First: 2*48000 + 1, Frames: 100})
	if err != nil {
		t.Fatal(err)
	}
	for k := range timeline.Count() {
		if want := k < 2 || k > 4; sound.Empty(k) != want {
			t.Errorf("segment %d: empty %t", k, !want)
		}
	}
	playlist, err := sound.Playlist([]Change{{}, {Segment: 1}, {Segment: 3}, {Segment: 7}}, "")
	if err != nil {
		t.Fatal(err)
	}
	media, err := hlstest.ParseMedia(playlist)
	if err != nil {
		t.Fatal(err)
	}
	if len(media.Segments) != 3 || media.Segments[0].URI != "0/2.m4s" {
		t.Fatalf("segments %+v", media.Segments)
	}
	// The next segment must stand where its first frame begins, not where the silence is cut out.
	if want := sound.Begin(3); media.Segments[1].Begin.Round(time.Millisecond) != time.Duration(mulDivNear(want, 1000, 48000))*time.Millisecond {
		t.Errorf("segment 3 begins at %s, its frames at %d/48000 s", media.Segments[1].Begin, want)
	}
	// One has passed when the first segment comes, at segment 1; the next is at segment 3.
	if media.Segments[0].Discontinuity != 1 || media.Segments[1].Discontinuity != 2 || media.Segments[2].Discontinuity != 2 {
		t.Errorf("discontinuities %+v", media.Segments)
	}
}

func TestSoundRefuses(t *testing.T) {
	timeline := newTimeline(t, film(rates[2], 10*time.Second))
	good := wire.AudioInfo{Rate: 48000, FrameSamples: 1024, Frames: 469}
	for name, spoil := range map[string]func(*wire.AudioInfo){
		"no rate":         func(a *wire.AudioInfo) { a.Rate = 0 },
		"a huge rate":     func(a *wire.AudioInfo) { a.Rate = 1 << 40 },
		"no samples":      func(a *wire.AudioInfo) { a.FrameSamples = 0 },
		"huge frames":     func(a *wire.AudioInfo) { a.FrameSamples = 1 << 20 },
		"no frames":       func(a *wire.AudioInfo) { a.Frames = 0 },
		"endless":         func(a *wire.AudioInfo) { a.Frames = 1 << 62 },
		"before the film": func(a *wire.AudioInfo) { a.First = -1 },
		"after it":        func(a *wire.AudioInfo) { a.First = 1 << 62 },
	} {
		track := good
		spoil(&track)
		if _, err := NewSound(timeline, track); !errors.Is(err, ErrFilm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
