package upscale

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
)

// settings are the properties of an element. GStreamer keeps each in its range;
// what cannot be used beyond that fails what is started with it.
type settings struct {
	model, provider, precision string
	device, threads, tile      int
	strength                   float64
	passthrough                bool
}

var defaults = settings{model: DefaultModel, provider: infer.ProviderAuto, precision: infer.PrecisionAuto, strength: 1}

// fixed returns the settings that cannot change while frames flow.
func (s settings) fixed() settings {
	s.model, s.strength, s.passthrough = "", 0, false
	return s
}

// config returns what an upscaler for frames of layout l is to be.
func (s settings) config(l frame.Layout) infer.Config {
	return infer.Config{
		In: l, Provider: s.provider, Device: s.device, Precision: s.precision,
		Threads: s.threads, Tile: s.tile, Mix: s.strength < 1,
	}
}

// SetModel changes the model. While frames flow the new one must have the scale
// of the old one; it is ready before the old one is let go, between two frames.
// On an error the old one stays.
func (e *Element) SetModel(name string) error {
	return e.adjust(func(s *settings) { s.model = name })
}

// SetStrength sets the share of the model in its mix with a bicubic upscale,
// 0 to 1. It takes effect between two frames.
func (e *Element) SetStrength(strength float64) error {
	if !(strength >= 0 && strength <= 1) { // NaN neither
		return fmt.Errorf("%w: strength: must be 0 to 1 (got %v)", ErrSetting, strength)
	}
	return e.adjust(func(s *settings) { s.strength = strength })
}

// adjust applies one change of the settings. Where what runs cannot follow it,
// what is to run instead is made first, and then takes its place. On an error
// nothing has changed.
func (e *Element) adjust(apply func(*settings)) error {
	e.change.Lock()
	defer e.change.Unlock()
	old, model := e.settings(), e.loaded()
	set := old
	apply(&set)
	if e.started && set.fixed() != old.fixed() {
		return fmt.Errorf("%w: only model, strength and passthrough can change while frames flow; go back to READY first", ErrSetting)
	}
	if model != nil && set.model != old.model {
		m, err := e.replacement(model, set.model)
		if err != nil {
			return err
		}
		model = m
	}
	if e.layout != nil {
		if err := e.run(model, set.config(*e.layout)); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model, e.set = model, set
	return nil
}

// replacement loads the model that is to run after old. The caller holds change.
func (e *Element) replacement(old *infer.Model, name string) (*infer.Model, error) {
	m, err := e.cfg.Model(name)
	if err != nil {
		return nil, err
	}
	if from, to := old.Facts().Scale, m.Facts().Scale; e.started && from != to {
		return nil, fmt.Errorf("%w: model %s makes frames %d times larger, the running one %d times; go back to READY first",
			ErrSetting, name, to, from)
	}
	return m, nil
}

// settings returns the settings as they are now.
func (e *Element) settings() settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}
