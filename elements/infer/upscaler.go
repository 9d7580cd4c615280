package infer

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
)

// Config says what an Upscaler is for. The zero value of each field but In is
// a default.
type Config struct {
	In        frame.Layout // of the frames that Run will get
	Provider  string       // one of the Provider constants; "" is ProviderAuto
	Device    int          // number of the GPU, from 0
	Precision string       // one of the Precision constants; "" is PrecisionAuto
	Threads   int          // of the CPU provider; 0 is DefaultThreads()
	Tile      int          // longest side of a tile in pixels of the input, from MinTile; 0 is the whole frame where the model can
	Mix       bool         // Run mixes with a bicubic upscale by its strength
	CacheDir  string       // where TensorRT engines are kept; "" is a folder in the user's cache directory
	Log       *slog.Logger // nil is silence
}

// MinTile is the smallest tile that can be asked for, in pixels.
const MinTile = 32

// DefaultThreads returns the threads that a CPU session uses unless told: the
// cores that this process may use, and at most 8, because the networks that
// keep up with video on a CPU are too small to gain from more.
func DefaultThreads() int { return min(runtime.GOMAXPROCS(0), 8) }

// Upscaler is one model on one provider for frames of one layout. It is used
// by one caller at a time; Stats may be called at any time.
type Upscaler struct {
	model    *Model
	in, out  frame.Layout
	provider string
	notes    []string
	stats    meter

	mu    sync.Mutex // held for the whole of Run and Close
	lanes []*lane    // guarded by mu; empty after Close
	tiles *tiling    // guarded by mu; set where the one lane computes tiles
	bands *banding   // guarded by mu; set where there are several lanes
}

// New loads m for frames of cfg.In on the first provider that can run it, or on
// the one that cfg names, and proves it by running a test frame. It may take
// long: TensorRT builds an engine here unless it is in the cache. The caller
// must Close the Upscaler.
//
// The error wraps ErrConfig, ErrProvider, ErrModelRun, ErrRuntime or an error
// of the frame package.
func New(rt *Runtime, m *Model, cfg Config) (*Upscaler, error) {
	if rt == nil {
		return nil, fmt.Errorf("%w: it has not been opened", ErrRuntime)
	}
	return newUpscaler(m, cfg, providers)
}

// newUpscaler is New with the providers to try in auto, in order.
func newUpscaler(m *Model, cfg Config, chain []provider) (*Upscaler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	out := cfg.In.Scaled(m.facts.Scale)
	if err := out.Check(); err != nil {
		return nil, fmt.Errorf("upscaled %d times: %w", m.facts.Scale, err)
	}
	u := &Upscaler{model: m, in: cfg.In, out: out}
	if err := u.open(cfg, chain); err != nil {
		return nil, err
	}
	return u, nil
}

// check returns an error that wraps ErrConfig or one of the frame package.
func (c Config) check() error {
	if err := c.In.Check(); err != nil {
		return err
	}
	switch {
	case !knownProvider(c.Provider):
		return fmt.Errorf("%w: provider: must be auto, tensorrt, cuda, openvino, webgpu or cpu (got %q)", ErrConfig, c.Provider)
	case !knownPrecision(c.Precision):
		return fmt.Errorf("%w: precision: must be auto, fp32 or fp16 (got %q)", ErrConfig, c.Precision)
	case c.Device < 0:
		return fmt.Errorf("%w: device: must be at least 0 (got %d)", ErrConfig, c.Device)
	case c.Threads < 0 || c.Threads > 256:
		return fmt.Errorf("%w: threads: must be 0 to 256 (got %d)", ErrConfig, c.Threads)
	case c.Tile != 0 && (c.Tile < MinTile || c.Tile > frame.MaxSide):
		return fmt.Errorf("%w: tile: must be 0 or %d to %d (got %d)", ErrConfig, MinTile, frame.MaxSide, c.Tile)
	}
	return nil
}

// Run upscales in to out. Both are borrowed for the call, must not overlap, and
// have the layouts that were negotiated (the colour that they carry was fixed
// by New). Strength, 0 to 1, is how much of the network's picture is in the
// result, the rest being a bicubic upscale; it has no effect without Mix.
//
// On an error out holds no picture and must not be shown.
func (u *Upscaler) Run(in, out frame.Frame, strength float32) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.lanes) == 0 {
		return ErrClosed
	}
	if err := errors.Join(fits(in, u.in), fits(out, u.out)); err != nil {
		return err
	}
	strength = min(max(strength, 0), 1)
	begin := time.Now()
	err := u.upscale(in, out, strength)
	if err != nil {
		u.stats.failed()
		return fmt.Errorf("model %s on %s: %w", u.model.name, u.provider, err)
	}
	u.stats.done(time.Since(begin))
	return nil
}

// upscale computes the frame whole, in tiles or in bands.
func (u *Upscaler) upscale(in, out frame.Frame, strength float32) error {
	switch {
	case u.bands != nil:
		return u.bands.run(in, out, strength)
	case u.tiles != nil:
		return u.tiles.run(in, out, func() error {
			return u.lanes[0].compute(u.tiles.tile, u.tiles.result, strength)
		})
	default:
		return u.lanes[0].compute(in, out, strength)
	}
}

// fits returns an error that wraps ErrFrame or one of the frame package's
// unless f is a frame of layout l. Colour is not compared.
func fits(f frame.Frame, l frame.Layout) error {
	if f.Format != l.Format || f.Width != l.Width || f.Height != l.Height {
		return fmt.Errorf("%w: %s %dx%d, want %s %dx%d", ErrFrame, f.Format, f.Width, f.Height, l.Format, l.Width, l.Height)
	}
	return f.Check()
}

// In returns the layout of the frames that Run reads.
func (u *Upscaler) In() frame.Layout { return u.in }

// Out returns the layout of the frames that Run writes: In, scaled.
func (u *Upscaler) Out() frame.Layout { return u.out }

// Model returns the model that runs.
func (u *Upscaler) Model() *Model { return u.model }

// Provider returns the name of the provider that runs the model.
func (u *Upscaler) Provider() string { return u.provider }

// Notes returns a sentence for each provider that was tried before and refused,
// and for what else is worth knowing of the one that runs.
func (u *Upscaler) Notes() []string { return u.notes }

// Stats returns what Run has done so far.
func (u *Upscaler) Stats() Stats { return u.stats.read() }

// Close ends the session and frees its memory, after a Run in progress. Close
// may be called again and does nothing then.
func (u *Upscaler) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var faults []error
	for _, l := range u.lanes {
		faults = append(faults, l.engine.close())
	}
	u.lanes, u.tiles, u.bands = nil, nil, nil
	return errors.Join(faults...)
}
