package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
)

// player is somebody who watches one film after another.
type player struct {
	*soak
	random  *rand.Rand
	session playback.Session
	film    daemon.Film
	at      int // segment that comes next
}

// play has a player watch until ctx ends, which it looks at between two deeds: what
// it has begun it brings to its end.
func (s *soak) play(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		p := &player{soak: s, random: random}
		if p.begin(ctx) {
			steps := p.random.IntN(25)
			for steps > 0 && ctx.Err() == nil && p.step(ctx) {
				steps--
			}
			p.leave(ctx)
		}
		sleep(ctx, p.upTo(1500*time.Millisecond))
	}
}

// patient gives a deed its time, whatever the one that it is part of has left, and
// also when no other is to be begun.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), answer)
}

func (p *player) upTo(d time.Duration) time.Duration { return time.Duration(p.random.Int64N(int64(d))) }

// begin begins a session and fetches its first segment. It reports whether there is
// one.
func (p *player) begin(ctx context.Context) bool {
	ctx, cancel := patient(ctx)
	defer cancel()
	order := playback.Order{Source: "films/" + filepath.Base(p.Film), Start: float64(p.random.IntN(60))}
	if p.random.IntN(4) == 0 {
		order.Preset = filters.Presets()[p.random.IntN(len(filters.Presets()))].ID
	}
	var err error
	if p.session, err = p.d.Create(ctx, order); err != nil {
		p.refused(err)
		return false
	}
	p.tally.count("sessions")
	if p.film, err = p.d.Film(ctx, p.session); err != nil {
		p.judge(ctx, "read the playlists", err)
		return false
	}
	p.at = p.segmentAt(order.Start)
	return p.next(ctx)
}

func (p *player) segmentAt(seconds float64) int {
	for k, s := range p.film.Video.Segments {
		if (s.Begin + s.Duration).Seconds() > seconds {
			return k
		}
	}
	return 0
}

// refused judges the answer to a session that was not begun: 503 with when to come
// again, and with figures where others play.
func (p *player) refused(err error) {
	var told *problem.Problem
	if !errors.As(err, &told) {
		p.tally.fault("create: %v", err)
		return
	}
	switch told.Code {
	case problem.WorkerFailed, problem.WorkerLost: // it was killed while it opened the film
		p.tally.fail("that was not begun at "+time.Now().Format(time.RFC3339Nano), string(told.Code))
	case problem.WorkerUnavailable:
		p.tally.unavailable(told)
	case problem.Busy, problem.TooManySessions:
		if told.Status != http.StatusServiceUnavailable || len(told.Figures) == 0 || told.RetryAfter == 0 {
			p.tally.fault("a refusal without figures or Retry-After: %+v", told)
		}
		p.tally.count("refusals")
	default:
		p.tally.fault("create: %v", err)
	}
}

// step does something at random. It reports whether the session goes on.
func (p *player) step(ctx context.Context) bool {
	switch n := p.random.IntN(20); {
	case n < 9:
		return p.next(ctx)
	case n < 12:
		return p.seek(ctx)
	case n < 14:
		return p.pause(ctx)
	case n < 18:
		return p.change(ctx)
	default:
		return p.hangUp(ctx)
	}
}

// next fetches the next segment of picture and sound.
func (p *player) next(ctx context.Context) bool {
	ctx, cancel := patient(ctx)
	defer cancel()
	if p.at >= len(p.film.Video.Segments) {
		p.at = 0
	}
	begun := time.Now()
	picture, err := p.d.Get(ctx, p.film.Video.Segments[p.at].URI)
	if err == nil {
		p.tally.waited(time.Since(begun))
		p.tally.count("segments")
		if !fragment(picture) {
			p.tally.fault("segment %d is no fragment: %d bytes", p.at, len(picture))
		}
		_, err = p.d.Get(ctx, p.film.Audio.Segments[p.at].URI)
	}
	p.at++
	return p.judge(ctx, "fetch a segment", err)
}

// fragment reports whether data begins with a box that a segment may begin with:
// styp, or the ftyp of an init segment in front of it (ISO/IEC 14496-12 §4.3, §8.16.2).
func fragment(data []byte) bool {
	return len(data) > 8 && (string(data[4:8]) == "styp" || string(data[4:8]) == "ftyp")
}

// seek goes elsewhere, and says so beforehand or not.
func (p *player) seek(ctx context.Context) bool {
	p.tally.count("seeks")
	p.at = p.random.IntN(len(p.film.Video.Segments))
	if p.random.IntN(2) == 0 {
		ctx, cancel := patient(ctx)
		defer cancel()
		if !p.judge(ctx, "seek", p.d.Seek(ctx, p.session.ID, p.film.Video.Segments[p.at].Begin)) {
			return false
		}
	}
	return p.next(ctx)
}

// pause rests for less than the server lets a session be idle.
func (p *player) pause(ctx context.Context) bool {
	ctx, cancel := patient(ctx)
	defer cancel()
	p.tally.count("pauses")
	if !p.judge(ctx, "pause", p.d.Pause(ctx, p.session.ID)) {
		return false
	}
	sleep(ctx, p.upTo(idle/3))
	return p.judge(ctx, "resume", p.d.Resume(ctx, p.session.ID)) && p.next(ctx)
}

// change changes how the picture is made.
func (p *player) change(ctx context.Context) bool {
	ctx, cancel := patient(ctx)
	defer cancel()
	p.tally.count("changes")
	var to playback.Change
	anew := false
	switch p.random.IntN(5) {
	case 0:
		strength := p.random.Float64()
		to.Strength = &strength
	case 1:
		to.Model = p.models.same(p.random)
	case 2:
		to.Model, anew = p.models.other(p.random), true
	case 3:
		height := []int{0, 480, 540}[p.random.IntN(3)]
		to.Height, anew = &height, true
	default:
		to.Preset = filters.Presets()[p.random.IntN(len(filters.Presets()))].ID
	}
	if p.random.IntN(3) == 0 && p.at < len(p.film.Video.Segments) {
		from := p.film.Video.Segments[p.at].Begin.Seconds()
		to.From = &from
	}
	err := p.d.Change(ctx, p.session.ID, to)
	var told *problem.Problem
	if errors.As(err, &told) && told.Code == problem.Busy { // larger pictures may not fit
		p.tally.count("changes refused")
		return true
	}
	if !p.judge(ctx, "change", err) {
		return false
	}
	if anew && p.random.IntN(2) == 0 { // otherwise it goes on with the playlist that it has
		if p.film, err = p.d.Film(ctx, p.session); err != nil {
			return p.judge(ctx, "read the playlists again", err)
		}
	}
	return p.next(ctx)
}

// hangUp asks for a segment elsewhere and goes away before it has it whole.
func (p *player) hangUp(ctx context.Context) bool {
	p.tally.count("hang-ups")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.upTo(400*time.Millisecond))
	defer cancel()
	segment := p.film.Video.Segments[p.random.IntN(len(p.film.Video.Segments))]
	if _, err := p.d.Get(ctx, segment.URI); err != nil && ctx.Err() == nil {
		return p.judge(ctx, "fetch a segment", err)
	}
	return true
}

// leave ends the session, or goes without a word.
func (p *player) leave(ctx context.Context) {
	ctx, cancel := patient(ctx)
	defer cancel()
	if p.random.IntN(4) > 0 {
		p.tally.count("deletes")
		p.judge(ctx, "delete", p.d.Delete(ctx, p.session.ID))
		return
	}
	p.tally.count("players gone silently")
	if !sleep(ctx, idle+3*time.Second) {
		return
	}
	s, err := p.d.Session(ctx, p.session.ID)
	if err == nil && s.Cause == session.CauseFailed {
		p.tally.fail(s.ID, string(s.Failure.Code))
	} else if err != nil || s.State != session.StateEnded {
		p.tally.fault("session %s that nobody uses is %s: %v", p.session.ID, s.State, err)
	}
}

// judge notes what an error means, and reports whether the session goes on: it does
// without one. An error that is none of a killed worker's is a fault.
func (p *player) judge(ctx context.Context, what string, err error) bool {
	if err == nil {
		return true
	}
	ctx, cancel := patient(ctx)
	defer cancel()
	s, lookup := p.d.Session(ctx, p.session.ID)
	if lookup == nil && s.Cause == session.CauseFailed && s.Failure != nil && s.Failure.Code != "" {
		p.tally.fail(s.ID, string(s.Failure.Code))
		return false
	}
	p.tally.fault("%s of session %s (%s %s): %v", what, p.session.ID, s.State, s.Cause, errors.Join(err, lookup))
	return false
}
