package pipeline

import (
	"slices"
	"testing"
	"time"
)

// TestLiveTimes straightens times that jump, and has them back.
func TestLiveTimes(t *testing.T) {
	t.Parallel()
	ms := func(all ...int) (at []time.Duration) {
		for _, n := range all {
			at = append(at, time.Duration(n)*time.Millisecond)
		}
		return at
	}
	for name, c := range map[string]struct{ own, want []time.Duration }{
		"even":              {ms(1000, 1040, 1080), ms(1000, 1040, 1080)},
		"out of order":      {ms(80, 0, 40, 200, 120, 160), ms(80, 0, 40, 200, 120, 160)},
		"a pause":           {ms(0, 40, 8000, 8040), ms(0, 40, 8000, 8040)},
		"back":              {ms(60000, 60040, 0, 40), ms(60000, 60040, 61040, 61080)},
		"back, disordered":  {ms(60000, 60040, 80, 0, 40), ms(60000, 60040, 61040, 60960, 61000)},
		"forth":             {ms(0, 40, 3600000, 3600040), ms(0, 40, 1040, 1080)},
		"forth and back":    {ms(0, 40, 3600000, 80, 120), ms(0, 40, 1040, 2040, 2080)},
		"back to beginning": {ms(100000, 0, 50000, 0), ms(100000, 101000, 102000, 103000)},
	} {
		var times liveTimes
		var got, back []time.Duration
		for _, own := range c.own {
			got = append(got, times.straighten(own))
		}
		for _, at := range got {
			back = append(back, times.own(at))
		}
		if !slices.Equal(got, c.want) || !slices.Equal(back, c.own) {
			t.Errorf("%s: %v, want %v; back %v of %v", name, got, c.want, back, c.own)
		}
	}
}

// TestLiveClock gives pictures times that an encoder takes.
func TestLiveClock(t *testing.T) {
	t.Parallel()
	const frame = 40 * time.Millisecond
	c := &liveClock{keys: 5 * frame}
	var keys []int
	last := time.Duration(-1)
	for i, frames := range []int{
		100, 101, 102, 103, 104, 105, 106, 106, 105, 109, -1, 400, 401, 402, 403,
	} {
		pts := time.Duration(-1)
		if frames >= 0 {
			pts = time.Duration(frames) * frame
		}
		at, length, key := c.picture(pts, 0)
		if at <= last || length <= 0 || length > liveGap {
			t.Errorf("picture %d at %s, after %s, for %s", i, at, last, length)
		}
		last = at
		p, ok := c.of(at)
		if !ok || p.at != at || p.length != length || pts >= 0 && i != 7 && i != 8 && p.pts != pts {
			t.Errorf("picture %d is %+v", i, p)
		}
		if key {
			keys = append(keys, i)
		}
	}
	if _, ok := c.of(last + 1); ok {
		t.Error("a picture is known that there was not")
	}
	if len(keys) < 3 || keys[0] != 0 || keys[1] != 5 {
		t.Errorf("key frames %v", keys)
	}
	c.wish.Store(true)
	if _, _, key := c.picture(404*frame, 0); !key {
		t.Error("a wish is not heard")
	}
}

// TestOpusSamples reads the length of packets: RFC 6716 §3.1.
func TestOpusSamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		packet []byte
		want   int64
	}{
		{[]byte{1 << 3}, 960},               // SILK, 20 ms
		{[]byte{3 << 3}, 2880},              // SILK, 60 ms
		{[]byte{3<<3 | 1}, 5760},            // twice
		{[]byte{14 << 3}, 480},              // hybrid, 10 ms
		{[]byte{16 << 3}, 120},              // CELT, 2.5 ms
		{[]byte{31 << 3}, 960},              // CELT, 20 ms
		{[]byte{31<<3 | 3, 3}, 2880},        // three of them
		{[]byte{31<<3 | 3, 0x80 | 6}, 5760}, // six, of lengths of their own
		{[]byte{31<<3 | 3, 7}, 0},           // too long
		{[]byte{31<<3 | 3}, 0},
		{nil, 0},
	} {
		if got := opusSamples(c.packet); got != c.want {
			t.Errorf("% x lasts %d, want %d", c.packet, got, c.want)
		}
	}
}
