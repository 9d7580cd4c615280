package upscale

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
)

// Element is the Go half of one instance of the GStreamer element.
//
// Lock order: change, frame, mu.
type Element struct {
	cfg Config

	preparing atomic.Bool // an upscaler is being made

	change  sync.Mutex    // held while what runs is being changed, which may take seconds
	started bool          // guarded by change; frames may come, the scale is fixed
	layout  *frame.Layout // guarded by change; of the frames that come, nil when they are not upscaled
	made    *recipe       // guarded by change; what active was made of, nil when it is nil

	frame  sync.Mutex // held while a frame is in work
	active upscaler   // guarded by frame; written with change held too

	mu    sync.Mutex   // held for moments only
	set   settings     // guarded by mu; written with change held too
	model *infer.Model // guarded by mu; written with change held too; nil when closed
	plain bool         // guarded by mu; it was negotiated that frames are handed on as they are
	count counter      // guarded by mu
	runs  provider     // guarded by mu; of active, or of the last one
	err   error        // guarded by mu; the first that failed the element
}

// upscaler is what an Element needs of an infer.Upscaler.
type upscaler interface {
	// Run upscales one frame. The element never calls it twice at once.
	Run(in, out frame.Frame, strength float32) error
	In() frame.Layout
	Out() frame.Layout
	Provider() string
	Notes() []string
	Close() error
}

// recipe is what an upscaler is made of.
type recipe struct {
	model *infer.Model
	cfg   infer.Config
}

// provider is what is known of the provider that runs.
type provider struct {
	name  string
	notes []string
}

// picture is a mapped frame whose layout is known from the caps.
type picture struct {
	width, height int
	planes        [3]frame.Plane
}

func newElement(cfg Config) *Element { return &Element{cfg: cfg, set: defaults} }

// open loads the model.
func (e *Element) open() error {
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	e.err, e.count, e.runs = nil, counter{}, provider{}
	name := e.set.model
	e.mu.Unlock()
	m, err := e.cfg.Model(name)
	if err != nil {
		return e.failed(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model = m
	return nil
}

// start fixes the scale: from here on caps are negotiated with it.
func (e *Element) start() error {
	e.change.Lock()
	defer e.change.Unlock()
	e.started = true
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = nil
	return nil
}

// stop lets go of what negotiate took. No frame is in work or comes any more.
func (e *Element) stop() {
	e.change.Lock()
	defer e.change.Unlock()
	e.started, e.layout = false, nil
	e.replace(nil, nil)
}

// close lets go of everything.
func (e *Element) close() {
	e.stop()
	e.change.Lock()
	defer e.change.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model = nil
}

// scale returns how many times larger the frames get: 1 in passthrough and
// before open.
func (e *Element) scale() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil || e.set.passthrough {
		return 1
	}
	return e.model.Facts().Scale
}

// negotiate makes the upscaler for frames of layout l that leave with the size
// width × height. It reports whether they are to be handed on as they are.
func (e *Element) negotiate(l frame.Layout, width, height int) (plain bool, err error) {
	e.change.Lock()
	defer e.change.Unlock()
	set, m := e.settings(), e.loaded()
	if m == nil {
		return false, e.failed(fmt.Errorf("%w: no model is loaded", ErrCaps))
	}
	out := l.Scaled(m.Facts().Scale)
	switch same := width == l.Width && height == l.Height; {
	// Passthrough may be switched between the questions for caps and this call.
	// The sizes tell what was agreed on; GStreamer negotiates again right after.
	case same && m.Facts().Scale > 1:
		e.layout = nil
		e.setPlain(true)
		return true, nil
	case width != out.Width || height != out.Height:
		return false, e.failed(fmt.Errorf("%w: %dx%d is not %d times %dx%d", ErrCaps, width, height, m.Facts().Scale, l.Width, l.Height))
	}
	e.layout = &l
	if e.made != nil && e.made.cfg.In != l {
		e.replace(nil, nil) // of no use any more, and the next one needs its memory
	}
	e.setPlain(false)
	return set.passthrough && out == l, e.failed(e.run(m, set.config(l)))
}

func (e *Element) setPlain(plain bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plain = plain
}

// nextIsPlain reports whether the next frame is to be handed on as it is, and
// counts it if so. A model of scale 1 is ready in passthrough too: sizes are the
// same then, so that no negotiation comes between.
func (e *Element) nextIsPlain() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	plain := e.plain || e.set.passthrough && e.model.Facts().Scale == 1
	if plain {
		e.count.plain++
	}
	return plain
}

// run makes sure that an upscaler of m with cfg is active. The one that is
// stays if it can do the same, and until a new one is ready. The caller holds
// change.
func (e *Element) run(m *infer.Model, cfg infer.Config) error {
	want := recipe{m, cfg}
	if e.made != nil {
		want.cfg.Mix = cfg.Mix || e.made.cfg.Mix // one that mixes does full strength too
		if *e.made == want {
			return nil
		}
		want.cfg.Mix = cfg.Mix
	}
	logged := cfg
	logged.Log = e.cfg.Log
	e.preparing.Store(true)
	u, err := e.cfg.upscaler(m, logged)
	e.preparing.Store(false)
	if err != nil {
		return err
	}
	e.replace(u, &want)
	e.mu.Lock()
	e.runs = provider{u.Provider(), u.Notes()}
	e.mu.Unlock()
	e.cfg.Log.Info("upscaler ready", "model", m.Name(), "provider", u.Provider(), "width", cfg.In.Width,
		"height", cfg.In.Height, "format", cfg.In.Format.String(), "notes", u.Notes())
	return nil
}

// replace puts u in the place of the active upscaler, between two frames. The
// caller holds change.
func (e *Element) replace(u upscaler, made *recipe) {
	e.frame.Lock()
	old := e.active
	e.active = u
	e.frame.Unlock()
	e.made = made
	if old != nil {
		if err := old.Close(); err != nil {
			e.cfg.Log.Warn("closing an upscaler failed", "err", err)
		}
	}
}

// upscale makes out of in. Their memory is used during the call only.
func (e *Element) upscale(in, out picture) error {
	e.frame.Lock()
	defer e.frame.Unlock()
	u := e.active
	if u == nil {
		return e.failed(fmt.Errorf("%w: a frame came before its caps", ErrCaps))
	}
	strength := float32(e.settings().strength)
	begin, err := time.Now(), ErrPanic // which it stays when Run does not return
	defer func() { e.counted(time.Since(begin), err) }()
	err = u.Run(in.of(u.In()), out.of(u.Out()), strength)
	return e.failed(err)
}

// of returns p as a frame of layout l with p's own size, so that Run sees when
// they differ.
func (p picture) of(l frame.Layout) frame.Frame {
	l.Width, l.Height = p.width, p.height
	return frame.Frame{Layout: l, Planes: p.planes}
}

// loaded returns the model, nil when the element is closed.
func (e *Element) loaded() *infer.Model {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.model
}

// Preparing reports whether an upscaler is being made, which holds frames up:
// some providers compile the model for its size first, for minutes.
func (e *Element) Preparing() bool { return e.preparing.Load() }

// Err returns the first error that failed the element since it was started, in
// the form it had before it became a sentence on the bus; nil if none did.
func (e *Element) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
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
