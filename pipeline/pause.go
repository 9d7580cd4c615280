package pipeline

import (
	"sync"

	"github.com/go-gst/go-gst/gst"
)

// Pause stops a run in front of its upscaler, and lets it go on: what is costly rests,
// and soon all else, for its queues are full or empty. It may be used from any
// goroutine, before the run and after it. The zero value lets go.
type Pause struct {
	mu      sync.Mutex
	on      bool     // guarded by mu
	pad     *gst.Pad // guarded by mu; nil while nothing runs
	release func()   // guarded by mu; nil while nothing is held
}

// Set holds the run, or lets it go on.
func (p *Pause) Set(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
	p.apply()
}

// Held reports whether a run is held, or would be. There may be no Pause.
func (p *Pause) Held() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on
}

// attach gives the pad at which a run is held.
func (p *Pause) attach(pad *gst.Pad) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pad = pad
	p.apply()
}

// detach comes before the elements go.
func (p *Pause) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release != nil {
		p.release()
	}
	p.pad, p.release = nil, nil
}

// apply brings the pad in line. The caller holds mu.
func (p *Pause) apply() {
	switch {
	case p.pad == nil:
	case p.on && p.release == nil:
		p.release = hold(p.pad)
	case !p.on && p.release != nil:
		p.release()
		p.release = nil
	}
}
