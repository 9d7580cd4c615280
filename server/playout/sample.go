package playout

import (
	"cmp"
	"slices"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Sample is a packet of a session: an access unit of the picture or a frame of sound, as
// wire.Packet has it, or a cue, whose text has the tags of SubRip and WebVTT and nothing escaped.
type Sample struct {
	Kind wire.StreamKind
	// Init is what the sample, and those of its stream after it, are decoded with: of a stream's first
	// sample, and where it changes, which is at a key frame. nil: as before.
	Init *wire.Init
	// Last says that what was read so far is to be handed on: for the next one may have to be waited.
	Last   bool
	Packet wire.Packet // its data must not be written to
	Scale  int64       // ticks a second of its times
}

// Shown returns when the sample is shown or heard, in the film.
func (s Sample) Shown() time.Duration { return wire.Duration(s.Packet.PTS, s.Scale) }

// Decoded returns when it is decoded, in the film.
func (s Sample) Decoded() time.Duration { return wire.Duration(s.Packet.DTS, s.Scale) }

// Track is a stream that a Reader reads.
type Track struct {
	Init  wire.Init      // of its first sample
	Scale int64          // ticks a second
	Info  wire.AudioInfo // of sound
}

// track is where a Reader is with a stream.
type track struct {
	Track
	stream     wire.Stream
	empty      func(segment int) bool
	generation int  // of the sample before
	begun      bool // there was one
}

// nearest returns the next segment that holds something of the stream, or else the last one that does. Every
// stream has one.
func (t *track) nearest(from, count int) int {
	next := from
	for next < count && t.empty(next) {
		next++
	}
	if next < count {
		return next
	}
	for from > 0 && t.empty(from) {
		from--
	}
	return from
}

// samples returns those of a part.
func (t *track) samples(part session.Part, packets []wire.Packet) []Sample {
	all := make([]Sample, len(packets))
	for i, p := range packets {
		all[i] = Sample{Kind: t.stream.Kind, Packet: p, Scale: t.Scale}
	}
	if !t.begun || part.Generation != t.generation {
		all[0].Init = &part.Init
	}
	t.begun, t.generation = true, part.Generation
	return all
}

// merge returns the samples of all streams in the order of decoding, the picture first.
func merge(streams ...[]Sample) []Sample {
	all := slices.Concat(streams...)
	slices.SortStableFunc(all, func(a, b Sample) int { return cmp.Compare(a.Decoded(), b.Decoded()) })
	if len(all) > 0 {
		all[len(all)-1].Last = true
	}
	return all
}
