package pipeline

import (
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/container"
)

// TestNewTimeline cuts films of all usual rates, and of broken ones.
func TestNewTimeline(t *testing.T) {
	const id = "s/001:1"
	span := func(first, last, end time.Duration) Extent {
		return Extent{Streams: map[string]Span{id: {first, last, end}}, Measured: true}
	}
	third := time.Second / 3
	for _, c := range []struct {
		name  string
		rate  Fraction
		wish  time.Duration
		first time.Duration // of the picture, in stream time
		claim time.Duration
		x     Extent

		scale, ticks int64
		frames       int
		end, last    time.Duration
	}{
		{
			"23.976",
			Fraction{24000, 1001},
			time.Second, 0, 0, span(0, 9968291666, 10010000000),
			24000, 24 * 1001, 24, 10010 * time.Millisecond, 9968291667,
		},
		{"24", Fraction{24, 1}, time.Second, 0, 0, span(0, 10*time.Second-41666666, 10*time.Second), 24000, 24000, 24, 10 * time.Second, 9958333333},
		{"25", Fraction{25, 1}, time.Second, 0, 0, span(0, 9960*time.Millisecond, 10*time.Second), 25000, 25000, 25, 10 * time.Second, 9960 * time.Millisecond},
		{"29.97", Fraction{30000, 1001}, time.Second, 0, 0, span(0, 0, 33366667), 30000, 30 * 1001, 30, 33366667, 0},
		{"50", Fraction{50, 1}, 2 * time.Second, 0, 0, span(0, 980*time.Millisecond, time.Second), 50000, 100000, 100, time.Second, 980 * time.Millisecond},
		{"59.94", Fraction{60000, 1001}, time.Second, 0, 0, span(0, 983316667, 1001000000), 60000, 60 * 1001, 60, 1001 * time.Millisecond, 984316667},
		{"one a second", Fraction{1, 1}, time.Second, 0, 0, span(0, 9*time.Second, 10*time.Second), 10000, 10000, 1, 10 * time.Second, 9 * time.Second},
		{"12 in half a second", Fraction{12, 1}, 500 * time.Millisecond, 0, 0, span(0, time.Second, time.Second), 12000, 6000, 6, 1083333333, time.Second},
		{
			"begins late",
			Fraction{25, 1},
			time.Second, 10 * time.Hour, 0, span(10*time.Hour, 10*time.Hour+960*time.Millisecond, 10*time.Hour+time.Second),
			25000, 25000, 25, time.Second, 960 * time.Millisecond,
		},
		{
			"times rounded to milliseconds",
			Fraction{30000, 1001},
			time.Second, 0, 0, span(0, 10*time.Second-34*time.Millisecond, 10*time.Second),
			30000, 30 * 1001, 30, 10010 * time.Millisecond, 9976633333,
		},
		{"varying", Fraction{0, 1}, time.Second, 0, 0, span(0, 7*time.Second, 7*time.Second+third), 90000, 90000, 0, 7*time.Second + third, 7 * time.Second},
		{"varying, of no duration", Fraction{0, 1}, time.Second, 0, 0, span(0, 7*time.Second, 7*time.Second), 90000, 90000, 0, 7040 * time.Millisecond, 7 * time.Second},
		{
			"varying, with next to no rest",
			Fraction{0, 1},
			time.Second, 0, 0, span(0, 6960*time.Millisecond, 7*time.Second+15*time.Millisecond),
			90000, 90000, 0, 7 * time.Second, 6960 * time.Millisecond,
		},
		{
			"varying, with a short rest",
			Fraction{0, 1},
			time.Second, 0, 0, span(0, 6960*time.Millisecond, 7*time.Second+20*time.Millisecond),
			90000, 90000, 0, 7020 * time.Millisecond, 6960 * time.Millisecond,
		},
		{"varying, of next to no length", Fraction{0, 1}, time.Second, 0, 0, span(0, 0, 10*time.Millisecond), 90000, 90000, 0, 40 * time.Millisecond, 0},
		{"a rate that is none", Fraction{90000, 1}, time.Second, 0, 0, span(0, 960*time.Millisecond, time.Second), 90000, 90000, 0, time.Second, 960 * time.Millisecond},
		{"less than one a second", Fraction{1, 7}, time.Second, 0, 0, span(0, 14*time.Second, 21*time.Second), 90000, 90000, 0, 21 * time.Second, 14 * time.Second},
		{
			"end not reached",
			Fraction{25, 1},
			time.Second, 0, 20 * time.Second,
			Extent{Streams: map[string]Span{id: {0, time.Second, 1040 * time.Millisecond}}},
			25000, 25000, 25, 20 * time.Second, 19960 * time.Millisecond,
		},
		{"no buffer seen", Fraction{25, 1}, time.Second, 0, 5 * time.Second, Extent{}, 25000, 25000, 25, 5 * time.Second, 4960 * time.Millisecond},
		{"nothing known", Fraction{25, 1}, time.Second, 0, 0, Extent{}, 25000, 25000, 25, 40 * time.Millisecond, 0},
		{"a claim that is wrong", Fraction{25, 1}, time.Second, 0, time.Hour, span(0, 960*time.Millisecond, time.Second), 25000, 25000, 25, time.Second, 960 * time.Millisecond},
	} {
		m := Media{First: c.first, Duration: c.claim, Video: Video{Track: Track{StreamID: id}, Rate: c.rate}}
		got := NewTimeline(m, c.x, c.wish)
		if got.TimeScale != c.scale || got.Ticks != c.ticks || got.Frames != c.frames || got.End != c.end || got.Last != c.last || got.Origin != c.first {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestTimelineFollowsSound proves that a film goes on with a sound that goes on
// for long, and by whole pictures, and not with the padding of a last packet.
func TestTimelineFollowsSound(t *testing.T) {
	m := Media{Video: Video{Track: Track{StreamID: "v"}, Rate: Fraction{24000, 1001}}, Audio: []Track{{StreamID: "a"}, {StreamID: "b"}}}
	for sound, want := range map[time.Duration]time.Duration{
		9 * time.Second:          10010 * time.Millisecond,
		10900 * time.Millisecond: 10010 * time.Millisecond,
		15 * time.Second:         15015 * time.Millisecond,
	} {
		x := Extent{Measured: true, Streams: map[string]Span{
			"v": {0, 9968291666, 10010 * time.Millisecond}, "a": {0, time.Second, time.Second}, "b": {0, sound, sound},
		}}
		if got := NewTimeline(m, x, time.Second); got.End != want {
			t.Errorf("sound until %s: the film until %s, want %s", sound, got.End, want)
		}
	}
}

// TestTimelineIsExact proves that nothing drifts or overflows over a whole day.
func TestTimelineIsExact(t *testing.T) {
	m := Media{Video: Video{Track: Track{StreamID: "v"}, Rate: Fraction{60000, 1001}}}
	x := Extent{Measured: true, Streams: map[string]Span{"v": {0, 24*time.Hour - 1, 24 * time.Hour}}}
	l := NewTimeline(m, x, time.Second)
	for k := range 86314 { // as many segments of 1.001 s as there are
		if want := time.Duration(k) * 1001 * time.Millisecond; l.Begin(k) != want || l.InTicks(want) != int64(k)*l.Ticks {
			t.Fatalf("segment %d begins at %s, %d ticks", k, l.Begin(k), l.InTicks(want))
		}
	}
}

// TestNewTimelineUnmeasured wants a film whose end was not met to end where its
// last blocks tell, if they do and the claim is another.
func TestNewTimelineUnmeasured(t *testing.T) {
	t.Parallel()
	x := Extent{Streams: map[string]Span{"v": {0, 2960 * time.Millisecond, 3 * time.Second}}}
	for _, c := range []struct{ claim, begin, last, want time.Duration }{
		{time.Hour, 0, 0, time.Hour},
		{time.Hour, 0, 40 * time.Second, 40 * time.Second},
		{time.Second, 0, 40 * time.Second, 40 * time.Second},
		{time.Second, 10 * time.Hour, 10*time.Hour + 40*time.Second, 40 * time.Second},
		{40 * time.Second, 0, 39960 * time.Millisecond, 40 * time.Second},
		{time.Second, 0, 0, 3 * time.Second}, // what was read
		{0, 0, 40 * time.Second, 40 * time.Second},
	} {
		m := Media{Duration: c.claim, Extras: container.Extras{Begin: c.begin, Last: c.last}, Video: Video{Track: Track{StreamID: "v"}, Rate: Fraction{25, 1}}}
		if got := NewTimeline(m, x, time.Second).End; got != c.want {
			t.Errorf("of %+v the end is %s", c, got)
		}
	}
}
