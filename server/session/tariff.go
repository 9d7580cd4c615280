package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Tariff knows what films cost on this machine: workers measure it, once for each
// model and what runs it. All methods may be called by any goroutine.
type Tariff struct {
	// Scale returns how many times larger a model makes a picture; false for a model
	// that is not known.
	Scale func(model string) (int, bool)
	Log   *slog.Logger

	mu    sync.Mutex
	costs map[wire.Measure]*price // guarded by mu; by what was measured, without ID
}

// price is what a model costs where it runs, or the wait for that.
type price struct {
	known chan struct{} // closed when the measure is over

	// Written before known is closed.
	costs   *wire.Costs // nil where the measure failed
	refused error       // why the model cannot run there, nil where it can or nobody knows
}

// measurer is what of a worker the tariff uses.
type measurer interface {
	// Measure has an idle worker measure the machine.
	Measure(ctx context.Context, m wire.Measure) (wire.Costs, error)
}

// measureOf asks what upscaling so costs.
func measureOf(u wire.Upscale) wire.Measure {
	return wire.Measure{Model: u.Model, Provider: u.Provider, Device: u.Device}
}

// Learn returns what a model costs where it is to run. Where nobody knows yet, the
// worker measures it; sessions that want to know at the same time wait for that. It is
// nil where measuring failed, which is tried again next time. The error is a *wire.Error
// that says that the model cannot run there: no film could be made.
func (t *Tariff) Learn(ctx context.Context, m wire.Measure, w measurer) (*wire.Costs, error) {
	t.mu.Lock()
	p := t.costs[m]
	if p != nil {
		t.mu.Unlock()
		select {
		case <-p.known:
		case <-ctx.Done():
			return nil, nil
		}
		return p.costs, p.refused
	}
	if t.costs == nil {
		t.costs = map[wire.Measure]*price{}
	}
	p = &price{known: make(chan struct{})}
	t.costs[m] = p
	t.mu.Unlock()
	defer close(p.known)
	costs, err := w.Measure(ctx, m)
	if err == nil {
		p.costs = &costs
		t.share(m, p)
		t.Log.Info("machine measured", "model", m.Model, "provider", costs.Provider,
			"decode_ms", costs.Decode, "upscale_ms", costs.Upscale, "encode_ms", costs.Encode, "gpu_ms", costs.GPU)
		return p.costs, nil
	}
	said := &wire.Error{}
	if errors.As(err, &said) && said.Code == wire.CodeProvider {
		p.refused = err
	}
	t.Log.Warn("measuring the machine failed", "model", m.Model, "provider", m.Provider, "err", err, "detail", said.Detail)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.costs, m)
	return nil, p.refused
}

// share gives the costs of a model that auto was to run also to who names the provider
// that it came to.
func (t *Tariff) share(m wire.Measure, p *price) {
	m.Provider = p.costs.Provider
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.costs[m] == nil {
		t.costs[m] = p
	}
}

// Known returns what is known of each model, by its name and what runs it.
func (t *Tariff) Known() []wire.Costs {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := map[*price]bool{} // one may be there for auto and for what that is
	var known []wire.Costs
	for _, p := range t.costs {
		select {
		case <-p.known:
			if p.costs != nil && !seen[p] {
				seen[p] = true
				known = append(known, *p.costs)
			}
		default:
		}
	}
	slices.SortFunc(known, func(a, b wire.Costs) int {
		return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Provider, b.Provider))
	})
	return known
}

// Cost predicts what a film costs with other settings than it was opened with. It
// is an Options.Cost.
func (t *Tariff) Cost(film *wire.Opened, s Settings) (wire.Cost, bool) {
	t.mu.Lock()
	p := t.costs[measureOf(s.upscale())]
	t.mu.Unlock()
	scale, known := t.Scale(s.Model)
	if p == nil || !known {
		return wire.Cost{}, false
	}
	select {
	case <-p.known:
	default:
		return wire.Cost{}, false
	}
	if p.costs == nil {
		return wire.Cost{}, false
	}
	v := film.Video
	v.Size = resized(v, scale, s.Height)
	return p.costs.Predict(v), true
}

// resized returns about the size that a picture gets; the worker rounds it.
func resized(v wire.VideoInfo, scale, height int) [2]int {
	w, h := v.SourceSize[0]*scale, v.SourceSize[1]*scale
	if upright := v.Size[0] > v.Size[1]; upright != (w > h) {
		w, h = h, w // the film is turned
	}
	if height > 0 && h > 0 {
		w, h = int(math.Round(float64(w)*float64(height)/float64(h))), height
	}
	return [2]int{w, h}
}
