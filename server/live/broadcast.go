package live

import (
	"context"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// What may wait for a subscriber. When there is more, it goes on at the newest key picture.
const (
	backlogBytes   = 16 << 20
	backlogPackets = 10_000
	backlogSpan    = 4 * time.Second
)

// broadcast hands the packets of a relay to subscribers, and waits for none.
type broadcast struct {
	wantKey func() // asks for a key picture; does not wait

	mu          sync.Mutex
	subscribers map[*Subscription]bool // guarded by mu, as all below
	inits       map[uint32]*wire.Init  // in effect, by run
	expected    []uint32               // runs that there will be, in the order of their Inits for subscribers; nil: not known yet
	err         error                  // what it ended with
}

func newBroadcast(wantKey func()) *broadcast {
	return &broadcast{wantKey: wantKey, subscribers: map[*Subscription]bool{}, inits: map[uint32]*wire.Init{}}
}

// expect says which runs there will be. Subscribers are told nothing before.
func (b *broadcast) expect(runs ...uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = runs
	b.wakeAll()
}

// init takes the codec data of a run.
func (b *broadcast) init(m wire.Init) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inits[m.Run] = &m
	b.wakeAll()
}

// packet hands a packet on.
func (b *broadcast) packet(m wire.Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := entry{packet: m, init: b.inits[m.Run]}
	if e.init == nil {
		return // a packet without its Init cannot be decoded
	}
	for s := range b.subscribers {
		s.put(e)
	}
}

// end has every subscription, also those that begin later, end with err when it is taken.
func (b *broadcast) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.wakeAll()
}

// wakeAll has every subscriber look again. The caller holds mu.
func (b *broadcast) wakeAll() {
	for s := range b.subscribers {
		s.wake()
	}
}

// subscribe returns a subscription from the next key picture on.
func (b *broadcast) subscribe() *Subscription {
	s := &Subscription{broadcast: b, ready: make(chan struct{}, 1), await: true, told: map[uint32]*wire.Init{}}
	b.mu.Lock()
	b.subscribers[s] = true
	b.mu.Unlock()
	b.wantKey()
	return s
}

// entry is a packet and the Init that it is decoded with.
type entry struct {
	packet wire.Packet
	init   *wire.Init
}

// Subscription receives what a live session makes. One goroutine may call Next, any others Close and Dropped.
type Subscription struct {
	broadcast *broadcast
	ready     chan struct{} // has one when there is something to look at

	left func() // is told of Close; may be called more than once; may be nil

	// Guarded by broadcast.mu.
	entries []entry
	bytes   int
	begun   bool // a key picture has come
	await   bool // nothing is taken in before the next one
	dropped int64
	closed  bool

	// Of Next alone.
	told map[uint32]*wire.Init
}

// Next returns the next wire.Init or wire.Packet: the Inits of picture and sound, and from a key picture on all
// packets, with an Init before the first packet that it is new for. After a cut it goes on with a key picture. Errors
// are ErrClosed, what the session ended with, and ctx's cause.
func (s *Subscription) Next(ctx context.Context) (wire.Message, error) {
	for {
		m, err := s.take()
		if m != nil || err != nil {
			return m, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Dropped returns how many packets this subscriber did not take in time.
func (s *Subscription) Dropped() int64 {
	s.broadcast.mu.Lock()
	defer s.broadcast.mu.Unlock()
	return s.dropped
}

// Close ends the subscription.
func (s *Subscription) Close() {
	if s.left != nil {
		s.left()
	}
	s.broadcast.mu.Lock()
	defer s.broadcast.mu.Unlock()
	delete(s.broadcast.subscribers, s)
	s.closed, s.entries = true, nil
	s.wake()
}

// take returns what is next, nil while there is nothing.
func (s *Subscription) take() (wire.Message, error) {
	b := s.broadcast
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if init, known := s.opening(); init != nil {
		return *init, nil
	} else if !known || len(s.entries) == 0 {
		return nil, b.err
	}
	e := s.entries[0]
	if run := e.packet.Run; s.told[run] != e.init {
		s.told[run] = e.init
		return *e.init, nil
	}
	s.entries[0] = entry{}
	s.entries = s.entries[1:]
	s.bytes -= len(e.packet.Data)
	return e.packet, nil
}

// opening returns an Init that is to come before all packets, and whether all those are known. The caller holds the
// broadcast's mu.
func (s *Subscription) opening() (init *wire.Init, known bool) {
	if s.broadcast.expected == nil {
		return nil, false
	}
	for _, run := range s.broadcast.expected {
		if s.broadcast.inits[run] == nil {
			return nil, false
		}
	}
	for _, run := range s.broadcast.expected {
		if s.told[run] == nil {
			s.told[run] = s.broadcast.inits[run]
			return s.told[run], true
		}
	}
	return nil, true
}

// put takes a packet in, and drops what is too much. The caller holds the broadcast's mu.
func (s *Subscription) put(e entry) {
	if begins := e.packet.Run == wire.RelayVideo && e.packet.Key; s.await && !begins {
		if s.begun {
			s.dropped++
		}
		return
	}
	s.await, s.begun = false, true
	s.entries = append(s.entries, e)
	s.bytes += len(e.packet.Data)
	if s.bytes > backlogBytes || len(s.entries) > backlogPackets || s.span() > backlogSpan {
		s.cut()
	}
	s.wake()
}

// span returns for how long the pictures that wait last.
func (s *Subscription) span() time.Duration {
	first, last := int64(-1), int64(0)
	for _, e := range s.entries {
		if e.packet.Run == wire.RelayVideo {
			if first < 0 {
				first = e.packet.PTS
			}
			last = e.packet.PTS
		}
	}
	return wire.Duration(last-max(first, 0), wire.RelayTimeScale)
}

// cut drops all before the newest key picture. Where that is the first, nothing newer can be shown: all goes, and a
// key picture is asked for.
func (s *Subscription) cut() {
	keep := len(s.entries)
	for i := keep - 1; i > 0; i-- {
		if p := s.entries[i].packet; p.Run == wire.RelayVideo && p.Key {
			keep = i
			break
		}
	}
	for _, e := range s.entries[:keep] {
		s.bytes -= len(e.packet.Data)
	}
	s.dropped += int64(keep)
	s.entries = append([]entry(nil), s.entries[keep:]...)
	if s.await = len(s.entries) == 0; s.await {
		s.broadcast.wantKey()
	}
}

func (s *Subscription) wake() {
	select {
	case s.ready <- struct{}{}:
	default: // it looks already
	}
}
