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

func (g *gauge) Measure(_ context.Context, model string) (wire.Costs, error) {
	g.asked++
	<-time.After(time.Second)
	return wire.Costs{Model: model, Upscale: 100, Encode: 10}, g.err
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
			go func() { results <- tariff.Learn(t.Context(), "a-x2", g) }()
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
		if c := tariff.Learn(t.Context(), "a-x2", g); c != nil {
			t.Errorf("costs %+v of a failed measure", c)
		}
		if _, known := tariff.Cost(&wire.Opened{}, Settings{Model: "a-x2"}); known {
			t.Error("a cost is known after a failed measure")
		}
		g.err = nil
		if c := tariff.Learn(t.Context(), "a-x2", g); c == nil {
			t.Error("no costs the second time")
		}
	})
}

// TestTariffPredictsChanges reckons by hand what another model and height cost.
func TestTariffPredictsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tariff, g := newTariff(), &gauge{}
		tariff.Learn(t.Context(), "a-x2", g)
		tariff.Learn(t.Context(), "b-x3", g)
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
