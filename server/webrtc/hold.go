package webrtc

import "time"

const (
	// held is how much sound waits for its picture: 10 s in packets of 20 ms. Older sound is dropped.
	held = 500
	// stale is how late sound may be and still be sent: what is later belongs to pictures that are long gone.
	stale = 300 * time.Millisecond
	// leap is a change of the picture's delay that is followed at once.
	leap = 500 * time.Millisecond
)

// hold keeps sound back until the picture of its time is sent: it is there at once, and the picture is being made.
// It belongs to one goroutine.
type hold struct {
	queue []Packet
	zero  time.Time // when the line's 0 would have been sent, by the delay of now; zero: no picture was sent
}

// push takes a packet of sound. Its time is that of its own line.
func (h *hold) push(p Packet) {
	if len(h.queue) == held {
		h.queue = h.queue[1:]
	}
	h.queue = append(h.queue, p)
}

// sent tells that a picture of the line is sent. The delay of single pictures varies; where it grows sound follows
// soon, so as not to run ahead, and slowly where it shrinks.
func (h *hold) sent(at time.Duration, now time.Time) {
	zero := now.Add(-at)
	switch more := zero.Sub(h.zero); {
	case h.zero.IsZero() || more.Abs() > leap:
		h.zero = zero
	case more > 0:
		h.zero = h.zero.Add(more / 4)
	default:
		h.zero = h.zero.Add(more / 64)
	}
}

// due returns the packet that is due, if there is one, or how long it is until then, where that is known. shift is as
// clocks tell it.
func (h *hold) due(now time.Time, shift time.Duration) (p Packet, is bool, wait time.Duration) {
	for len(h.queue) > 0 && !h.zero.IsZero() {
		p := h.queue[0]
		wait := h.zero.Add(p.At + shift).Sub(now)
		if wait > 0 {
			return Packet{}, false, wait
		}
		h.queue = h.queue[1:]
		if wait >= -stale {
			p.Shift = shift
			return p, true, 0
		}
	}
	return Packet{}, false, time.Hour
}
