package session

import (
	"slices"
	"strconv"
	"time"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// hintLife bounds how long a segment is made for a player that said that it
	// would come for it.
	hintLife = 10 * time.Second
	// maxBarren is how many runs in a row may end without a segment.
	maxBarren = 3
)

// generation is a part of a rendition with one init segment.
type generation struct {
	init  []byte // nil: not known yet
	codec wire.Init
	ready chan struct{} // closed when init is there
	// Of one that Set began: whether the worker refused it, what takes its settings
	// back then, and what takes the answer to its first Play.
	void   bool
	undo   func()
	answer chan error
}

// waiter is a request for a segment.
type waiter struct {
	rendition *rendition
	segment   int
	asked     time.Time
	seek      bool          // a run was begun for it
	done      chan struct{} // closed when the answer is there; nil: nobody waits, see hint
	data      []byte
	made      int // generation of data
}

// rendition is a stream as it is delivered: the picture, a track of sound or of
// text. Its fields are guarded by Life.mu.
type rendition struct {
	stream wire.Stream
	name   string // in the cache
	track  track
	count  int           // of segments
	kick   chan struct{} // has one when its producer is to look again

	generations []*generation
	turns       int       // of them that nobody asked for
	made        []int32   // of each segment 1 + the generation that it was made in, 0: it was not
	waiters     []*waiter // oldest first
	head        int       // segment that was asked for last, -1: none
	asked       time.Time // when
	run         *run      // nil: none

	pace, startup      time.Duration // see outlook
	restarts, preempts bucket
	barren             int // runs in a row that ended without a segment
}

func newRendition(stream wire.Stream, track track, count int, segment time.Duration) *rendition {
	return &rendition{
		stream: stream, name: string(stream.Kind) + strconv.Itoa(stream.Index),
		track: track, count: count, kick: make(chan struct{}, 1),
		generations: []*generation{newGeneration()}, made: make([]int32, count), head: -1,
		pace: segment, startup: time.Second + segment,
		// A player that is dragged through the film begins a run at every halt of the
		// hand; two players in different places take turns.
		restarts: bucket{every: 250 * time.Millisecond, burst: 4},
		preempts: bucket{every: 5 * time.Second, burst: 2},
	}
}

func newGeneration() *generation {
	return &generation{ready: make(chan struct{}), answer: make(chan error, 1)}
}

// wake has the producer look again.
func (r *rendition) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// newest returns the number of the generation that is made now.
func (r *rendition) newest() int {
	for g := len(r.generations) - 1; ; g-- {
		if g == 0 || !r.generations[g].void {
			return g
		}
	}
}

// key names a segment in the cache.
func (r *rendition) key(session string, generation, segment int) cache.Key {
	return cache.Key{Session: session, Rendition: r.name, Generation: generation, Segment: segment}
}

// where returns the generation that a segment was made in, if it is there.
func (s *Session) where(r *rendition, segment int) (generation int, there bool) {
	if r.made[segment] == 0 {
		return 0, false
	}
	generation = int(r.made[segment]) - 1
	if !s.cache.Has(r.key(s.id, generation, segment)) {
		r.made[segment] = 0
		return 0, false
	}
	return generation, true
}

// missing reports whether a segment has to be made before it can be served.
func (s *Session) missing(r *rendition, segment int) bool {
	_, there := s.where(r, segment)
	return !there && !r.track.empty(segment)
}

// forget lets go what was made from a segment on. A run that is there, or that was
// let in there, has pictures of it under way and makes what nobody wants.
func (s *Session) forget(r *rendition, from int) {
	for k := from; k < r.count; k++ {
		if r.made[k] > 0 {
			s.cache.Drop(r.key(s.id, int(r.made[k])-1, k))
			r.made[k] = 0
		}
	}
	if run := r.run; run != nil && max(run.next, run.limit-1) >= from {
		run.stale = true
	}
}

// outlook returns what decides what is made next.
func (s *Session) outlook(r *rendition, now time.Time) outlook {
	r.waiters = slices.DeleteFunc(r.waiters, func(w *waiter) bool {
		return w.done == nil && (now.Sub(w.asked) > hintLife || !s.missing(r, w.segment))
	})
	o := outlook{
		segments: r.count, ahead: s.ahead, window: s.ahead, paused: s.paused, head: r.head,
		missing: func(k int) bool { return s.missing(r, k) }, pace: r.pace, startup: r.startup,
	}
	for _, w := range slices.Backward(r.waiters) {
		o.wants = append(o.wants, w.segment)
	}
	if r.barren > 0 {
		o.head = -1 // what does not come is not read ahead, but tried when it is asked for
	}
	if r.run != nil {
		o.making = &making{next: r.run.next, reach: r.run.reach, stale: r.run.stale}
	}
	return o
}

// ask notes that a player asks for a segment.
func (r *rendition) ask(segment int, now time.Time) {
	r.head, r.asked = segment, now
	if run := r.run; run != nil && segment <= max(run.next, run.reach+follow) {
		run.reach = max(run.reach, segment)
	}
}

// hint has a segment made although nobody waits for it yet. There is one hint at
// a time.
func (r *rendition) hint(segment int, now time.Time) {
	r.waiters = slices.DeleteFunc(r.waiters, func(w *waiter) bool { return w.done == nil })
	r.waiters = append(r.waiters, &waiter{rendition: r, segment: segment, asked: now})
	r.ask(segment, now)
	r.wake()
}

// answer ends the waits that which holds for.
func (r *rendition) answer(which func(*waiter) bool, with func(*waiter)) {
	r.waiters = slices.DeleteFunc(r.waiters, func(w *waiter) bool {
		if !which(w) {
			return false
		}
		if with(w); w.done != nil {
			close(w.done)
		}
		return true
	})
}

// changes returns where generations change, for playlists: a segment that is there
// is of the one it was made in, all others will be of the newest.
func (s *Session) changes(r *rendition) []hls.Change {
	var changes []hls.Change
	newest := r.newest()
	for k := range r.count {
		generation, there := s.where(r, k)
		if !there {
			generation = newest
		}
		if n := len(changes); n == 0 || changes[n-1].Generation != generation {
			changes = append(changes, hls.Change{Segment: k, Generation: generation})
		}
	}
	return changes
}
