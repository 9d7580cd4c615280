package upscale

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
	"github.com/upscaled-media/upscaled/internal/leak"
	"github.com/upscaled-media/upscaled/models"
)

// patience bounds what tests wait for.
const patience = 20 * time.Second

func TestDefaultModelIsOneOfOurs(t *testing.T) {
	if DefaultModel != models.Default {
		t.Errorf("the element's default is %s, that of package models %s", DefaultModel, models.Default)
	}
}

// TestDefaults runs an element that nobody set up.
func TestDefaults(t *testing.T) {
	r := gsttest.NewRig(t, "upscale")
	for property, want := range map[string]string{
		"model": DefaultModel, "provider": "auto", "precision": "auto", "device": "0", "threads": "0", "tile": "0",
		"strength": "1", "passthrough": "false",
	} {
		if got := r.Get(property); got != want {
			t.Errorf("%s is %s, want %s", property, got, want)
		}
	}
	r.Caps(capsOf(small))
	r.Through(gsttest.Of(plain(small, 128), 0), small.Scaled(2))
	stats := strings.ReplaceAll(r.Get("stats"), `\`, "")
	for _, field := range []string{
		"upscaled=(guint64)1", "plain=(guint64)0", "dropped=(guint64)0", "failed=(guint64)0",
		"model=(string)" + DefaultModel, "provider=(string)cpu", "inference-median-ms=(double)", "inference-p95-ms=(double)",
	} {
		if !strings.Contains(stats, field) {
			t.Errorf("stats %s lack %s", stats, field)
		}
	}
}

// TestOpenFails shows an element that cannot get READY: an error that says why,
// on the bus and to the program.
func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "broken.onnx")
	if err := os.WriteFile(file, []byte("no network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]error{
		"garbage": infer.ErrModelFormat, "nan": infer.ErrModelValues, "panic": ErrPanic, "no-such-model": models.ErrUnknown,
		"/no/such/file.onnx": fs.ErrNotExist, "": models.ErrBadID, "../up": fs.ErrNotExist, file: infer.ErrModelFormat,
	} {
		e, err := gsttest.Make("upscale", "model", model)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second try fails the same way
			if e.SetState(gsttest.Ready) {
				t.Errorf("%s: READY", model)
			}
			if m := e.Message(gsttest.MessageError, 0); m == nil || m.Text == "" || strings.Contains(m.Text, "goroutine") {
				t.Errorf("%s: the bus says %+v", model, m)
			}
			if got := half(t, e).Err(); !errors.Is(got, want) {
				t.Errorf("%s: got %v, want %v", model, got, want)
			}
		}
		e.Set("model", "nearest-x2") // and another model is all that it takes
		if !e.SetState(gsttest.Ready) || half(t, e).Err() != nil {
			t.Errorf("after %s: %v", model, half(t, e).Err())
		}
		e.Close()
	}
}

// TestSettingsInNull are checked by GStreamer, or fail what is started with them.
func TestSettingsInNull(t *testing.T) {
	for _, bad := range []string{"provider=cudda", "precision=int8", "threads=many"} {
		property, value, _ := strings.Cut(bad, "=")
		if e, err := gsttest.Make("upscale", property, value); err == nil {
			t.Errorf("%s was taken", bad)
			e.Close()
		}
	}
	e, err := gsttest.Make("upscale", "model", "nearest-x2")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for property, value := range map[string]string{
		"provider": "webgpu", "precision": "fp16", "device": "3", "threads": "5", "tile": "128", "strength": "0.25", "model": "some",
	} {
		if e.Set(property, value); e.Get(property) != value {
			t.Errorf("%s is %s, want %s", property, e.Get(property), value)
		}
	}
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2", "provider", "cpu", "tile", "8")
	r.Caps(capsOf(small))
	r.Push(gsttest.Of(plain(small, 9), 0))
	if err := half(t, r.Element).Err(); !errors.Is(err, infer.ErrConfig) {
		t.Errorf("tile 8: %v", err)
	}
	for _, strength := range []float64{-0.1, 1.1, math.NaN()} {
		if err := half(t, e).SetStrength(strength); !errors.Is(err, ErrSetting) {
			t.Errorf("strength %v: %v", strength, err)
		}
	}
}

// TestProviderThatCannotRun is an error where it is named, not a fallback.
func TestProviderThatCannotRun(t *testing.T) {
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2", "provider", "openvino")
	r.Caps(capsOf(small))
	if flow := r.Push(gsttest.Of(plain(small, 9), 0)); flow == gsttest.FlowOK {
		t.Skip("OpenVINO runs on this machine")
	}
	if m := r.Message(gsttest.MessageError, 0); m == nil || !strings.Contains(m.Text, "openvino") {
		t.Errorf("the bus says %+v", m)
	}
	if err := half(t, r.Element).Err(); !errors.Is(err, infer.ErrProvider) {
		t.Errorf("got %v", err)
	}
}

// TestFramesThatFail show that an error or a panic in a frame is an error of the
// element: no frame comes out of it, and the process lives.
func TestFramesThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		run  func(float32) error
		want error
	}{
		"error": {func(float32) error { return errFake }, errFake},
		"panic": {func(float32) error { panic("the test's own panic") }, ErrPanic},
	} {
		t.Run(name, func(t *testing.T) {
			f := (&fakes{run: test.run}).use(t)
			r := rig(t, "nearest-x2", small)
			if flow := r.Push(gsttest.Of(plain(small, 9), 0)); flow != gsttest.FlowError || r.Waiting() != 0 {
				t.Errorf("the frame was answered with %d, %d came out", flow, r.Waiting())
			}
			m := r.Message(gsttest.MessageError, 0)
			if m == nil || !strings.HasPrefix(m.Text, test.want.Error()) || strings.Contains(m.Text, "goroutine") {
				t.Errorf("the bus says %+v", m)
			}
			e := half(t, r.Element)
			if !errors.Is(e.Err(), test.want) || e.Stats().Failed != 1 || e.Stats().Upscaled != 0 {
				t.Errorf("the error is %v, the figures are %+v", e.Err(), e.Stats())
			}
			// Nothing is held that a later start would wait for.
			f.run = nil
			if !r.SetState(gsttest.Ready) || e.Err() == nil || !r.SetState(gsttest.Playing) || e.Err() != nil {
				t.Errorf("it does not start again: %v", e.Err())
			}
		})
	}
}

// TestNegotiationThatPanics is the same in another call.
func TestNegotiationThatPanics(t *testing.T) {
	configure(t, func(c *Config) {
		c.upscaler = func(*infer.Model, infer.Config) (upscaler, error) { panic("the test's own panic") }
	})
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2")
	r.Caps(capsOf(small))
	if flow := r.Push(gsttest.Of(plain(small, 9), 0)); flow != gsttest.FlowNotNegotiated {
		t.Errorf("a frame was answered with %d", flow)
	}
	if m := r.Message(gsttest.MessageError, 0); m == nil || !strings.HasPrefix(m.Text, ErrPanic.Error()) {
		t.Errorf("the bus says %+v", m)
	}
}

// TestRegisterNeedsItsParts refuses half a Config.
func TestRegisterNeedsItsParts(t *testing.T) {
	for _, cfg := range []Config{{}, {Runtime: testConfig.Runtime}, {Model: testConfig.Model}} {
		if err := Register(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("got %v", err)
		}
	}
}

// launch is a pipeline of n frames of a test picture.
func launch(t *testing.T, n int, source, upscale string) *gsttest.Pipeline {
	t.Helper()
	return gsttest.Launch(t, fmt.Sprintf("videotestsrc num-buffers=%d %s ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 ! "+
		"upscale name=upscaler provider=cpu threads=1 %s ! appsink name=sink sync=false max-buffers=4", n, source, upscale))
}

// pull takes all frames to the end and returns their times.
func pull(t *testing.T, p *gsttest.Pipeline, l frame.Layout) []time.Duration {
	t.Helper()
	var times []time.Duration
	for {
		b, ok := p.Pull("sink", l, patience)
		if !ok {
			return times
		}
		times = append(times, b.PTS)
	}
}

// TestStatesBackAndForth stops and plays the same element again, with another
// model where that is allowed.
func TestStatesBackAndForth(t *testing.T) {
	leak.Goroutines(t)
	f := (&fakes{}).use(t)
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2")
	play := func(scale int) {
		t.Helper()
		if !r.SetState(gsttest.Playing) || !r.Caps(capsOf(small)) {
			t.Fatalf("no PLAYING: %+v", r.Message(gsttest.MessageError, 0))
		}
		for n := range 5 {
			if out := r.Through(gsttest.Of(plain(small, 9), at(n)), small.Scaled(scale)); out.PTS != at(n) {
				t.Errorf("frame %d is at %v", n, out.PTS)
			}
		}
	}
	expect := func(open int, upscaled uint64) {
		t.Helper()
		if _, now := f.count(); now != open {
			t.Errorf("%d upscalers are open, want %d", now, open)
		}
		if s := half(t, r.Element).Stats(); s.Upscaled != upscaled {
			t.Errorf("%d frames are counted, want %d", s.Upscaled, upscaled)
		}
	}
	play(2)
	r.SetState(gsttest.Paused)
	expect(1, 5) // PAUSED lets nothing go
	play(2)
	r.SetState(gsttest.Ready)
	expect(0, 10) // READY keeps the model and the figures
	play(2)
	r.SetState(gsttest.Ready)
	r.Set("model", "nearest-x3")
	r.Set("threads", "2")
	play(3)
	expect(1, 20)
	r.SetState(gsttest.Null)
	if s := half(t, r.Element).Stats(); s.Model != "" {
		t.Errorf("in NULL there is model %s", s.Model)
	}
	r.Set("model", "nearest-x4")
	play(4)
	expect(1, 5) // they begin again
	r.SetState(gsttest.Null)
	expect(0, 5)
	if m := r.Message(gsttest.MessageError|gsttest.MessageWarning, 0); m != nil {
		t.Errorf("the bus says %+v", m)
	}
}

// TestSeek goes back and forth in a stream.
func TestSeek(t *testing.T) {
	p := launch(t, 1000, "", "model=nearest-x2")
	p.SetState(gsttest.Paused)
	for _, to := range []int{0, 100, 3, 500} {
		if !p.Seek(at(to)) {
			t.Fatalf("no seek to %v", at(to))
		}
		p.SetState(gsttest.Playing)
		for n := range 5 {
			b, ok := p.Pull("sink", small.Scaled(2), patience)
			if !ok || b.PTS != at(to+n) {
				t.Errorf("after a seek to %v frame %d is at %v (%v)", at(to), n, b.PTS, ok)
			}
		}
	}
}

// TestPipelinePassesNumberedFrames sends frames through queues and threads of
// their own: each comes out once, in order, upscaled.
func TestPipelinePassesNumberedFrames(t *testing.T) {
	p := gsttest.Launch(t, "appsrc name=source format=time caps="+capsOf(small)+
		" ! queue ! upscale model=nearest-x2 provider=cpu ! queue ! appsink name=sink sync=false")
	const frames = 200
	for n := range frames {
		p.Push("source", gsttest.Of(plain(small, n+20), at(n)))
	}
	p.End("source")
	p.SetState(gsttest.Playing)
	for n := range frames {
		b, ok := p.Pull("sink", small.Scaled(2), patience)
		if !ok || b.PTS != at(n) || levelOf(b.Frame) != n+20 {
			t.Fatalf("frame %d: %v at %v with level %d", n, ok, b.PTS, levelOf(b.Frame))
		}
	}
	if _, ok := p.Pull("sink", small.Scaled(2), patience); ok {
		t.Error("one more frame came out")
	}
}

// TestErrorInAPipeline reaches its bus, with the element named.
func TestErrorInAPipeline(t *testing.T) {
	(&fakes{run: func(float32) error { return errFake }}).use(t)
	p := launch(t, 5, "", "model=nearest-x2")
	p.SetState(gsttest.Playing)
	m := p.Message(gsttest.MessageError, patience)
	if m == nil || m.Source != "upscaler" || m.Text != errFake.Error() {
		t.Errorf("the bus says %+v", m)
	}
}

// TestHundredPipelines starts, feeds and stops pipelines one after another.
func TestHundredPipelines(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some ten seconds")
	}
	// The model is loaded by each pipeline anew, as in a program that has no cache.
	configure(t, func(c *Config) {
		c.Model = func(name string) (*infer.Model, error) { return (&library{rt: testConfig.Runtime}).open(name) }
	})
	leak.Flat(t, 20, 100, 24<<20, func() {
		t.Run("", func(t *testing.T) {
			p := launch(t, 5, "", "model="+DefaultModel)
			p.SetState(gsttest.Playing)
			if times := pull(t, p, small.Scaled(2)); len(times) != 5 {
				t.Errorf("%d frames came out: %+v", len(times), p.Message(gsttest.MessageError, 0))
			}
		})
	})
}

// TestManyFrames and as many changes while they flow leave memory where it was.
func TestManyFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	r := rig(t, "nearest-x2", small)
	r.Drop()
	n := 0
	leak.Flat(t, 20, 50, 16<<20, func() {
		n++
		if flow := r.Same(gsttest.Of(plain(small, 9), at(n)), 200); flow != gsttest.FlowOK {
			t.Fatalf("round %d: %d", n, flow)
		}
		r.Set("model", []string{"dimmer", "nearest-x2"}[n%2])
		r.Set("strength", []string{"0.5", "1"}[n%2])
		if n%10 == 0 {
			r.Caps(capsOf(frame.Layout{Format: frame.I420, Width: 64 + n%20, Height: 48}))
			r.Caps(capsOf(small))
		}
	})
	if s := half(t, r.Element).Stats(); s.Upscaled != 70*200 {
		t.Errorf("the figures are %+v", s)
	}
}
