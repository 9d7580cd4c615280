package webrtc

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

const (
	// tolerance is how late a sample may be before the film's time goes on from it: it was waited for.
	tolerance = 100 * time.Millisecond
	// telling is how often the session is told where its player is.
	telling = 500 * time.Millisecond
	// pausing is how often it is asked whether it is still paused.
	pausing = 50 * time.Millisecond
)

// errElsewhere ends what is read of a film where the client has gone to another place.
var errElsewhere = errors.New("the client went elsewhere")

// film is the Stream of a film's session: its segments as they are made, paced by the clock on the wall. It goes where
// the session is sent, waits while it is paused, and tells it where it is.
type film struct {
	session   *session.Session
	audio     int             // for playout.Open
	reader    *playout.Reader // nil: to be opened at the session's position
	elsewhere <-chan struct{} // closed when that is another one

	begun time.Time // the wall's time of the line's 0
	zero  time.Time // the wall's time of the film's 0, as it is paced; zero: the next sample is due
	told  time.Time // when the session was told
}

// newFilm begins to read a film's session at its position, and returns what of it a browser takes: sound as Opus alone.
// It waits until the first of it is made. Errors are those of playout.Open.
func newFilm(ctx context.Context, s *session.Session) (*film, Media, error) {
	f := &film{session: s, audio: playout.StandardAudio}
	err := f.open(ctx)
	for errors.Is(err, errElsewhere) { // as a session does itself at its very begin
		err = f.open(ctx)
	}
	if err != nil {
		return nil, Media{}, err
	}
	sound, audible := f.reader.Sound()
	media := Media{CodecData: f.reader.Picture().Init.CodecData, Sound: audible && sound.Init.Codec == fmp4.CodecOpus}
	if !audible || media.Sound {
		return f, media, nil
	}
	media.Warnings = append(media.Warnings, soundLeftOut)
	f.reader, f.audio = nil, playout.NoAudio
	return f, media, nil
}

// Next implements Stream.
func (f *film) Next(ctx context.Context) (Packet, error) {
	for {
		p, err := f.next(ctx)
		if errors.Is(err, errElsewhere) && ctx.Err() == nil {
			f.reader, f.zero = nil, time.Time{}
			continue
		}
		return p, err
	}
}

// next returns the next packet when it is due, or errElsewhere.
func (f *film) next(ctx context.Context) (Packet, error) {
	if f.reader == nil {
		err := f.open(ctx)
		if errors.Is(err, playout.ErrPast) {
			return Packet{}, io.EOF // it was sent to the end
		}
		if err != nil {
			return Packet{}, err
		}
	}
	var s playout.Sample
	err := f.unless(ctx, func(ctx context.Context) (err error) {
		s, err = f.reader.Next(ctx)
		return err
	})
	if err != nil {
		return Packet{}, err
	}
	if err := f.stand(ctx); err != nil {
		return Packet{}, err
	}
	if err := f.await(ctx, s.Decoded()); err != nil {
		return Packet{}, err
	}
	p := Packet{
		Sound: s.Kind == wire.StreamAudio, Key: s.Packet.Key, At: f.zero.Add(s.Shown()).Sub(f.begun), Data: s.Packet.Data,
	}
	return p, f.tell(s.Shown())
}

// open begins to read at the session's position: at the begin of the segment that holds it.
func (f *film) open(ctx context.Context) error {
	var at time.Duration
	at, f.elsewhere = f.session.Sought()
	return f.unless(ctx, func(ctx context.Context) (err error) {
		f.reader, err = playout.Open(ctx, f.session, at, f.audio)
		return err
	})
}

// unless does something that waits, which errElsewhere ends where the client goes to another place meanwhile.
func (f *film) unless(ctx context.Context, do func(ctx context.Context) error) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-f.elsewhere:
			cancel(errElsewhere)
		case <-ctx.Done():
		}
	})
	return do(ctx)
}

// stand waits while the session is paused.
func (f *film) stand(ctx context.Context) error {
	for f.session.State() == session.StatePaused {
		f.zero = time.Time{} // what comes next is due when it goes on
		if err := f.sleep(ctx, pausing); err != nil {
			return err
		}
		if err := f.session.Ping(-1); err != nil {
			return err
		}
	}
	return nil
}

// await waits until a time of the film is due. Where it is late, since it was not made in time, all behind it is
// late by as much.
func (f *film) await(ctx context.Context, decoded time.Duration) error {
	now := time.Now()
	if f.begun.IsZero() {
		f.begun = now
	}
	wait := f.zero.Add(decoded).Sub(now)
	if f.zero.IsZero() || wait < -tolerance {
		f.zero, wait = now.Add(-decoded), 0
	}
	return f.sleep(ctx, wait)
}

// sleep waits, unless the client goes elsewhere.
func (f *film) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-f.elsewhere:
		return errElsewhere
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tell has the session know where its player is. What a client has said meanwhile counts for more.
func (f *film) tell(at time.Duration) error {
	now := time.Now()
	if now.Sub(f.told) < telling {
		return nil
	}
	f.told = now
	return f.session.Played(at, f.elsewhere)
}

// KeyFrame implements Stream. Each segment begins with a key frame; none is made in between, since segments are what
// all players of the session share.
func (f *film) KeyFrame() {}

// Close implements Stream. A Reader needs no end.
func (f *film) Close() {}
