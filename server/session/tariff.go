package session

import (
	"context"
	"log/slog"
	"math"
	"sync"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Tariff knows what films cost on this machine: workers measure it, once for each
// model. All methods may be called by any goroutine.
type Tariff struct {
	// Scale returns how many times larger a model makes a picture; false for a model
	// that is not known.
	Scale func(model string) (int, bool)
	Log   *slog.Logger

	mu    sync.Mutex
	costs map[string]*price // guarded by mu; by model
}

// price is what a model costs, or the wait for that.
type price struct {
	known chan struct{} // closed when the measure is over
	costs *wire.Costs   // nil where it failed; written before known is closed
}

// measurer is what of a worker the tariff uses.
type measurer interface {
	// Measure has an idle worker measure the machine.
	Measure(ctx context.Context, model string) (wire.Costs, error)
}

// Learn returns what a model costs. Where nobody knows yet, the worker measures it;
// sessions that want to know at the same time wait for that. It is nil where
// measuring failed, which is tried again next time.
func (t *Tariff) Learn(ctx context.Context, model string, w measurer) *wire.Costs {
	t.mu.Lock()
	p := t.costs[model]
	if p != nil {
		t.mu.Unlock()
		select {
		case <-p.known:
		case <-ctx.Done():
			return nil
		}
		return p.costs
	}
	if t.costs == nil {
		t.costs = map[string]*price{}
	}
	p = &price{known: make(chan struct{})}
	t.costs[model] = p
	t.mu.Unlock()
	defer close(p.known)
	costs, err := w.Measure(ctx, model)
	if err == nil {
		p.costs = &costs
		t.Log.Info("machine measured", "model", model, "decode_ms", costs.Decode, "upscale_ms", costs.Upscale, "encode_ms", costs.Encode)
		return p.costs
	}
	t.Log.Warn("measuring the machine failed", "model", model, "err", err)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.costs, model)
	return nil
}

// Known returns what is known of each model.
func (t *Tariff) Known() []wire.Costs {
	t.mu.Lock()
	defer t.mu.Unlock()
	var known []wire.Costs
	for _, p := range t.costs {
		select {
		case <-p.known:
			if p.costs != nil {
				known = append(known, *p.costs)
			}
		default:
		}
	}
	return known
}

// Cost predicts what a film costs with other settings than it was opened with. It
// is an Options.Cost.
func (t *Tariff) Cost(film *wire.Opened, s Settings) (wire.Cost, bool) {
	t.mu.Lock()
	p := t.costs[s.Model]
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
