package session

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// What a run may hold. A worker that was taken over says what it likes; one that says more fails its session.
const (
	// maxCues bounds the cues of a run of text; a film has some thousand, and those that are over are let go.
	maxCues = 20_000
	// maxCueBytes bounds their text.
	maxCueBytes = 16 << 20
	// maxPackets bounds those of a segment, of at most 10 s: Opus has 400 a second.
	maxPackets = 20_000
	// maxPictureBytes bounds them: 10 s at the 200 Mbit/s that a client may ask for at most are 238 MiB.
	maxPictureBytes = 256 << 20
	// maxSoundBytes bounds those of a track of sound: 13 Mbit/s.
	maxSoundBytes = 16 << 20
	// maxTurns is how often codec data may change unasked.
	maxTurns = 64
)

// run is one making of a rendition from a segment on. Its fields are guarded by
// Life.mu.
type run struct {
	id         uint32
	rendition  *rendition
	generation int
	first      int // segment
	making
	limit int // as the worker knows it

	packets []wire.Packet // of segment next
	cues    []wire.Cue    // that are not over before segment next
	held    int           // bytes of packets and cues

	began    time.Time
	produced int       // segments
	since    time.Time // when segment next was begun; zero: it waited at its limit meanwhile
}

// takeInit takes the codec data of a run. Data other than its generation's
// begins a generation of its own: players are told by the init segment.
func (s *Session) takeInit(run *run, i wire.Init) error {
	r := run.rendition
	if r.stream.Kind == wire.StreamText {
		return nil // which has none
	}
	init, err := r.track.init(i)
	if err != nil {
		return err
	}
	g := r.generations[run.generation]
	if g.init != nil && !bytes.Equal(g.init, init) {
		if r.turns++; r.turns > maxTurns {
			return errors.New("codec data change too often")
		}
		g = newGeneration()
		r.generations = append(r.generations, g)
		run.generation = len(r.generations) - 1
	}
	if g.init == nil {
		g.init, g.codec = init, i
		close(g.ready)
	}
	return nil
}

// takePacket puts a packet where it belongs and makes a segment of what is whole.
func (s *Session) takePacket(run *run, p wire.Packet, now time.Time) error {
	if run.rendition.stream.Kind == wire.StreamText {
		return errors.New("a packet of text")
	}
	track := run.rendition.track
	k := track.index(p.PTS)
	if k < run.next { // of a segment that is made, or was not asked for
		s.warn(wire.Warning{Code: CodeWorkerFailed, Sentence: "A picture or sound came too late and was left out."})
		return nil
	}
	// A segment whose end its packets did not announce is whole when another begins.
	for k > run.next {
		if err := s.finish(run, now); err != nil {
			return err
		}
	}
	if run.held += len(p.Data); len(run.packets) == maxPackets || run.held > run.rendition.largest() {
		return fmt.Errorf("segment %d of %s has more than %d packets and %d bytes", k, run.rendition.name, len(run.packets), run.held)
	}
	run.packets = append(run.packets, p)
	if p.PTS+p.Duration >= track.end(k) {
		return s.finish(run, now)
	}
	return nil
}

// largest returns how many bytes a segment may have.
func (r *rendition) largest() int {
	if r.stream.Kind == wire.StreamVideo {
		return maxPictureBytes
	}
	return maxSoundBytes
}

// takeCue keeps a cue.
func (run *run) takeCue(c wire.Cue) error {
	if run.rendition.stream.Kind != wire.StreamText {
		return errors.New("a cue of what is no text")
	}
	if run.held += len(c.Text); len(run.cues) == maxCues || run.held > maxCueBytes {
		return errors.New("too many cues")
	}
	run.cues = append(run.cues, c)
	return nil
}

// takeProgress makes the segments of text whose cues are all there.
func (s *Session) takeProgress(run *run, until time.Duration, now time.Time) error {
	for run.next < run.rendition.count {
		if _, end := s.line.Span(run.next); end > until {
			return nil
		}
		if err := s.finish(run, now); err != nil {
			return err
		}
	}
	return nil
}

// finish makes segment next of what has come and goes on to the one after it.
func (s *Session) finish(run *run, now time.Time) error {
	r, k := run.rendition, run.next
	if run.next >= r.count {
		return errors.New("more than the film")
	}
	data, err := s.assemble(run)
	if err != nil {
		return fmt.Errorf("segment %d of %s: %w", k, r.name, err)
	}
	if r.track.short(k, run.packets) {
		s.warn(wire.Warning{Code: CodeWorkerFailed, Sentence: "A segment lacks pictures or frames of sound."})
	}
	run.packets, run.held = nil, 0
	for _, c := range run.cues {
		run.held += len(c.Text)
	}
	run.time(now)
	run.produced++
	r.barren = 0
	for run.next++; run.next < r.count && r.track.empty(run.next); {
		run.next++
	}
	s.store(run, k, data)
	if r == s.video && !s.made {
		s.made = true
		s.hooks.FirstSegment(now.Sub(s.created))
	}
	return nil
}

// assemble returns segment next of a run.
func (s *Session) assemble(run *run) ([]byte, error) {
	k := run.next
	if run.rendition.stream.Kind == wire.StreamText {
		begin, end := s.line.Span(k)
		data := hls.WebVTT(run.cues, begin, end)
		run.cues = slices.DeleteFunc(run.cues, func(c wire.Cue) bool { return c.End <= end })
		return data, nil
	}
	if run.rendition.generations[run.generation].init == nil {
		return nil, errors.New("packets without codec data")
	}
	return fmp4.Fragment(uint32(k)+1, run.rendition.track.begin(k), run.packets)
}

// store makes a segment known and hands it to those who wait for it.
func (s *Session) store(run *run, k int, data []byte) {
	r := run.rendition
	if old := int(r.made[k]) - 1; old >= 0 && old != run.generation {
		s.cache.Drop(r.key(s.id, old, k))
	}
	r.made[k] = int32(run.generation) + 1
	s.cache.Put(r.key(s.id, run.generation, k), data)
	r.answer(func(w *waiter) bool { return w.segment == k }, func(w *waiter) { w.data, w.made = data, run.generation })
	r.wake()
	if r == s.video {
		s.first()
	}
}

// time measures how fast segments are made, without the time spent at the limit.
func (run *run) time(now time.Time) {
	r := run.rendition
	switch {
	case run.produced == 0:
		smooth(&r.startup, now.Sub(run.began))
	case !run.since.IsZero():
		smooth(&r.pace, now.Sub(run.since))
	}
	run.since = time.Time{}
	if run.limit > run.next+1 {
		run.since = now
	}
}

func smooth(average *time.Duration, sample time.Duration) { *average += (sample - *average) / 4 }

// takeEnded takes the end of a run. One that came to the film's end has made
// all segments to the last.
func (s *Session) takeEnded(run *run, e wire.Ended, now time.Time) error {
	r := run.rendition
	s.drop(run)
	r.wake()
	if e.Error != nil {
		return e.Error
	}
	if e.Halted || run.stale {
		return nil
	}
	for len(run.packets) > 0 || r.stream.Kind == wire.StreamText && run.next < r.count {
		if err := s.finish(run, now); err != nil {
			return err
		}
	}
	if run.next < r.count {
		s.warn(wire.Warning{Code: CodeWorkerFailed, Sentence: "A stream ended before the film."})
	}
	if run.produced == 0 {
		if r.barren++; r.barren >= maxBarren {
			return fmt.Errorf("%d runs of %s ended without a segment", r.barren, r.name)
		}
	}
	return nil
}
