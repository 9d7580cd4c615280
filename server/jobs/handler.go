package jobs

import (
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// handler takes what the worker of an attempt says.
type handler struct{ *attempt }

// Written implements session.Handler, like the methods below.
func (h handler) Written(m wire.Written) {
	q := h.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	h.meter.written = m
	length := filmLength(q.jobs[h.id])
	q.hub.changed(h.id, true)
	p := session.Progress{
		Position: m.Position, Duration: length, Decoded: m.Decoded, Upscaled: m.Upscaled, Plain: m.Plain, Encoded: m.Encoded,
	}
	p.Left = p.Estimate(h.meter.elapsed(time.Now()))
	h.life.Progress(p)
}

func (h handler) Ended(m wire.Ended) {
	select {
	case h.ended <- m:
	default: // a worker that says so twice
	}
}

func (h handler) Gone(err error) { h.gone <- err }

func (h handler) Stats(m wire.Stats) { h.life.Stats(m) }

func (h handler) Warning(m wire.Warning) { h.life.Warn(m) }

func (handler) Init(wire.Init)         {}
func (handler) Packet(wire.Packet)     {}
func (handler) Cue(wire.Cue)           {}
func (handler) Progress(wire.Progress) {}
