package pipeline

// #include "live.h"
import "C"

import (
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// liveTimes straightens the times of a track whose clock jumps, for decoders and
// encoders take no picture that lies before the last, and tells its own again.
type liveTimes struct {
	mu     sync.Mutex
	begun  bool          // guarded by mu
	newest time.Duration // guarded by mu; the latest straight time
	bends  []bend        // guarded by mu; in order of from, the newest last
}

// bend is where a track's clock jumped.
type bend struct {
	from time.Duration // straight time from which on it counts
	by   time.Duration // straight time less the track's own
}

const (
	// liveBack and liveForth are how far a time must be off to be a jump, and no
	// picture out of order and no pause.
	liveBack  = time.Second
	liveForth = 10 * time.Second
	// liveBend is how far apart what lies on both sides of a jump is put. What is out
	// of order behind it lies within half of that.
	liveBend = time.Second
	// liveBends is how many jumps are known at once: what lies before them has gone.
	liveBends = 8
)

// straighten returns the straight time of the next packet.
func (t *liveTimes) straighten(own time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.newest, t.bends = true, own, []bend{{by: 0}}
	}
	at := own + t.bends[len(t.bends)-1].by
	if at < t.newest-liveBack || at > t.newest+liveForth {
		at = t.newest + liveBend
		t.bends = append(t.bends, bend{t.newest + liveBend/2, at - own})
		if len(t.bends) > liveBends {
			t.bends = t.bends[1:]
		}
	}
	t.newest = max(t.newest, at)
	return at
}

// own returns the time of the track that a straight one stands for.
func (t *liveTimes) own(at time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.bends) - 1; i >= 0; i-- {
		if b := t.bends[i]; at >= b.from || i == 0 {
			return at - b.by
		}
	}
	return at
}

// straightenPad has the packets of a pad straightened, by times behind a handle.
func straightenPad(pad *gst.Pad, times cgo.Handle) {
	C.pad_straighten(unsafe.Pointer(pad.Instance()), C.guintptr(times)) // valid: borrowed for the call
}

//export goLiveStraighten
func goLiveStraighten(h C.guintptr, own C.gint64) C.gint64 {
	return C.gint64(cgo.Handle(h).Value().(*liveTimes).straighten(time.Duration(own)))
}
