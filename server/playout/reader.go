package playout

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/hls"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// What is taken for the number of a track of sound.
const (
	StandardAudio = -1 // the one that plays where nobody chooses, if there is any
	NoAudio       = -2
)

// What is taken for the number of text subtitles.
const (
	StandardText = -1 // those that the session was asked for, the film's default, or its first, if there are any
	NoText       = -2
)

// alive is how often a session is told that it is read.
const alive = time.Second

// Reader reads a session. It needs no end: who reads no more has it stop.
type Reader struct {
	session *session.Session
	film    wire.Opened
	count   int      // of segments
	tracks  []*track // picture, then sound
	text    *text    // nil: none is read
	next    int      // segment
	queue   []Sample // of the one before, in order
	told    time.Time
}

// Open returns a Reader of a session from the segment on that is shown at a time of the film, and waits
// until that one is made. Errors are ErrPast, and those of Session.Part.
func Open(ctx context.Context, s *session.Session, at time.Duration, audio int) (*Reader, error) {
	return open(ctx, s, Selection{Start: at, Audio: audio, Text: NoText})
}

// open is Open, with subtitles.
func open(ctx context.Context, s *session.Session, chosen Selection) (*Reader, error) {
	at, audio := chosen.Start, chosen.Audio
	film := s.Snapshot().Film
	line, err := hls.NewTimeline(&film)
	if err != nil {
		return nil, err
	}
	if at < 0 || at >= line.Duration() {
		return nil, fmt.Errorf("%w: %s of %s", ErrPast, at, line.Duration())
	}
	picture := &track{
		Track: Track{Scale: line.Scale()}, stream: wire.Stream{Kind: wire.StreamVideo}, empty: func(int) bool { return false },
	}
	r := &Reader{session: s, film: film, count: line.Count(), next: line.At(at), tracks: []*track{picture}}
	if audio == StandardAudio {
		if audio = s.Standard(); audio < 0 {
			audio = NoAudio
		}
	}
	if audio != NoAudio {
		if err := r.listen(line, audio); err != nil {
			return nil, err
		}
	}
	if err := r.caption(line, chosen.Text); err != nil {
		return nil, err
	}
	return r, r.begin(ctx)
}

// listen has a track of sound read, too.
func (r *Reader) listen(line hls.Timeline, audio int) error {
	if audio < 0 || audio >= len(r.film.Audio) {
		return fmt.Errorf("%w: audio track %d of %d", session.ErrNoStream, audio, len(r.film.Audio))
	}
	info := r.film.Audio[audio]
	sound, err := hls.NewSound(line, info)
	if err != nil {
		return err
	}
	r.tracks = append(r.tracks, &track{
		Track: Track{Scale: sound.Rate(), Info: info}, stream: wire.Stream{Kind: wire.StreamAudio, Index: audio}, empty: sound.Empty,
	})
	return nil
}

// begin reads the first segment. Of a stream that has nothing there, another segment tells what it is decoded
// with: containers name all of theirs at the beginning.
func (r *Reader) begin(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	for i := range r.queue {
		if init := r.queue[i].Init; init != nil {
			r.track(r.queue[i].Kind).Init = *init
		}
	}
	for _, t := range r.tracks {
		if t.begun {
			continue
		}
		part, err := r.session.Part(ctx, t.stream, t.nearest(r.next, r.count))
		if err != nil {
			return err
		}
		t.Init = part.Init
	}
	return nil
}

// track returns that of a kind, nil where it is not read.
func (r *Reader) track(kind wire.StreamKind) *track {
	for _, t := range r.tracks {
		if t.stream.Kind == kind {
			return t
		}
	}
	return nil
}

// Film returns what is known of the film.
func (r *Reader) Film() wire.Opened { return r.film }

// Picture returns what is known of the picture.
func (r *Reader) Picture() Track { return r.tracks[0].Track }

// Sound returns what is known of the sound, and whether any is read.
func (r *Reader) Sound() (Track, bool) {
	if t := r.track(wire.StreamAudio); t != nil {
		return t.Track, true
	}
	return Track{}, false
}

// Next returns the next sample in the order of decoding, and waits for it. Errors are io.EOF at the
// end of the film, and those of Session.Part, which include ctx's.
func (r *Reader) Next(ctx context.Context) (Sample, error) {
	for len(r.queue) == 0 {
		if r.next == r.count {
			return Sample{}, io.EOF
		}
		if err := r.load(ctx); err != nil {
			return Sample{}, err
		}
	}
	if ctx.Err() != nil {
		return Sample{}, context.Cause(ctx)
	}
	if err := r.Keep(); err != nil {
		return Sample{}, err
	}
	s := r.queue[0]
	r.queue = r.queue[1:]
	return s, nil
}

// Keep implements Source. A segment may last longer, to who takes it slowly, than a session lives that nobody asks for
// anything.
func (r *Reader) Keep() error {
	now := time.Now()
	if now.Sub(r.told) < alive {
		return nil
	}
	r.told = now
	return r.session.Ping(-1)
}

// Close implements Source. There is nothing to close.
func (r *Reader) Close() {}

// load reads the next segment of all streams.
func (r *Reader) load(ctx context.Context) error {
	streams := make([][]Sample, len(r.tracks))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var fetching sync.WaitGroup
	cues := r.fetchText(ctx)
	for i, t := range r.tracks {
		if t.empty(r.next) {
			continue
		}
		fetching.Go(func() {
			var err error
			if streams[i], err = r.fetch(ctx, t); err != nil {
				cancel(err)
			}
		})
	}
	fetching.Wait()
	streams = append(streams, cues())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.next++
	r.queue = merge(streams...)
	return nil
}

// fetch reads the next segment of a stream.
func (r *Reader) fetch(ctx context.Context, t *track) ([]Sample, error) {
	part, err := r.session.Part(ctx, t.stream, r.next)
	if err != nil {
		return nil, err
	}
	packets, err := fmp4.Packets(part.Data)
	if err != nil {
		return nil, err
	}
	if len(packets) == 0 {
		return nil, fmt.Errorf("%w: segment %d of %s holds nothing", fmp4.ErrMedia, r.next, t.stream.Kind)
	}
	return t.samples(part, packets), nil
}
