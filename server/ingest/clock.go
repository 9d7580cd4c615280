package ingest

import "time"

const (
	// behind is how far a picture may lie before the newest: encoders that look ahead send pictures out of their order.
	behind = time.Second
	// ahead is how far one may lie behind it. What lies farther is a clock that jumped, and not a source that made
	// no picture for so long.
	ahead = 3 * time.Second
	// apart is how far sound may lie behind the newest picture, and early how far before it. That is less than what a
	// picture's clock is taken to have jumped by: sound that jumped first has no place before its picture has, and then
	// goes on beside it.
	apart = 5 * time.Second
	early = 2 * time.Second
	// usual is how long a picture lasts when nobody knows.
	usual = 40 * time.Millisecond
)

// clock maps a source's times to those of the feed, which begin at 0 with the first picture and never jump.
type clock struct {
	offset time.Duration
	newest time.Duration // of the pictures, in the feed
	frame  time.Duration // that a picture lasts
	heard  time.Duration // of the sound that came last, in the feed
	begun  bool          // there was a picture
	fresh  bool          // the next picture begins a line
}

func newClock() *clock { return &clock{frame: usual, fresh: true, heard: -1} }

// restart says that the source's clock begins anew with the next picture.
func (c *clock) restart() { c.fresh = true }

// picture returns the time in the feed of a picture, in decoding order.
func (c *clock) picture(pts time.Duration) time.Duration {
	at := pts + c.offset
	switch {
	case !c.begun:
		c.offset, at = -pts, 0
	case c.fresh || at < c.newest-behind || at > c.newest+ahead:
		c.offset = c.newest + c.frame - pts
		at = c.newest + c.frame
	case at < 0:
		at = 0 // shown before the first that was decoded
	}
	if step := at - c.newest; c.begun && !c.fresh && step > 0 && step < ahead {
		c.frame = min(max(step, time.Millisecond), time.Second)
	}
	c.newest, c.begun, c.fresh = max(c.newest, at), true, false
	return at
}

// sound returns the time in the feed of a frame of sound, and whether it has a place there: not before the first
// picture of its line, far from the newest picture, or before sound that was.
func (c *clock) sound(pts time.Duration) (time.Duration, bool) {
	at := pts + c.offset
	if !c.begun || c.fresh || at < 0 || at <= c.heard || !beside(at, c.newest) {
		return 0, false
	}
	c.heard = at
	return at, true
}

// beside reports whether sound at a time has a place beside a picture.
func beside(sound, picture time.Duration) bool {
	return sound >= picture-apart && sound <= picture+early
}
