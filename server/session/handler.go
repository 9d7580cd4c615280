package session

import (
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// handler takes what the worker of a session says, and lets go what belongs to a
// run that was replaced.
type handler struct{ *Session }

// Init implements Handler, like the methods below.
func (h handler) Init(m wire.Init) {
	h.take(func(time.Time) error {
		if run := h.going(m.Run); run != nil {
			return h.takeInit(run, m)
		}
		return nil
	})
}

func (h handler) Packet(m wire.Packet) {
	h.take(func(now time.Time) error {
		if run := h.going(m.Run); run != nil {
			return h.takePacket(run, m, now)
		}
		return nil
	})
}

func (h handler) Cue(m wire.Cue) {
	h.take(func(time.Time) error {
		if run := h.going(m.Run); run != nil {
			return run.takeCue(m)
		}
		return nil
	})
}

func (h handler) Progress(m wire.Progress) {
	h.take(func(now time.Time) error {
		if run := h.going(m.Run); run != nil {
			return h.takeProgress(run, m.Until, now)
		}
		return nil
	})
}

// Written comes of transcodes alone.
func (h handler) Written(wire.Written) {}

func (h handler) Ended(m wire.Ended) {
	h.take(func(now time.Time) error {
		if run := h.runs[m.Run]; run != nil {
			return h.takeEnded(run, m, now)
		}
		return nil
	})
}

func (h handler) Stats(m wire.Stats) {
	h.take(func(now time.Time) error {
		h.measure(m, h.advance(m), now)
		return nil
	})
}

func (h handler) Warning(m wire.Warning) {
	h.take(func(time.Time) error {
		h.warn(m)
		return nil
	})
}

func (h handler) Gone(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail(failure(err, CodeWorkerLost))
}

// take lets do have a message while the session goes on, and fails the session
// where the worker does not keep to what it announced.
func (h handler) take(do func(now time.Time) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state.over() || h.film == nil {
		return
	}
	if err := do(time.Now()); err != nil {
		h.fail(failure(err, CodeWorkerFailed))
	}
}
