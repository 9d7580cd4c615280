package ingest

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// TestClock follows a source through what its own clock may do.
func TestClock(t *testing.T) {
	t.Parallel()
	c := newClock()
	if _, ok := c.sound(7 * time.Second); ok {
		t.Error("sound has a place before the first picture")
	}
	for _, step := range []struct {
		what    string
		restart bool
		pts     time.Duration
		want    time.Duration
	}{
		{"the first", false, 7 * time.Second, 0},
		{"ahead, shown later", false, 7120 * ms, 120 * ms},
		{"shown between", false, 7040 * ms, 40 * ms},
		{"and again", false, 7080 * ms, 80 * ms},
		{"after a pause of the source", false, 9 * time.Second, 2 * time.Second},
		{"a step", false, 9040 * ms, 2040 * ms},
		{"a jump ahead", false, 100 * time.Second, 2080 * ms},
		{"on from there", false, 100*time.Second + 50*ms, 2130 * ms},
		{"a jump back", false, 5 * time.Second, 2180 * ms},
		{"another line", true, 5 * time.Second, 2230 * ms},
		{"which goes on", false, 5050 * ms, 2280 * ms},
	} {
		if step.restart {
			c.restart()
			if _, ok := c.sound(5 * time.Second); ok {
				t.Errorf("%s: sound has a place before its picture", step.what)
			}
		}
		if got := c.picture(step.pts); got != step.want {
			t.Errorf("%s: %s is %s in the feed, want %s", step.what, step.pts, got, step.want)
		}
	}
	for _, step := range []struct {
		pts, want time.Duration
		ok        bool
	}{
		{5 * time.Second, 2230 * ms, true}, {5 * time.Second, 0, false}, {4900 * ms, 0, false}, {5020 * ms, 2250 * ms, true}, {time.Hour, 0, false},
	} {
		if got, ok := c.sound(step.pts); got != step.want || ok != step.ok {
			t.Errorf("sound of %s is at %s, %v", step.pts, got, ok)
		}
	}
}

// TestClockJumpsWithSound jumps ahead, sound first, by as much as a pause lasts and by more: sound goes on with its picture.
func TestClockJumpsWithSound(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{2500 * ms, 3200 * ms, 4 * time.Second, 4900 * ms, time.Minute} {
		c := newClock()
		c.picture(0)
		c.sound(0)
		at := 40*ms + jump
		c.sound(at)
		placed := c.picture(at)
		if got, ok := c.sound(at + 20*ms); !ok || got != placed+20*ms {
			t.Errorf("after a jump of %s sound is at %s beside a picture at %s: %v", jump, got, placed, ok)
		}
	}
}

// FuzzClock holds that nothing makes the feed's time jump.
func FuzzClock(f *testing.F) {
	f.Add([]byte{0, 10, 1, 250, 2, 3, 128, 7})
	f.Fuzz(func(t *testing.T, steps []byte) {
		c, newest, at := newClock(), time.Duration(0), time.Duration(0)
		for i := 0; i+1 < len(steps); i += 2 {
			at += time.Duration(int8(steps[i+1])) * 37 * ms << (steps[i] >> 4 & 7)
			switch steps[i] & 3 {
			case 0:
				c.restart()
			case 1:
				if heard, ok := c.sound(at); ok && (heard < 0 || heard > newest+early || heard < newest-apart) {
					t.Fatalf("sound at %s, pictures at %s", heard, newest)
				}
			default:
				got := c.picture(at)
				if got < 0 || got > newest+ahead || got < newest-behind {
					t.Fatalf("%s after %s", got, newest)
				}
				newest = max(newest, got)
			}
		}
	})
}
