package pipeline

import (
	"sync"

	"github.com/upscaled-media/upscaled/elements/grid"
	"github.com/upscaled-media/upscaled/filters"
)

// changes are made again when the elements are built anew. Lock order: Play.mu,
// changes.mu.
type changes struct {
	mu   sync.Mutex
	kept []func() error // guarded by mu
	over bool           // guarded by mu; the elements stay, or the run has ended
}

func (c *changes) keep(change func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.kept = append(c.kept, change)
	}
}

func (c *changes) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept, c.over = nil, true
}

// SetModel puts another model of the same scale to work between two frames.
func (r *Play) SetModel(name string) error {
	return r.change(func() error { return r.upscaler.SetModel(name) })
}

// SetStrength sets the share of the model in its mix with a bicubic upscale.
func (r *Play) SetStrength(strength float64) error {
	return r.change(func() error { return r.upscaler.SetStrength(strength) })
}

// SetFilters moves the filters. cube is the table that s.LUT names.
func (r *Play) SetFilters(s filters.Settings, cube *filters.Cube) error {
	return r.change(func() error { return r.adjuster.Set(s, cube) })
}

// KeyFrame makes the next picture a key frame.
func (r *Play) KeyFrame() {
	_ = r.change(func() error { grid.KeyFrame(r.built.named["grid"].Unsafe()); return nil }) // that does not fail
}

// change calls f while the elements of a run of the picture live, which they do
// before Run, too. It may take as long as a model needs to load.
func (r *Play) change(f func() error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.upscaler == nil {
		return nil
	}
	if r.alive {
		if err := f(); err != nil {
			return fail(CodeSpec, err, "%s", err.Error())
		}
	}
	r.changes.keep(f)
	return nil
}
