package upscale

import (
	"errors"
	"sync"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/infer"
)

// fake is an upscaler that does what a test says. Unless it does, it leaves the
// output as it is.
type fake struct {
	infer.Config
	model *infer.Model
	run   func(strength float32) error
	made  *fakes
}

// fakes makes fakes and counts them.
type fakes struct {
	run  func(strength float32) error // of each one; nil does nothing
	fail error                        // of making one

	mu     sync.Mutex
	made   []*fake // guarded by mu
	closed int     // guarded by mu
}

var errFake = errors.New("the test's own error")

// use makes new elements use fakes until the end of the test.
func (f *fakes) use(t *testing.T) *fakes {
	t.Helper()
	configure(t, func(c *Config) { c.upscaler = f.new })
	return f
}

func (f *fakes) new(m *infer.Model, c infer.Config) (upscaler, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	u := &fake{Config: c, model: m, run: f.run, made: f}
	f.made = append(f.made, u)
	return u, nil
}

// count returns how many were made, and how many of them are not closed.
func (f *fakes) count() (made, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.made), len(f.made) - f.closed
}

func (u *fake) Run(_, _ frame.Frame, strength float32) error {
	if u.run == nil {
		return nil
	}
	return u.run(strength)
}

func (u *fake) Close() error {
	u.made.mu.Lock()
	defer u.made.mu.Unlock()
	u.made.closed++
	return nil
}

func (u *fake) In() frame.Layout  { return u.Config.In }
func (u *fake) Out() frame.Layout { return u.Config.In.Scaled(u.model.Facts().Scale) }
func (u *fake) Provider() string  { return "fake" }
func (u *fake) Notes() []string   { return []string{"cuda: the test has none"} }
