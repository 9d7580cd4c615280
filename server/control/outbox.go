package control

import (
	"maps"
	"math"
	"sync"
)

// outbox is what waits to be sent on a connection. Of a session's figures it has
// the newest alone. All else is sent complete and in order; when limit frames wait,
// it is full, and a connection ends whose outbox stays so.
type outbox struct {
	ready chan struct{} // has one when there is something to take
	room  chan struct{} // has one when there is room again

	mu      sync.Mutex
	limit   int // guarded by mu, as all that follows
	frames  [][]byte
	stats   map[string][]byte // by session
	pong    []byte            // answer to the client's last ping, nil for none
	ping    bool              // one is due
	shut    bool              // nothing is taken in any more
	closing *closing          // comes last
}

func newOutbox(limit int) *outbox {
	return &outbox{limit: limit, ready: make(chan struct{}, 1), room: make(chan struct{}, 1), stats: map[string][]byte{}}
}

// parcel is what the writer takes next; one of its fields is set.
type parcel struct {
	frame   []byte
	pong    []byte
	ping    bool
	closing *closing
}

// push takes in a frame and reports whether there was room.
func (o *outbox) push(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return true // nobody would read it
	}
	if len(o.frames) >= o.limit {
		return false
	}
	o.frames = append(o.frames, frame)
	signal(o.ready)
	if len(o.frames) < o.limit {
		signal(o.room) // for the next who waits
	}
	return true
}

// pushStats takes in the newest figures of a session.
func (o *outbox) pushStats(session string, frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shut {
		o.stats[session] = frame
		signal(o.ready)
	}
}

// forget drops figures that wait, but for those of sessions that still says yes to.
func (o *outbox) forget(still func(session string) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.stats, func(session string, _ []byte) bool { return !still(session) })
}

// pushPing has a ping sent, ahead of all else.
func (o *outbox) pushPing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ping = true
	signal(o.ready)
}

// pushPong has a ping answered, ahead of all else. RFC 6455 §5.5.3 lets the answer
// to the last one stand for those before.
func (o *outbox) pushPong(data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pong = append([]byte{}, data...)
	signal(o.ready)
}

// finish is for the end of the connection: what still comes, which is no more than
// was under way, finds room; or, where the client has lost its right to it, is
// dropped with all that waits.
func (o *outbox) finish(drop bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit, o.shut = math.MaxInt, drop
	if clear(o.stats); drop {
		o.frames = nil
	}
	signal(o.room)
}

// close has the connection end when all is sent.
func (o *outbox) close(c *closing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut, o.closing = true, c
	signal(o.ready)
}

// take returns what is to be sent next, and false when there is nothing.
func (o *outbox) take() (parcel, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.pong != nil:
		p := parcel{pong: o.pong}
		o.pong = nil
		return p, true
	case o.ping:
		o.ping = false
		return parcel{ping: true}, true
	case len(o.frames) > 0:
		p := parcel{frame: o.frames[0]}
		o.frames = o.frames[1:]
		signal(o.room)
		return p, true
	}
	for session, frame := range o.stats {
		delete(o.stats, session)
		return parcel{frame: frame}, true
	}
	return parcel{closing: o.closing}, o.closing != nil
}

func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
