package upscale

import (
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

var small = frame.Layout{Format: frame.I420, Width: 64, Height: 48}

// levelOf returns the luma of the middle of a plain picture.
func levelOf(f frame.Frame) int { return get(f, 0, f.Width/2, f.Height/2) }

// TestStrengthChangesLive mixes a network that dims by 4 % with bicubic.
func TestStrengthChangesLive(t *testing.T) {
	r := rig(t, "dimmer", small)
	for n, test := range []struct {
		strength string
		level    int
	}{{"1", 192}, {"0.5", 196}, {"0", 200}, {"0.25", 198}, {"1", 192}, {"0.75", 194}} {
		if !r.Set("strength", test.strength) || r.Get("strength") != test.strength {
			t.Fatalf("strength is %s", r.Get("strength"))
		}
		out := r.Through(gsttest.Of(plain(small, 200), at(n)), small.Scaled(2))
		if got := levelOf(out.Frame); got != test.level {
			t.Errorf("at strength %s the level is %d, want %d", test.strength, got, test.level)
		}
	}
}

// TestMixingIsReadyBeforeTheSwitch looks at what is built when: one more
// upscaler for the first strength below 1, none after.
func TestMixingIsReadyBeforeTheSwitch(t *testing.T) {
	var seen atomic.Value
	f := (&fakes{run: func(s float32) error { seen.Store(s); return nil }}).use(t)
	r := rig(t, "nearest-x2", small)
	for n, test := range []struct {
		strength string
		made     int
	}{{"1", 1}, {"0.5", 2}, {"0", 2}, {"1", 2}, {"0.3", 2}} {
		r.Set("strength", test.strength)
		r.Through(gsttest.Of(plain(small, 9), at(n)), small.Scaled(2))
		if made, open := f.count(); made != test.made || open != 1 {
			t.Errorf("at strength %s %d upscalers were made, %d are open", test.strength, made, open)
		}
		if f.made[len(f.made)-1].Mix != (n > 0) {
			t.Errorf("at strength %s the upscaler mixes: %v", test.strength, n == 0)
		}
	}
	if got := seen.Load().(float32); math.Abs(float64(got)-0.3) > 1e-6 {
		t.Errorf("the last frame had strength %v", got)
	}
	if !r.Caps(capsOf(small) + ",pixel-aspect-ratio=8/9") {
		t.Fatal("refused")
	}
	if made, _ := f.count(); made != 2 {
		t.Errorf("caps of the same layout made upscaler %d", made)
	}
}

// TestModelSwapsLive exchanges the model again and again while frames flow:
// each frame is made by one or the other, none is lost, and times are kept.
func TestModelSwapsLive(t *testing.T) {
	r := rig(t, "nearest-x2", small)
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for n := range 20 {
			r.Set("model", []string{"dimmer", "nearest-x2"}[n%2])
		}
	}()
	sent, levels := 0, map[int]int{}
	for done := false; !done || sent < 50; sent++ {
		select {
		case <-swapped:
			done = true
		default:
		}
		out := r.Through(gsttest.Of(plain(small, 200), at(sent)), small.Scaled(2))
		if out.PTS != at(sent) {
			t.Fatalf("frame %d came out at %v", sent, out.PTS)
		}
		level := levelOf(out.Frame)
		levels[level]++
		if diff := compare(out.Frame, 1, 0, func(int, int, int) float64 { return float64(level) }); diff != "" {
			t.Fatalf("frame %d: %s", sent, diff)
		}
	}
	<-swapped
	if levels[200]+levels[192] != sent {
		t.Errorf("the levels of %d frames are %v", sent, levels)
	}
	s := half(t, r.Element).Stats()
	if s.Upscaled != uint64(sent) || s.Failed != 0 || s.Model != "nearest-x2" {
		t.Errorf("after %d frames the figures are %+v", sent, s)
	}
	if m := r.Message(gsttest.MessageError|gsttest.MessageWarning, 0); m != nil {
		t.Errorf("the bus says %+v", m)
	}
}

// TestBadSwaps asks for what cannot run while frames flow: a warning, and the
// old model goes on.
func TestBadSwaps(t *testing.T) {
	r := rig(t, "dimmer", small)
	for _, test := range []struct{ property, value, says string }{
		{"model", "nearest-x3", "3 times larger, the running one 2 times"},
		{"model", "garbage", "garbage"},
		{"model", "nan", "NaN"},
		{"model", "no-such-model", "no-such-model"},
		{"model", "/no/such/file.onnx", "no such file"},
		{"model", "panic", "the test's own panic"},
		{"provider", "cuda", "READY"},
		{"threads", "2", "READY"},
		{"tile", "64", "READY"},
		{"device", "1", "READY"},
		{"precision", "fp32", "READY"},
	} {
		before := r.Get(test.property)
		r.Set(test.property, test.value)
		m := r.Message(gsttest.MessageError|gsttest.MessageWarning, 0)
		if m == nil || m.Type != gsttest.MessageWarning || !strings.Contains(m.Text, test.says) {
			t.Errorf("%s=%s: the bus says %+v, want a warning with %q", test.property, test.value, m, test.says)
		}
		if after := r.Get(test.property); after != before {
			t.Errorf("%s is %s", test.property, after)
		}
		if out := r.Through(gsttest.Of(plain(small, 200), 0), small.Scaled(2)); levelOf(out.Frame) != 192 {
			t.Errorf("after %s=%s the level is %d", test.property, test.value, levelOf(out.Frame))
		}
	}
	if got := half(t, r.Element).Stats().Model; got != "dimmer" {
		t.Errorf("%s runs", got)
	}
}

// TestSwapFails keeps what runs when its successor cannot be made.
func TestSwapFails(t *testing.T) {
	f := (&fakes{}).use(t)
	r := rig(t, "nearest-x2", small)
	f.fail = errFake
	for property, value := range map[string]string{"model": "dimmer", "strength": "0.5"} {
		before := r.Get(property)
		r.Set(property, value)
		if m := r.Message(gsttest.MessageWarning, 0); m == nil || !strings.Contains(m.Text, errFake.Error()) {
			t.Errorf("the bus says %+v", m)
		}
		if r.Get(property) != before {
			t.Errorf("%s is %s", property, r.Get(property))
		}
	}
	r.Through(gsttest.Of(plain(small, 9), 0), small.Scaled(2))
	if made, open := f.count(); made != 1 || open != 1 {
		t.Errorf("%d upscalers were made, %d are open", made, open)
	}
}

// TestPassthroughLive switches it on and off between frames: sizes and caps
// always agree, plain frames are exact and counted as plain.
func TestPassthroughLive(t *testing.T) {
	f := (&fakes{}).use(t)
	r := rig(t, "nearest-x2", small)
	in := noise(small, 1)
	for n, on := range []bool{false, true, true, false, true, false} {
		r.Set("passthrough", map[bool]string{true: "true", false: "false"}[on])
		want := small.Scaled(2)
		if on {
			want = small
		}
		out := r.Through(gsttest.Of(in, at(n)), want)
		if caps := r.OutCaps(); !strings.Contains(caps, capsSize(want)) {
			t.Errorf("frame %d: caps are %s, want %s", n, caps, capsSize(want))
		}
		if diff := compare(out.Frame, 3, 0, func(p, x, y int) float64 { return float64(get(in, p, x, y)) }); on && diff != "" {
			t.Errorf("frame %d: %s", n, diff)
		}
	}
	if s := half(t, r.Element).Stats(); s.Upscaled != 3 || s.Plain != 3 {
		t.Errorf("the figures are %+v", s)
	}
	if made, open := f.count(); made != 1 || open != 1 {
		t.Errorf("%d upscalers were made, %d are open", made, open)
	}
}

func capsSize(l frame.Layout) string {
	return strings.NewReplacer("W", strconv.Itoa(l.Width), "H", strconv.Itoa(l.Height)).Replace("width=(int)W, height=(int)H")
}

// TestPassthroughRaces switches while frames flow from another goroutine.
func TestPassthroughRaces(t *testing.T) {
	r := rig(t, "nearest-x2", small)
	end := make(chan struct{})
	switched := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-end:
				r.Set("passthrough", "false")
				switched <- n
				return
			default:
				n++
				r.Set("passthrough", map[bool]string{true: "true", false: "false"}[n%2 == 1])
			}
		}
	}()
	in := plain(small, 77)
	for n := range 300 {
		if flow := r.Push(gsttest.Of(in, at(n))); flow != gsttest.FlowOK {
			t.Fatalf("frame %d: %d %+v", n, flow, r.Message(gsttest.MessageError, 0))
		}
		l := small
		if strings.Contains(r.OutCaps(), capsSize(small.Scaled(2))) {
			l = small.Scaled(2)
		}
		out := r.Pull(l)
		if diff := compare(out.Frame, 1, 0, func(int, int, int) float64 { return 77 }); diff != "" {
			t.Fatalf("frame %d: %s", n, diff)
		}
	}
	close(end)
	if n := <-switched; n < 2 {
		t.Errorf("it was switched %d times", n)
	}
	r.Through(gsttest.Of(in, at(300)), small.Scaled(2))
	if s := half(t, r.Element).Stats(); s.Upscaled+s.Plain != 301 || s.Failed != 0 {
		t.Errorf("the figures are %+v", s)
	}
}

// TestPassthroughOfScaleOne is told from upscaling by the setting alone: the
// sizes are the same.
func TestPassthroughOfScaleOne(t *testing.T) {
	r := rig(t, "conv-x1", small)
	in := noise(small, 1)
	unchanged := func(on string, n int) bool {
		r.Set("passthrough", on)
		out := r.Through(gsttest.Of(in, at(n)), small)
		return compare(out.Frame, 1, 0, func(_, x, y int) float64 { return float64(get(in, 0, x, y)) }) == ""
	}
	if unchanged("false", 0) || !unchanged("true", 1) || unchanged("false", 2) {
		t.Error("passthrough and the model were taken for each other")
	}
}

// TestModelChangesInPassthrough swaps what does not run: it runs afterwards.
func TestModelChangesInPassthrough(t *testing.T) {
	r := rig(t, "nearest-x2", small, "passthrough", "true")
	r.Through(gsttest.Of(plain(small, 200), 0), small)
	r.Set("model", "dimmer")
	r.Set("passthrough", "false")
	if out := r.Through(gsttest.Of(plain(small, 200), at(1)), small.Scaled(2)); levelOf(out.Frame) != 192 {
		t.Errorf("the level is %d", levelOf(out.Frame))
	}
}

// TestSwapWaitsForNoFrame proves that a swap happens while a frame is in work
// only between it and the next: the old upscaler is closed after its last frame.
func TestSwapWaitsForNoFrame(t *testing.T) {
	begun, finish := make(chan struct{}, 1), make(chan struct{})
	f := &fakes{}
	f.run = func(float32) error {
		begun <- struct{}{}
		<-finish
		if _, open := f.count(); open < 1 {
			t.Error("an upscaler was closed with a frame in work")
		}
		return nil
	}
	f.use(t)
	r := rig(t, "nearest-x2", small)
	pushed, swapped := make(chan struct{}), make(chan struct{})
	go func() { defer close(pushed); r.Push(gsttest.Of(plain(small, 9), 0)) }()
	<-begun
	go func() { defer close(swapped); r.Set("model", "dimmer") }()
	select {
	case <-swapped:
		t.Error("the swap did not wait for the frame")
	case <-time.After(50 * time.Millisecond):
	}
	// Figures and settings are there meanwhile.
	if r.Get("strength") != "1" || half(t, r.Element).Stats().Failed != 0 {
		t.Error("the settings are wrong")
	}
	close(finish)
	<-pushed
	<-swapped
}
