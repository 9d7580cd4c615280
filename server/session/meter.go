package session

import (
	"fmt"
	"time"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// sample is the shortest film that costs are measured over.
const sample = 2 * time.Second

// meter follows the worker's figures. Its fields are guarded by Life.mu.
type meter struct {
	known bool
	stats Stats
	at    time.Time

	film time.Duration // made since the last measurement of costs
	cpu  time.Duration // taken for that
	made time.Duration // of the film, as progress told it last
}

// second is what a second came to, beside what the worker tells.
type second struct {
	film     time.Duration // that was made
	waited   bool          // for the reader of the result, or for the source
	buffered time.Duration // made beyond the player's position
}

// Stats takes the worker's figures of a session that tells its Progress, tells them
// and books what the session costs.
func (l *Life) Stats(now wire.Stats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.over() {
		return
	}
	this := second{waited: true} // whether it did is not known, so nothing is told of its speed
	if l.progress != nil {
		this.film = max(0, l.progress.Position-l.meter.made)
		l.meter.made = l.progress.Position
	}
	l.measure(now, this, time.Now())
}

// measure takes the worker's figures of a second. The caller holds mu.
func (l *Life) measure(now wire.Stats, this second, at time.Time) {
	if l.memory > 0 && now.RSS > l.memory {
		l.fail(failure(fmt.Errorf("%d bytes resident, %d allowed", now.RSS, l.memory), CodeWorkerMemory))
		return
	}
	m := &l.meter
	before, elapsed := m.stats, at.Sub(m.at).Seconds()
	stats := Stats{Stats: now, Buffered: this.buffered, Progress: l.progress}
	if m.known && elapsed > 0 {
		stats.FPS = float64(now.Encoded-before.Encoded) / elapsed
		stats.Busy = (now.CPU - before.CPU).Seconds() / elapsed
		stats.RealTime = this.film.Seconds() / elapsed
		m.film += this.film
		m.cpu += now.CPU - before.CPU
	}
	if m.film >= sample && l.about.Kind != KindJob { // which takes as long as it takes
		l.ticket.measured(float64(m.cpu.Milliseconds()) / m.film.Seconds())
		m.film, m.cpu = 0, 0
	}
	if m.known && !this.waited && this.film > 0 {
		l.hooks.RealTime(stats.RealTime)
	}
	m.known, m.stats, m.at = true, stats, at
	l.publish(Event{Stats: &stats})
}
