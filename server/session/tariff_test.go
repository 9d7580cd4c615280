package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// gauge measures after a while.
type gauge struct {
	asked int
	err   error
}

func (g *gauge) Measure(_ context.Context, m wire.Measure) (wire.Costs, error) {
	g.asked++
	<-time.After(time.Second)
	if m.Provider == "cuda" {
		return wire.Costs{Model: m.Model, Provider: m.Provider, Upscale: 5, Encode: 10, GPU: 2}, g.err
	}
	return wire.Costs{Model: m.Model, Provider: "cpu", Upscale: 100, Encode: 10}, g.err
}

// learn has a tariff learn what a model costs that anything may run.
func learn(t *testing.T, tariff *Tariff, model string, g *gauge) *wire.Costs {
	t.Helper()
	costs, err := tariff.Learn(t.Context(), wire.Measure{Model: model}, g)
	if err != nil {
		t.Error(err)
	}
	return costs
}

func newTariff() *Tariff {
	return &Tariff{
		Log:   slog.New(slog.DiscardHandler),
		Scale: func(model string) (int, bool) { return map[string]int{"a-x2": 2, "b-x3": 3}[model], model != "" },
	}
}

// TestTariffMeasuresOnce has sessions that want to know one model's cost wait for
// the one that measures it.
func TestTariffMeasuresOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tariff, g := newTariff(), &gauge{}
		results := make(chan *wire.Costs, 3)
		for range 3 {
			go func() { results <- learn(t, tariff, "a-x2", g) }()
		}
		for range 3 {
			if c := <-results; c == nil || c.Upscale != 100 {
				t.Errorf("costs %+v", c)
			}
		}
		if g.asked != 1 {
			t.Errorf("measured %d times", g.asked)
		}
		if known := tariff.Known(); len(known) != 1 || known[0].Model != "a-x2" {
			t.Errorf("known: %+v", known)
		}
	})
}

// TestTariffTriesAgain measures anew after a failure, and knows nothing until then.
func TestTariffTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tariff, g := newTariff(), &gauge{err: errors.New("out of order")}
		if c := learn(t, tariff, "a-x2", g); c != nil {
			t.Errorf("costs %+v of a failed measure", c)
		}
		if _, known := tariff.Cost(&wire.Opened{}, Settings{Model: "a-x2"}); known {
			t.Error("a cost is known after a failed measure")
		}
		g.err = nil
		if c := learn(t, tariff, "a-x2", g); c == nil {
			t.Error("no costs the second time")
		}
	})
}

// TestTariffPredictsChanges reckons by hand what another model and height cost.
func TestTariffPredictsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tariff, g := newTariff(), &gauge{}
		learn(t, tariff, "a-x2", g)
		learn(t, tariff, "b-x3", g)
		film := &wire.Opened{Video: wire.VideoInfo{Rate: [2]int{25, 1}, SourceSize: [2]int{1000, 500}, Size: [2]int{2000, 1000}}}
		for _, c := range []struct {
			settings Settings
			core     float64 // 25 × (0.5 × 100 + megapixels × 10)
		}{
			{Settings{Model: "a-x2"}, 25 * (50 + 20)},
			{Settings{Model: "b-x3"}, 25 * (50 + 45)},
			{Settings{Model: "b-x3", Height: 500}, 25 * (50 + 5)},
		} {
			cost, known := tariff.Cost(film, c.settings)
			if !known || cost.CoreMS < c.core-0.01 || cost.CoreMS > c.core+0.01 {
				t.Errorf("%+v: %+v %v, want %g", c.settings, cost, known, c.core)
			}
		}
		if _, known := tariff.Cost(film, Settings{Model: "c"}); known {
			t.Error("the cost of a model is known that nobody measured")
		}
	})
}

// TestTariffKnowsWhatRuns keeps apart what a model takes of the processor and of a GPU.
func TestTariffKnowsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tariff, g := newTariff(), &gauge{}
		learn(t, tariff, "a-x2", g)
		film := &wire.Opened{Video: wire.VideoInfo{Rate: [2]int{25, 1}, SourceSize: [2]int{1000, 500}, Size: [2]int{2000, 1000}}}
		onGPU := Settings{Model: "a-x2", Provider: "cuda"}
		if _, known := tariff.Cost(film, onGPU); known {
			t.Error("the cost on a GPU is known from the processor's")
		}
		if _, err := tariff.Learn(t.Context(), measureOf(onGPU.upscale()), g); err != nil {
			t.Fatal(err)
		}
		onOther := onGPU
		onOther.Device = 1
		for _, c := range []struct {
			settings  Settings
			known     bool
			core, gpu float64
		}{
			{Settings{Model: "a-x2"}, true, 25 * (0.5*100 + 2*10), 0},
			{onGPU, true, 25 * (0.5*5 + 2*10), 25 * 0.5 * 2},
			{onOther, false, 0, 0},
			{Settings{Model: "a-x2", Provider: "cpu"}, true, 25 * (0.5*100 + 2*10), 0}, // which auto has come to
		} {
			if cost, known := tariff.Cost(film, c.settings); known != c.known || cost.CoreMS != c.core || cost.GPUMS != c.gpu {
				t.Errorf("%+v: %+v %v, want %+v", c.settings, cost, known, c)
			}
		}
		if known := tariff.Known(); len(known) != 2 || known[0].Provider != "cpu" || known[1].Provider != "cuda" {
			t.Errorf("known: %+v", known)
		}
	})
}

// TestTariffTellsWhatCannotRun gives everyone who asks the worker's reason, and asks
// anew later: a driver may be there then.
func TestTariffTellsWhatCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := &wire.Error{Code: wire.CodeProvider, Sentence: "No GPU."}
		tariff, g := newTariff(), &gauge{err: reason}
		m := wire.Measure{Model: "a-x2", Provider: "cuda"}
		results := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := tariff.Learn(t.Context(), m, g)
				results <- err
			}()
		}
		for range 3 {
			if err := <-results; !errors.Is(err, reason) {
				t.Errorf("told %v", err)
			}
		}
		if g.asked != 1 {
			t.Errorf("measured %d times", g.asked)
		}
		g.err = nil
		if costs, err := tariff.Learn(t.Context(), m, g); err != nil || costs == nil {
			t.Errorf("%+v, %v once it runs", costs, err)
		}
	})
}
