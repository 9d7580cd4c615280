package ingest

import (
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// What the first pictures wait for sound that is to tell what it is.
const (
	soundWait    = time.Second
	heldPictures = 120
)

// heldPicture is an access unit that waits.
type heldPicture struct {
	pts  time.Duration
	key  bool
	data []byte
}

// line is what one connection brings. Libraries call its methods from several goroutines.
type line struct {
	intake  *Intake
	seen    func()     // called for each picture
	trouble chan error // has the first error that a library cannot be given; it ends the connection

	mu     sync.Mutex
	sets   sets // guarded by mu, as all below
	sound  *matroska.Track
	awaits bool          // of sound that tells itself what it is, no frame has come
	held   []heldPicture // that wait for it
	began  bool          // a key picture has come
	came   int64         // pictures
}

func newLine(i *Intake, seen func()) *line {
	return &line{intake: i, seen: seen, trouble: make(chan error, 1)}
}

// note keeps the first error of a connection.
func (l *line) note(err error) {
	if err == nil {
		return
	}
	select {
	case l.trouble <- err:
	default: // there was one before
	}
}

// because returns what has been noted of a connection that has ended, err without that.
func (l *line) because(err error) error {
	select {
	case first := <-l.trouble:
		return first
	default:
		return err
	}
}

// rescue is deferred by what libraries call in their own goroutines: a panic is the connection's end and not the process's.
func (l *line) rescue() {
	if p := recover(); p != nil {
		l.note(l.intake.panicked(p))
	}
}

// count returns how many pictures have come.
func (l *line) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.came
}

// tracks says what the connection brings; sets may hold parameter sets already, sound is nil for none, and for sound that
// tells itself what it is, which awaited says.
func (l *line) tracks(picture sets, sound *matroska.Track, awaited bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets, l.sound, l.awaits = picture, sound, awaited
}

// picture takes an access unit, in decoding order. The error ends the connection.
func (l *line) picture(pts time.Duration, au [][]byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key, complete := l.sets.learn(au)
	if !l.began && len(l.held) == 0 && (!key || !l.sets.known()) {
		return nil // nothing can be shown yet
	}
	data := l.sets.unit(au, key, complete)
	if len(data) == 0 {
		return nil
	}
	l.held = append(l.held, heldPicture{pts, key, data})
	if l.awaits && (pts-l.held[0].pts).Abs() < soundWait && len(l.held) < heldPictures {
		return nil
	}
	return l.release()
}

// release hands on what was held back. The caller holds mu.
func (l *line) release() error {
	l.awaits = false
	if !l.began && len(l.held) > 0 {
		if err := l.begin(); err != nil {
			return err
		}
	}
	for _, h := range l.held {
		l.came++
		l.seen()
		l.intake.place(func(c *clock) (time.Duration, bool) { return c.picture(h.pts), true }, unit{picture: true, key: h.key, data: h.data})
	}
	clear(l.held)
	l.held = l.held[:0]
	return nil
}

// end hands on what is held back still when nothing more comes.
func (l *line) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.release()
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

// told takes frames of sound that tell themselves what they are. The first of a line describes its track, unless
// pictures have not waited for it. The error ends the connection.
func (l *line) told(frames []soundFrame) error {
	for _, f := range frames {
		fits, err := l.describe(f.track)
		if err != nil {
			return err
		}
		if fits {
			l.frame(f.at, f.data)
		}
	}
	return nil
}

// describe says what the sound is, and reports whether it is that which the line has.
func (l *line) describe(track matroska.Track) (fits bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sound == nil && !l.began {
		l.sound = &track
		err = l.release()
	}
	return l.sound != nil && l.sound.Codec == track.Codec, err
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
