package adjust

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/filters"
)

// TestChangesBetweenFrames changes settings on other goroutines while a real
// pipeline plays: every frame is all of one setting or all of another, none is
// lost, and times are kept.
func TestChangesBetweenFrames(t *testing.T) {
	const frames = 200
	p := gsttest.Launch(t, fmt.Sprintf("appsrc name=in format=time caps=%q ! adjust name=adjust ! appsink name=out sync=false max-buffers=4", capsOf(film)))
	var e *Element
	p.By("adjust", func(native *gsttest.Element) {
		var err error
		if e, err = Of(native.Pointer()); err != nil {
			t.Fatal(err)
		}
	})
	levels := []float64{0, 0.1, 0.2, -0.2}
	var others sync.WaitGroup
	defer others.Wait()
	played := make(chan struct{})
	defer close(played)
	for first := range 2 {
		others.Go(func() {
			for n := first; ; n++ {
				select {
				case <-played:
					return
				default:
				}
				if err := e.Set(with(func(s *filters.Settings) { s.Brightness = levels[n%len(levels)] }), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	others.Go(func() {
		for n := range frames {
			p.Push("in", gsttest.Of(flat(film, pixel{100, 128, 128}), moment(n)))
		}
		p.End("in")
	})
	p.SetState(gsttest.Playing)
	seen := map[int]bool{}
	for n := range frames {
		out, ok := p.Pull("out", film, 10*time.Second)
		if !ok || out.PTS != moment(n) {
			t.Fatalf("frame %d: came %v, at %v", n, ok, out.PTS)
		}
		mean, deviation := statistics(out.Frame, 0, film.Width)
		if deviation > 1e-6 {
			t.Fatalf("frame %d is of two settings: %v ± %v", n, mean, deviation)
		}
		if level := int(math.Round(mean)); level != 100 && level != 122 && level != 144 && level != 56 {
			t.Fatalf("frame %d has level %d, which nobody set", n, level)
		} else {
			seen[level] = true
		}
	}
	if len(seen) < 2 {
		t.Errorf("no change was seen in %d frames: %v", frames, seen)
	}
}

// TestSettingTakesEffectWithTheNextFrame goes from nothing to something and back.
func TestSettingTakesEffectWithTheNextFrame(t *testing.T) {
	grey := flat(film, pixel{100, 128, 128})
	r := rig(t, film, filters.Neutral(), nil)
	for n, test := range []struct {
		brightness float64
		level      int
	}{{0, 100}, {0.2, 144}, {0, 100}, {-0.2, 56}, {-0.2, 56}, {0, 100}} {
		set(t, r, with(func(s *filters.Settings) { s.Brightness = test.brightness }), nil)
		if got := at(r.Through(gsttest.Of(grey, moment(n)), film).Frame, 0, 0).y; got != test.level {
			t.Errorf("frame %d at %v is %d, want %d", n, test.brightness, got, test.level)
		}
	}
}

// TestSharedBuffersAreNotWrittenTo sends one buffer again and again, which the
// sender keeps: each time the same comes out.
func TestSharedBuffersAreNotWrittenTo(t *testing.T) {
	r := rig(t, film, with(func(s *filters.Settings) { s.Brightness = 0.2 }), nil)
	if flow := r.Same(gsttest.Of(flat(film, pixel{100, 128, 128}), 0), 3); flow != gsttest.FlowOK {
		t.Fatal(flow)
	}
	for range 3 {
		if got := at(r.Pull(film).Frame, 0, 0).y; got != 144 {
			t.Errorf("a frame is %d", got)
		}
	}
}

// TestCapsMayChange sends another size and format.
func TestCapsMayChange(t *testing.T) {
	s := with(func(s *filters.Settings) { s.Temperature, s.Vignette = 4000, 2 })
	r := rig(t, film, s, nil)
	for n, l := range layouts() {
		if !r.Caps(capsOf(l)) {
			t.Fatal(capsOf(l))
		}
		in := scene(l, 1)
		if !same(r.Through(gsttest.Of(in, moment(n)), l).Frame, through(t, in, s, nil)) {
			t.Errorf("%s is not what it is alone", name(l))
		}
	}
}

// TestSetIsSafeAtAnyTime sets before caps, clamps what is out of range, and goes on
// when the GStreamer element is gone.
func TestSetIsSafeAtAnyTime(t *testing.T) {
	native, err := gsttest.Make("adjust")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Of(native.Pointer())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Set(with(func(s *filters.Settings) { s.Gamma = math.NaN(); s.Vignette = 99 }), nil); err != nil {
		t.Error(err)
	}
	if e.set.Gamma != 1 || e.set.Vignette != 5 {
		t.Errorf("not clamped: %+v", e.set)
	}
	native.Close()
	if err := e.Set(everything(), nil); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	r := rig(t, film, everything(), nil)
	e, err := Of(r.Pointer())
	if err != nil {
		t.Fatal(err)
	}
	before := e.set
	if err := e.Set(with(func(s *filters.Settings) { s.LUT = "missing" }), nil); !errors.Is(err, ErrNoCube) || e.set != before {
		t.Errorf("a LUT that is missing: %v, %+v", err, e.set)
	}
	other, err := gsttest.Make("identity")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := Of(other.Pointer()); !errors.Is(err, ErrNotElement) {
		t.Errorf("another's element: %v", err)
	}
}

// TestFramesThatAreTooSmallFail sends a picture smaller than its caps say. It must
// not come out as if it had been worked on.
func TestFramesThatAreTooSmallFail(t *testing.T) {
	r := rig(t, film, everything(), nil)
	small := frame.Layout{Format: frame.I420, Width: 64, Height: 48}
	if flow := r.Push(gsttest.Of(scene(small, 1), 0)); flow != gsttest.FlowError {
		t.Errorf("it was answered with %v", flow)
	}
	if m := r.Message(gsttest.MessageError, time.Second); m == nil || m.Text != "a frame does not hold a picture of its caps" {
		t.Errorf("the bus says %+v", m)
	}
	if n := r.Waiting(); n != 0 {
		t.Errorf("%d frames came out", n)
	}
}
