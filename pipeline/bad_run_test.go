package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/internal/leak"
)

var quiet = slog.New(slog.DiscardHandler)

// prompt bounds the time in which a run that is given up must be down. A busy
// machine takes part of it; a thread that is stuck takes downTimeout.
const prompt = downTimeout - 2*time.Second

// holdBack lets n buffers pass a pad and holds back what follows, as an element
// does that never returns; taking the pipeline down ends it.
func holdBack(pad *gst.Pad, n int64) {
	var passed atomic.Int64
	pad.AddProbe(gst.PadProbeTypeBlock|gst.PadProbeTypeBuffer, func(*gst.Pad, *gst.PadProbeInfo) gst.PadProbeReturn { // on a GStreamer thread
		if passed.Add(1) > n {
			return gst.PadProbeOK // for a blocking probe: stay blocked
		}
		return gst.PadProbePass
	})
}

// TestWatchdogNamesTheStage holds the picture back in front of each stage.
func TestWatchdogNamesTheStage(t *testing.T) {
	in := small(t, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "ac3", "in.mkv")
	for _, c := range []struct {
		stage      Stage
		queue, pad string // where it is held back
	}{
		{StageRead, "decode", "sink"},
		{StageDecode, "decode", "src"},
		{StageUpscale, "upscale", "src"},
		{StageEncode, "encode", "src"},
		{StageWrite, "write", "src"},
	} {
		t.Run(string(c.stage), func(t *testing.T) {
			leak.Goroutines(t)
			p := planned(t, in, spec())
			b, err := build(p.Graph, false)
			if err != nil {
				t.Fatal(err)
			}
			holdBack(b.named[c.queue].GetStaticPad(c.pad), 3)
			_, err = Runner{Log: quiet, Stall: time.Second}.play(t.Context(), b, p)
			refused(t, err, CodeStalled, "stage: "+string(c.stage))
			begin := time.Now()
			if err := b.close(); err != nil || time.Since(begin) > prompt {
				t.Errorf("it was down after %s, %v", time.Since(begin), err)
			}
		})
	}
}

// TestSlowIsNotStalled runs a pipeline that as a whole takes longer than
// nothing may move.
func TestSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	p := planned(t, small(t, "-c:v", "libx264", "-preset", "ultrafast", "in.mkv"), spec())
	var nodes []Node
	for _, n := range p.Graph.Branches[0].Nodes {
		if nodes = append(nodes, n); n.Name == "upscale" {
			nodes = append(nodes, Node{Factory: "identity", Props: []Prop{{"sleep-time", "100000"}}}) // 25 times 0.1 s
		}
	}
	p.Graph.Branches[0].Nodes = nodes
	if res, err := (Runner{Log: quiet, Stall: 2 * time.Second}).Run(t.Context(), p); err != nil || res.Encoded != 25 {
		t.Errorf("%d pictures, %v", res.Encoded, err)
	}
}

// TestWatchdogLetsTheUpscalerBeMade looks once a second at a pipeline in which
// nothing moves.
func TestWatchdogLetsTheUpscalerBeMade(t *testing.T) {
	b, err := build(Graph{Mux: []Node{{Factory: "fakesink", Name: "sink"}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWatchdog(b, time.Minute)
		looks := func(preparing bool, n time.Duration) (time.Duration, error) {
			for begin := time.Now(); time.Since(begin) < n; <-time.After(time.Second) {
				if err := w.look(preparing); err != nil {
					return time.Since(begin), err
				}
			}
			return n, nil
		}
		for _, step := range []struct {
			preparing bool
			last      time.Duration
		}{{false, 50 * time.Second}, {true, 20 * time.Minute}, {false, 50 * time.Second}, {true, 20 * time.Minute}} {
			if after, err := looks(step.preparing, step.last); err != nil {
				t.Fatalf("after %s: %v", after, err)
			}
		}
		if after, err := looks(false, time.Hour); CodeOf(err) != CodeStalled || after != time.Minute {
			t.Errorf("without any move for %s: %v", after, err)
		}
		if after, err := looks(true, time.Hour); CodeOf(err) != CodeStalled || after != prepareLimit {
			t.Errorf("with an upscaler that does not get ready for %s: %v", after, err)
		}
	})
}

// TestCancel ends a run in each of its parts: it gives the reason, soon, and
// leaves nothing running.
func TestCancel(t *testing.T) {
	in := small(t, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "ac3", "in.mkv")
	why := errors.New("the user has left")
	cancelled := func(t *testing.T, do func(ctx context.Context, cancel func()) error) {
		t.Helper()
		leak.Goroutines(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		var left time.Time
		err := do(ctx, func() {
			if left.IsZero() {
				left = time.Now()
				cancel(why)
			}
		})
		if took := time.Since(left); !errors.Is(err, why) || took > prompt {
			t.Errorf("%v, %s after it", err, took)
		}
	}
	t.Run("probe", func(t *testing.T) {
		cancelled(t, func(ctx context.Context, cancel func()) error {
			cancel()
			_, err := Probe(ctx, in)
			return err
		})
	})
	t.Run("frames", func(t *testing.T) {
		cancelled(t, func(ctx context.Context, cancel func()) error {
			return Frames(ctx, in, func(Picture) error { cancel(); return nil })
		})
	})
	for _, c := range []struct {
		name   string
		passed int64 // pictures before everything is held back
	}{{"before the first picture", 0}, {"midway", 10}} {
		t.Run(c.name, func(t *testing.T) {
			p := planned(t, in, spec())
			cancelled(t, func(ctx context.Context, cancel func()) error {
				b, err := build(p.Graph, false)
				if err != nil {
					t.Fatal(err)
				}
				holdBack(b.named["encode"].GetStaticPad("src"), c.passed)
				r := Runner{Log: quiet, Observe: func(p Progress) {
					if p.Upscaled >= c.passed {
						cancel()
					}
				}}
				_, err = r.play(ctx, b, p)
				return errors.Join(err, b.close())
			})
		})
	}
	t.Run("seek", func(t *testing.T) {
		s := spec()
		s.Start = 200 * time.Millisecond
		p := planned(t, in, s)
		p.Graph.Branches = append([]Branch{}, p.Graph.Branches...)
		p.Graph.Branches[1].StreamID = "none" // waited for, and never there
		cancelled(t, func(ctx context.Context, cancel func()) error {
			b, err := build(p.Graph, true)
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			_, err = Runner{Log: quiet}.play(ctx, b, p)
			return errors.Join(err, b.close())
		})
	})
}

// TestModelFails runs a model that fails on the frames it gets; the process
// runs another afterwards.
func TestModelFails(t *testing.T) {
	t.Parallel()
	in := small(t, "-c:v", "libx264", "-preset", "ultrafast", "in.mkv")
	for _, c := range []struct{ model, part string }{{"not-onnx", "the model failed"}, {"small-only", "the model failed"}} {
		s := spec()
		s.Model = c.model
		_, _, err := tryTranscode(t, in, &s)
		refused(t, err, CodeModel, c.part)
	}
	transcode(t, in, spec())
}
