package playout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// span is how much of a live stream is handed on at once, if a picture lasts no longer: each fragment of MP4 has a
// head of some hundred bytes.
const span = 100 * time.Millisecond

// Subscriber receives what a live session makes; *live.Subscription is one.
type Subscriber interface {
	// Next returns the next wire.Init or wire.Packet: all Inits, then packets from a key picture on.
	Next(ctx context.Context) (wire.Message, error)
	Close()
}

// Broadcast reads a live session from its next key picture on, which is at 0. Who takes less than is made goes on at the
// newest key picture: there the times jump, too.
type Broadcast struct {
	film   wire.Opened
	sub    Subscriber
	tracks map[uint32]*aired // by run
	first  wire.Message      // a packet that was read to know of the Inits before it; nil: it was handed out
	handed time.Duration     // picture that was Last
}

// aired is where a Broadcast is with a run.
type aired struct {
	Track
	kind   wire.StreamKind
	init   *wire.Init // that the next sample is the first of; nil: none
	zero   int64      // time of the begin, in ticks
	latest int64      // decoding time of the sample before, from the begin on; -1: there was none
}

// NewBroadcast returns a Broadcast of what is subscribed to, and waits for its first picture; film is asked when that is
// there. audio is as Open takes it: a live stream has one track of sound at most. Errors are those of sub, which is
// closed then, and session.ErrNoStream.
func NewBroadcast(ctx context.Context, sub Subscriber, film func() wire.Opened, audio int) (_ *Broadcast, err error) {
	defer func() {
		if err != nil {
			sub.Close()
		}
	}()
	inits := map[uint32]*wire.Init{}
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case wire.Init:
			inits[m.Run] = &m
		case wire.Packet:
			return newBroadcast(sub, film(), audio, inits, m)
		}
	}
}

// newBroadcast is NewBroadcast when the first picture is there.
func newBroadcast(sub Subscriber, film wire.Opened, audio int, inits map[uint32]*wire.Init, first wire.Packet) (*Broadcast, error) {
	if audio >= len(film.Audio) {
		return nil, fmt.Errorf("%w: audio track %d of %d", session.ErrNoStream, audio, len(film.Audio))
	}
	b := &Broadcast{film: film, sub: sub, tracks: map[uint32]*aired{}, first: first}
	b.tracks[wire.RelayVideo] = &aired{kind: wire.StreamVideo, Track: Track{Scale: film.Video.TimeScale}}
	if audio != NoAudio && len(film.Audio) > 0 {
		info := film.Audio[0]
		b.tracks[wire.RelayAudio] = &aired{kind: wire.StreamAudio, Track: Track{Scale: int64(info.Rate), Info: info}}
	}
	for run, t := range b.tracks {
		t.init, t.latest = inits[run], -1
		t.Init = *t.init
		t.zero = rescaled(first.DTS, film.Video.TimeScale, t.Scale)
	}
	return b, nil
}

// rescaled returns ticks in ticks of another scale, without overflow.
func rescaled(ticks, from, to int64) int64 { return ticks/from*to + ticks%from*to/from }

// Film implements Source, like the methods below.
func (b *Broadcast) Film() wire.Opened { return b.film }

// Picture returns what is known of the picture.
func (b *Broadcast) Picture() Track { return b.tracks[wire.RelayVideo].Track }

// Sound returns what is known of the sound, and whether any is read.
func (b *Broadcast) Sound() (Track, bool) {
	if t := b.tracks[wire.RelayAudio]; t != nil {
		return t.Track, true
	}
	return Track{}, false
}

// Text returns nothing: nobody captions what is live.
func (b *Broadcast) Text() (_ wire.TextInfo, is bool) { return wire.TextInfo{}, false }

// Next returns the next sample, and waits for it. Errors are io.EOF where the source has ended, how else the session
// ended, and ctx's cause.
func (b *Broadcast) Next(ctx context.Context) (Sample, error) {
	for {
		m, err := b.next(ctx)
		if ended := (*session.EndedError)(nil); errors.As(err, &ended) && ended.Cause == session.CauseEOS {
			return Sample{}, io.EOF
		}
		if err != nil {
			return Sample{}, err
		}
		switch m := m.(type) {
		case wire.Init:
			if t := b.tracks[m.Run]; t != nil {
				t.init = &m
			}
		case wire.Packet:
			if t := b.tracks[m.Run]; t != nil && b.place(t, &m) {
				return b.sample(t, m), nil
			}
		}
	}
}

func (b *Broadcast) next(ctx context.Context) (wire.Message, error) {
	if first := b.first; first != nil {
		b.first = nil
		return first, nil
	}
	return b.sub.Next(ctx)
}

// place gives a packet its time from the begin on, and reports whether it has one: in no container may times go back.
// Where a picture's do, all later ones follow the picture before it; sound is left out until it has come so far, too.
func (b *Broadcast) place(t *aired, p *wire.Packet) bool {
	if p.DTS-t.zero <= t.latest {
		if t.kind == wire.StreamAudio {
			return false
		}
		back := t.latest + max(p.Duration, 1) - (p.DTS - t.zero)
		for _, each := range b.tracks {
			each.zero -= rescaled(back, t.Scale, each.Scale)
		}
	}
	p.DTS -= t.zero
	p.PTS -= t.zero
	return p.DTS >= 0
}

// sample returns a packet as a sample.
func (b *Broadcast) sample(t *aired, p wire.Packet) Sample {
	s := Sample{Kind: t.kind, Init: t.init, Packet: p, Scale: t.Scale}
	t.init, t.latest = nil, p.DTS
	if at := s.Decoded(); s.Kind == wire.StreamVideo && (p.DTS == 0 || at-b.handed >= span) {
		s.Last, b.handed = true, at
	}
	return s
}

// Keep implements Source: who subscribes keeps the session.
func (b *Broadcast) Keep() error { return nil }

// Close ends the subscription.
func (b *Broadcast) Close() { b.sub.Close() }
