package webrtc

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// counter makes times of RTP timestamps, of which the first is 0.
type counter struct {
	rate  int64
	last  uint32
	total int64 // ticks since the first
	begun bool
}

// at returns the time of a timestamp that is near the one before.
func (c *counter) at(stamp uint32) time.Duration {
	if !c.begun {
		c.begun, c.last = true, stamp
	}
	c.total += int64(int32(stamp - c.last))
	c.last = stamp
	return c.timeOf(c.total)
}

// near returns the time of a timestamp without moving on to it.
func (c *counter) near(stamp uint32) time.Duration {
	return c.timeOf(c.total + int64(int32(stamp-c.last)))
}

func (c *counter) timeOf(ticks int64) time.Duration {
	return time.Duration(ticks/c.rate)*time.Second + time.Duration(ticks%c.rate)*time.Second/time.Duration(c.rate)
}

// clocks relate the timestamps of a browser's picture and sound, which begin anywhere. The line that both are put on
// is that of the picture: 0 is its first.
//
// Until the browser has told by a sender report of each how its timestamps and its clock go together, which takes it
// some seconds, what arrives at once is taken to belong together.
type clocks struct {
	mu      sync.Mutex
	picture hand // guarded by mu
	sound   hand // guarded by mu
}

// hand is one kind of media's clock.
type hand struct {
	counter counter
	begun   time.Time     // when its first packet arrived
	told    bool          // a report was there
	at      time.Duration // that the last report is about, on the hand's own line
	ntp     time.Duration // of it, by the browser's clock
}

func newClocks() *clocks {
	return &clocks{picture: hand{counter: counter{rate: pictureRate}}, sound: hand{counter: counter{rate: soundRate}}}
}

func (c *clocks) of(sound bool) *hand {
	if sound {
		return &c.sound
	}
	return &c.picture
}

// at returns the time of a packet on the line of its own kind.
func (c *clocks) at(sound bool, stamp uint32, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(sound)
	if h.begun.IsZero() {
		h.begun = now
	}
	return h.counter.at(stamp)
}

// report takes a sender report. One about a time before the first packet tells as much as any other.
func (c *clocks) report(sound bool, r *rtcp.SenderReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.of(sound)
	if h.begun.IsZero() {
		return
	}
	h.told, h.at = true, h.counter.near(r.RTPTime)
	h.ntp = time.Duration(r.NTPTime>>32)*time.Second + time.Duration((r.NTPTime&(1<<32-1))*uint64(time.Second)>>32)
}

// shift returns what the time of sound is to be moved by to be on the picture's line, and whether there is such a line.
func (c *clocks) shift() (shift time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, s := &c.picture, &c.sound
	switch {
	case p.begun.IsZero() || s.begun.IsZero():
		return 0, false
	case p.told && s.told:
		return p.at - s.at + s.ntp - p.ntp, true
	}
	return s.begun.Sub(p.begun), true
}
