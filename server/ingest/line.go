package ingest

import (
	"sync"
	"time"

	opuscodec "github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// What the first pictures of a line wait for its sound. Where none comes by then there is none: a feed with a track on
// which nothing ever comes could not be made anything of.
const (
	soundWait    = 2 * time.Second
	heldPictures = 120
)

// hope is what a connection says of sound that can be carried, before any comes.
type hope int

const (
	silent    hope = iota // there is none
	possible              // there are private data, which may be sound
	announced             // there is some
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
	sets   sets            // guarded by mu, as all below
	sound  *matroska.Track // nil: none, or it has not told yet what it is
	teller *framer         // cuts the track that has told; of others nothing is taken
	hope   hope
	hears  bool          // a frame of sound has come
	heard  time.Duration // when it is, by the source's clock
	held   []heldPicture // that wait for sound
	bytes  int           // of them
	began  bool          // a key picture has come, and sound, if there is any
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
// tells itself what it is.
func (l *line) tracks(picture sets, sound *matroska.Track, h hope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sets, l.sound, l.hope = picture, sound, h
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
	l.bytes += len(data)
	if !l.began && l.waits(pts) {
		return nil
	}
	return l.release()
}

// waits reports whether pictures, the last of which is at pts, are to wait for sound. The caller holds mu.
func (l *line) waits(pts time.Duration) bool {
	return l.hope != silent && !l.sounds() && (pts-l.held[0].pts).Abs() < soundWait && len(l.held) < heldPictures && l.bytes < queueBytes
}

// sounds reports whether sound has come that has a place beside the pictures which wait for it. The caller holds mu.
func (l *line) sounds() bool {
	return l.hears && len(l.held) > 0 && beside(l.heard, l.held[0].pts)
}

// release hands on what was held back. The caller holds mu.
func (l *line) release() error {
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
	l.held, l.bytes = l.held[:0], 0
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
	sounds := l.sounds()
	if l.sound, err = l.intake.begin(picture, l.sound, sounds); err != nil {
		return err
	}
	if l.hope == announced && !sounds && l.sound == nil {
		l.intake.mute("none came with its first pictures.")
	}
	l.began = true
	return nil
}

// told takes a payload of sound that tells itself what it is. The first frame of a line describes its sound, unless
// pictures have not waited for it; the track that it is of is the line's. The error ends the connection.
func (l *line) told(cutter *framer, pts time.Duration, payload []byte) error {
	for _, f := range cutter.cut(pts, payload) {
		if !l.describe(cutter, f.track) {
			continue
		}
		if err := l.frame(f.at, f.data); err != nil {
			return err
		}
	}
	return nil
}

// describe says what the sound is, and reports whether it is that which the line has.
func (l *line) describe(from *framer, track matroska.Track) (fits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sound == nil && !l.began {
		l.sound = &track
	}
	if l.sound == nil || l.sound.Codec != track.Codec {
		return false
	}
	if l.teller == nil {
		l.teller = from
	}
	return l.teller == from
}

// frame takes a frame of sound. The first lets pictures go that wait for it. The error ends the connection.
func (l *line) frame(pts time.Duration, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(data) == 0 {
		return nil
	}
	if !l.began {
		l.hears, l.heard = true, pts
		if !l.sounds() {
			return nil
		}
		if err := l.release(); err != nil {
			return err
		}
	}
	if l.sound != nil {
		l.intake.place(func(c *clock) (time.Duration, bool) { return c.sound(pts) }, unit{data: data})
	}
	return nil
}

// frames takes frames of sound that follow each other. The error ends the connection.
func (l *line) frames(pts, each time.Duration, frames [][]byte) error {
	for n, frame := range frames {
		if err := l.frame(pts+time.Duration(n)*each, frame); err != nil {
			return err
		}
	}
	return nil
}

// packets takes packets of Opus that follow each other. The error ends the connection.
func (l *line) packets(pts time.Duration, packets [][]byte) error {
	for _, packet := range packets {
		if err := l.frame(pts, packet); err != nil {
			return err
		}
		pts += ticks(opuscodec.PacketDuration2(packet), 48000)
	}
	return nil
}
