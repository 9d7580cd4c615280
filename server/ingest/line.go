package ingest

import (
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// line is what one connection brings. Libraries call its methods from several goroutines.
type line struct {
	intake *Intake
	seen   func() // called for each picture

	mu    sync.Mutex
	sets  sets // guarded by mu, as all below
	sound *matroska.Track
	began bool  // a key picture has come
	came  int64 // pictures
}

// count returns how many pictures have come.
func (l *line) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.came
}

// tracks says what the connection brings; sets may hold parameter sets already, sound is nil for none.
func (l *line) tracks(picture sets, sound *matroska.Track) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets, l.sound = picture, sound
}

// picture takes an access unit, in decoding order. The error ends the connection.
func (l *line) picture(pts time.Duration, au [][]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key, complete := l.sets.learn(au)
	if !l.began {
		if !key || !l.sets.known() {
			return nil // nothing can be shown yet
		}
		if err := l.begin(); err != nil {
			return err
		}
	}
	data := l.sets.unit(au, key, complete)
	if len(data) == 0 {
		return nil
	}
	l.came++
	l.seen()
	l.intake.place(func(c *clock) (time.Duration, bool) { return c.picture(pts), true }, unit{picture: true, key: key, data: data})
	return nil
}

// begin has the feed go on with this line.
func (l *line) begin() error {
	picture, err := l.sets.track()
	if err != nil {
		return final(CodeNotMedia, err, "the picture of %q cannot be read", l.intake.name)
	}
	if err := l.intake.begin(picture, l.sound); err != nil {
		return err
	}
	l.began = true
	return nil
}

// frame takes a frame of sound.
func (l *line) frame(pts time.Duration, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.began || l.sound == nil || len(data) == 0 {
		return
	}
	l.intake.place(func(c *clock) (time.Duration, bool) { return c.sound(pts) }, unit{data: data})
}
