package pipeline

// #include <gst/gst.h>
import "C"

import (
	"runtime/cgo"
	"sync/atomic"
	"time"
	"unsafe"
)

// liveClock gives the pictures of a live stream the times that an encoder takes,
// which go on evenly whatever the stream's own do, tells those apart again, and says
// which pictures are to be key frames. It is used on the encoder's streaming thread,
// in which x264 without look-ahead puts out each picture, too; wish on any.
type liveClock struct {
	keys time.Duration // the longest time from one key frame to the next
	wish atomic.Bool   // the next picture is to be a key frame

	begun  bool
	last   time.Duration // of the stream: the newest picture
	length time.Duration // that a picture is taken to last
	at     time.Duration // the encoder's time of the newest picture
	key    time.Duration // that of the newest key frame
	known  [liveMemory]livePicture
	next   int // of known
}

// livePicture is a picture by both times.
type livePicture struct{ at, pts, length time.Duration }

// liveMemory is how many pictures may be in an encoder at once; x264 without
// look-ahead has one.
const liveMemory = 16

const (
	// liveGap is the longest time between two pictures that an encoder is told of.
	liveGap = time.Second
	// liveJump is how far back a time must lie to be a jump of the stream's clock, and
	// no picture out of order.
	liveJump = 500 * time.Millisecond
	// liveUsual is what a picture lasts when nothing tells.
	liveUsual = time.Second / 25
)

// anew has the next picture begin an encoder's work: it is a key frame.
func (c *liveClock) anew() { c.wish.Store(true) }

// picture takes the next picture at a time of the stream, negative where it has none,
// and returns the encoder's time, how long it lasts, and whether it is a key frame.
func (c *liveClock) picture(pts, length time.Duration) (at, lasts time.Duration, key bool) {
	step := pts - c.last
	switch {
	case !c.begun:
		pts, step = max(pts, 0), 0
	case pts < 0 || step <= 0 && step > -liveJump: // it follows the one before all the same
		pts, step = c.last+c.length, c.length
	case step < 0 || step > liveGap:
		step = c.length
	default:
		c.length = step
	}
	if length > 0 && length <= liveGap {
		c.length = length
	} else if c.length == 0 {
		c.length = liveUsual
	}
	c.at += step
	key = c.wish.Swap(false) || !c.begun || c.at+c.length-c.key > c.keys
	if key {
		c.key = c.at
	}
	c.begun, c.last = true, pts
	c.known[c.next%liveMemory] = livePicture{c.at, pts, c.length}
	c.next++
	return c.at, c.length, key
}

// of returns the picture that has one of the encoder's times.
func (c *liveClock) of(at time.Duration) (livePicture, bool) {
	for _, p := range c.known[:min(c.next, liveMemory)] {
		if p.at == at {
			return p, true
		}
	}
	return livePicture{}, false
}

//export goLivePicture
func goLivePicture(h C.guintptr, at, length *C.gint64) C.gboolean {
	// Valid: both are variables of the caller's, read and written during the call.
	t, l := (*time.Duration)(unsafe.Pointer(at)), (*time.Duration)(unsafe.Pointer(length))
	var key bool
	*t, *l, key = cgo.Handle(h).Value().(*liveClock).picture(*t, *l)
	return gboolean(key)
}
