package session

import "time"

const (
	// follow is how many segments beyond the last one asked for still count as
	// playing on, since players fetch a few at once. What is farther is a seek.
	follow = 3
	// stretch is how many segments in a row must be there already for a run to stop
	// before them: to make fewer again costs less than a run of its own after them.
	stretch = 8
)

// outlook is what the making of a rendition is decided by.
type outlook struct {
	segments int // of the film
	ahead    int // segments that are made beyond the one asked for last
	window   int // farthest that a run is waited for
	paused   bool

	wants   []int // segments that are waited for, newest request first
	head    int   // segment that was asked for last, -1: none
	making  *making
	missing func(k int) bool

	pace    time.Duration // that a segment takes to be made
	startup time.Duration // from the start of a run until its first segment is there
}

// making is where a run is.
type making struct {
	next  int  // segment that it makes
	reach int  // farthest that was asked of it
	stale bool // what it makes is no longer wanted
}

// order is what is to be done about a rendition.
type order struct {
	play     bool // begin a run at segment, in place of the one there is
	segment  int
	limit    int  // of the run, then
	preempts bool // somebody waits for the run that would be replaced
}

// decide says what is made next. The newest request comes first, and after the
// requests what lies before the player. A run is waited for when it comes to the
// segment sooner than a new one would; otherwise a new one begins at the first
// segment that is missing.
func (o outlook) decide() order {
	need, enough := o.unread(), o.reaches
	if len(o.wants) > 0 {
		need, enough = o.wants[0], o.covers
	}
	if need < 0 || enough(need) {
		return order{limit: o.keep()}
	}
	return order{play: true, segment: need, limit: o.limit(need, need), preempts: o.waited()}
}

// unread returns the first segment that the player will ask for next and that is
// missing, -1 where there is none or the session is paused.
func (o outlook) unread() int {
	if o.head < 0 || o.paused {
		return -1
	}
	for k := o.head; k < min(o.head+1+o.ahead, o.segments); k++ {
		if o.missing(k) {
			return k
		}
	}
	return -1
}

// reaches reports whether the run comes to segment k.
func (o outlook) reaches(k int) bool {
	m := o.making
	return m != nil && !m.stale && m.next <= k && k <= m.next+o.window && k < o.clip(m.next)
}

// covers reports whether the run comes to segment k soon enough for a player that
// waits for it.
func (o outlook) covers(k int) bool {
	return o.reaches(k) &&
		(k <= max(o.making.next, o.making.reach+follow) || time.Duration(k-o.making.next+1)*o.pace <= o.startup)
}

// waited reports whether a request is covered by the run.
func (o outlook) waited() bool {
	for _, k := range o.wants {
		if o.covers(k) {
			return true
		}
	}
	return false
}

// keep returns the limit of the run that there is, the segment it is in where
// nothing more is asked of it.
func (o outlook) keep() int {
	m := o.making
	if m == nil {
		return 0
	}
	limit := m.next
	if m.stale {
		return limit
	}
	for _, k := range o.wants {
		if o.covers(k) {
			limit = max(limit, o.limit(k, m.next))
		}
	}
	if k := o.unread(); len(o.wants) == 0 && k >= 0 && o.reaches(k) {
		limit = max(limit, o.limit(o.head, m.next))
	}
	return limit
}

// limit returns the limit of a run that is at from, for a player at segment k.
func (o outlook) limit(k, from int) int {
	limit := k + 1
	if !o.paused {
		limit += o.ahead
	}
	return min(limit, o.clip(from), o.segments)
}

// clip returns where a run at from stops since the segments there are made.
func (o outlook) clip(from int) int {
	row := 0
	for k := from; k < min(from+o.window+stretch+1, o.segments); k++ {
		if o.missing(k) {
			row = 0
			continue
		}
		if row++; row == stretch {
			return k - stretch + 1
		}
	}
	return o.segments
}

// bucket bounds how often something happens: burst times at once, and once in
// every each after that.
type bucket struct {
	every  time.Duration
	burst  int
	filled time.Time // when it is full again
}

// take reports whether it may happen now, and counts it.
func (b *bucket) take(now time.Time) bool {
	if b.wait(now) > 0 {
		return false
	}
	if b.filled.Before(now) {
		b.filled = now
	}
	b.filled = b.filled.Add(b.every)
	return true
}

// wait returns how long until it may happen again.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.filled.Before(now) { // the zero time is too far away for a difference
		return 0
	}
	return max(0, b.filled.Sub(now)-time.Duration(b.burst-1)*b.every)
}
