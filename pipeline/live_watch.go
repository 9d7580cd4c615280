package pipeline

import (
	"context"
	"time"

	"github.com/go-gst/go-gst/gst"

	"github.com/upscaled-media/upscaled/elements/source"
)

// watch waits for the end.
func (l *Live) watch(ctx context.Context) error {
	dog := newWatchdog(l.head, l.stall)
	dog.handed = l.handed.Load
	end := &ending{live: l}
	bus := l.pipe.GetPipelineBus()
	opening := time.Now()
	for came := int64(0); ; {
		m := bus.TimedPopFiltered(gst.ClockTime(20*time.Millisecond), gst.MessageError|gst.MessageWarning)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case m != nil && m.Type() == gst.MessageError:
			return l.failed(parseFailure(m), nil)
		case m != nil:
			l.log.Warn("an element warned", "warning", parseFailure(m).Error())
		}
		if err := l.fault.first(); err != nil {
			return err
		}
		if over, err := end.look(); over {
			return err
		}
		if err := l.look(dog); err != nil {
			return err
		}
		if now := l.head.sunk.count(); now == 0 || now == came && time.Since(opening) < liveOpening {
			opening = time.Now() // it has not begun
		} else {
			came = now
		}
		if !l.opened.Load() && time.Since(opening) > liveOpening {
			return l.noPicture()
		}
	}
}

// ending watches for the end of a stream.
type ending struct {
	live         *Live
	read, silent time.Time // when the stream ended, and when its picture had
}

// What the end of a stream is given: its first picture to be decoded, and its sound to
// follow the picture.
const (
	lastChance = 2 * time.Second
	lastSound  = time.Second
)

// look reports whether all has been handed over, with an error where there was no
// picture.
func (e *ending) look() (bool, error) {
	l := e.live
	if !l.mu.TryRLock() {
		return false, nil // something is being made
	}
	defer l.mu.RUnlock()
	if s, ok := l.film.Reader.(*source.Stream); ok && s.Whole() && e.read.IsZero() {
		e.read = time.Now()
	}
	switch {
	case !l.upscaling():
		over := !e.read.IsZero() && time.Since(e.read) > lastChance
		if !over {
			return false, nil
		}
		return true, fail(CodeDamaged, nil, "%s ended before its first picture", l.film.Name)
	case !isClosed(l.picture.tail.over):
		return false, nil
	case l.sound == nil || l.sound.tail == nil || isClosed(l.sound.tail.over):
		return true, nil
	case e.silent.IsZero():
		e.silent = time.Now()
	}
	return time.Since(e.silent) > lastSound, nil
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// noPicture says why nothing came of a stream.
func (l *Live) noPicture() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.picture == nil {
		return fail(CodeNoVideo, nil, "%s has no video track", l.film.Name)
	}
	return fail(CodeDamaged, nil, "no picture came out of %s in %s", l.film.Name, liveOpening)
}

// look has a watchdog look at what there is.
func (l *Live) look(dog *watchdog) error {
	if !l.mu.TryRLock() {
		return nil // something is being made
	}
	defer l.mu.RUnlock()
	dog.b = l.seen()
	if dog.stage() == StageRead { // nothing waits: it is for the stream to go on
		dog.rest()
		return nil
	}
	return dog.look(l.upscaling() && l.picture.tail.upscaler.Preparing())
}

// seen returns the queues and counters that there are now. The caller holds mu.
func (l *Live) seen() *built {
	all := l.part()
	parts := []*built{l.head}
	if l.upscaling() {
		parts = append(parts, l.picture.tail.built)
	}
	for _, p := range parts {
		for name, e := range p.named {
			all.named[name] = e
		}
		for stage, c := range p.counters {
			all.counters[stage] = c
		}
	}
	return all
}

// upscaling reports whether there are elements that make pictures. The caller holds mu.
func (l *Live) upscaling() bool { return l.picture != nil && l.picture.tail != nil }

// failed returns what a failure means: the error of a callback or of the reader where
// one is behind it.
func (l *Live) failed(f *failure, err error) error {
	if first := l.fault.first(); first != nil {
		return first
	}
	if read := l.film.failed(l.head.named["source"]); read != nil {
		return read
	}
	if f == nil {
		return fail(CodeInternal, err, "the pipeline did not start")
	}
	if l.mu.TryRLock() {
		defer l.mu.RUnlock()
		if l.upscaling() {
			return diagnose(f, l.picture.tail.upscaler)
		}
	}
	return f.classify()
}
