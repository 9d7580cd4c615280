package upscale

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
)

// Config is what the elements of a process share.
type Config struct {
	Runtime *infer.Runtime
	// Model returns the model with an id or at a path. It is called on any
	// goroutine, by several elements at once.
	Model func(name string) (*infer.Model, error)
	Log   *slog.Logger
}

// settings are the properties of an element.
type settings struct {
	model, provider, precision string
	device, threads, tile      int
	strength                   float64
	passthrough                bool
}

// Element is the Go half of one instance of the GStreamer element. Its state
// moves closed → open (the model is loaded) → running (an upscaler for the
// negotiated layout) and back.
//
// Lock order: change, frame, mu.
type Element struct {
	cfg Config

	change sync.Mutex // held while the model, the layout or the mix changes

	frame  sync.Mutex      // held for as long as a frame is in work
	active *infer.Upscaler // guarded by frame

	mu     sync.Mutex
	set    settings      // guarded by mu
	model  *infer.Model  // guarded by mu; nil when closed
	layout *frame.Layout // guarded by mu; nil before SetLayout
	mixing bool          // guarded by mu; whether active was built to mix
	count  counter       // guarded by mu
	runs   string        // guarded by mu; the provider that runs
	notes  []string      // guarded by mu
	err    error         // guarded by mu; the first that failed the element
}

func newElement(cfg Config) *Element {
	return &Element{cfg: cfg, set: settings{model: "swift-s-x2", provider: "auto", precision: "auto", strength: 1}}
}

// Open loads the model.
func (e *Element) Open() error {
	e.change.Lock()
	defer e.change.Unlock()
	m, err := e.cfg.Model(e.settings().model)
	if err != nil {
		return e.failed(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model, e.count, e.err = m, counter{}, nil
	return nil
}

// Close lets go of everything that Open and SetLayout took. It waits for a
// frame in work.
func (e *Element) Close() {
	e.change.Lock()
	defer e.change.Unlock()
	e.replace(nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model, e.layout = nil, nil
}

// Scale returns how many times larger the frames get: 1 in passthrough and
// before Open.
func (e *Element) Scale() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil || e.set.passthrough {
		return 1
	}
	return e.model.Facts().Scale
}

// SetLayout builds the upscaler for frames of layout l.
func (e *Element) SetLayout(l frame.Layout) error {
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	e.layout = &l
	m, set := e.model, e.set
	e.mu.Unlock()
	if set.passthrough {
		return nil
	}
	return e.failed(e.build(m, set))
}

// build makes an upscaler of m and puts it in the place of the running one.
// The caller holds change.
func (e *Element) build(m *infer.Model, set settings) error {
	e.mu.Lock()
	layout := *e.layout
	e.mu.Unlock()
	u, err := infer.New(e.cfg.Runtime, m, infer.Config{
		In: layout, Provider: set.provider, Device: set.device, Precision: set.precision,
		Threads: set.threads, Tile: set.tile, Mix: set.strength < 1, Log: e.cfg.Log,
	})
	if err != nil {
		return err
	}
	e.replace(u)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model, e.mixing, e.runs, e.notes = m, set.strength < 1, u.Provider(), u.Notes()
	e.cfg.Log.Info("upscaler ready", "model", m.Name(), "provider", e.runs, "width", layout.Width, "height", layout.Height,
		"format", layout.Format.String(), "refused", e.notes)
	return nil
}

// replace puts u in the place of the running upscaler between two frames.
func (e *Element) replace(u *infer.Upscaler) {
	e.frame.Lock()
	old := e.active
	e.active = u
	e.frame.Unlock()
	if old != nil {
		if err := old.Close(); err != nil {
			e.cfg.Log.Warn("closing an upscaler failed", "err", err)
		}
	}
}

// Frame upscales in into out, whose memory is used during the call only.
func (e *Element) Frame(in, out frame.Frame) error {
	set := e.settings()
	e.frame.Lock()
	defer e.frame.Unlock()
	if e.active == nil {
		return e.failed(errors.New("a frame came before its caps"))
	}
	start := time.Now()
	err := e.active.Run(in, out, float32(set.strength))
	e.mu.Lock()
	e.count.add(time.Since(start), err)
	e.mu.Unlock()
	return e.failed(err)
}

// Stats returns the figures since Open.
func (e *Element) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Stats{
		Upscaled: e.count.upscaled, Failed: e.count.failed, Busy: e.count.busy,
		Model: e.set.model, Provider: e.runs, Notes: e.notes,
	}
	s.Median, s.P95 = e.count.quantiles()
	return s
}

// Err returns the first error that failed the element, in the form it had
// before it became a sentence on the bus; nil if none did.
func (e *Element) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// SetModel changes the model. While frames are flowing the new one must have
// the scale of the old one; it is ready before the old one is let go. On an
// error the old one stays.
func (e *Element) SetModel(name string) error {
	return e.change1(func(s *settings) { s.model = name })
}

// SetStrength sets the share of the model in its mix with a bicubic upscale,
// 0 to 1. It takes effect between two frames.
func (e *Element) SetStrength(strength float64) error {
	return e.change1(func(s *settings) { s.strength = strength })
}

// change1 applies one change of the settings, and rebuilds the upscaler first
// when what runs cannot follow it.
func (e *Element) change1(apply func(*settings)) error {
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	set, model, running, mixing := e.set, e.model, e.layout != nil, e.mixing
	old := set
	e.mu.Unlock()
	apply(&set)
	if model != nil && set.model != old.model {
		m, err := e.cfg.Model(set.model)
		if err != nil {
			return err
		}
		if running && m.Facts().Scale != model.Facts().Scale {
			return fmt.Errorf("%w: model %s makes frames %d times larger, the running one %d times; stop first",
				ErrSetting, set.model, m.Facts().Scale, model.Facts().Scale)
		}
		model = m
	}
	if running && !set.passthrough && (set.model != old.model || set.strength < 1 && !mixing) {
		if err := e.build(model, set); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model, e.set = model, set
	return nil
}

func (e *Element) settings() settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// failed remembers err as what failed the element, and returns it.
func (e *Element) failed(err error) error {
	if err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.err == nil {
			e.err = err
		}
	}
	return err
}
