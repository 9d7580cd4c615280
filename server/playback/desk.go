package playback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
)

// Options are what a Desk works with.
type Options struct {
	Sessions *session.Manager
	Models   *models.Catalogue
	LUTs     LUTs
	Signer   *auth.Signer
	Defaults Defaults
	// Live begins the session of a live source, and returns when its stream is found.
	Live func(ctx context.Context, r session.Request) (session.Entry, error)
}

// Desk does what clients ask. Its errors become problems by Problem.
type Desk struct{ Options }

// Scale returns the scale of a model. Errors wrap models.ErrUnknown.
func Scale(c *models.Catalogue, id string) (int, error) {
	if m, known := c.Find(id); known {
		return m.Scale, nil
	}
	known := make([]string, 0, len(c.List()))
	for _, m := range c.List() {
		known = append(known, m.ID)
	}
	return 0, fmt.Errorf("%w: %.128q; there is %s", models.ErrUnknown, id, strings.Join(known, ", "))
}

// Create begins a session; what it tells has its URLs.
func (d *Desk) Create(ctx context.Context, o Order) (Session, error) {
	r := o.request(d.Defaults)
	if _, err := Scale(d.Models, r.Settings.Model); err != nil {
		return Session{}, err
	}
	clamped, err := d.Grade(&r.Settings, o.Look)
	if err != nil {
		return Session{}, err
	}
	s, err := d.begin(ctx, r, o.Live)
	if err != nil {
		return Session{}, err
	}
	told := d.Tell(s.Snapshot())
	told.Clamped = clamped
	return told, nil
}

// begin begins a playback, or the session of a live source.
func (d *Desk) begin(ctx context.Context, r session.Request, live bool) (session.Entry, error) {
	if live || source.IsLive(r.Source) {
		return d.Live(ctx, r)
	}
	return d.Sessions.Create(ctx, r)
}

// What clients may do to a session is what its kind has.
type (
	changer interface {
		session.Entry
		// Set changes how the picture is made and returns when that is in effect.
		Set(ctx context.Context, c session.Change) error
	}
	pinger interface {
		session.Entry
		// Ping keeps the session, whose player is at a time of the film; −1: it does not
		// say.
		Ping(at time.Duration) error
	}
)

// as returns a session of a kind that can do what T can. Errors are
// session.ErrNotFound and session.ErrKind.
func as[T session.Entry](d *Desk, id string) (can T, _ error) {
	s, err := d.Sessions.Find(id)
	if err != nil {
		return can, err
	}
	can, ok := s.(T)
	if !ok {
		return can, fmt.Errorf("%w: it is a %s", session.ErrKind, s.Kind())
	}
	return can, nil
}

// Tell returns what a client is told of a session, with URLs while it goes on.
func (d *Desk) Tell(s session.Snapshot) Session {
	told := Of(s)
	if (s.Kind == session.KindPlayback || s.Kind == session.KindLive) && s.State != session.StateEnding && s.State != session.StateEnded {
		urls := d.URLs(s.ID)
		told.URLs = &urls
	}
	return told
}

// URLs signs the URLs of a session anew; earlier ones stay valid until they expire.
func (d *Desk) URLs(id string) URLs {
	base, expires := d.Media(id)
	return URLs{
		Master: base + "/master.m3u8", WHEP: base + "/whep", Expires: expires.UTC(),
		Stream: Streams{MP4: base + "/stream.mp4", TS: base + "/stream.ts", MKV: base + "/stream.mkv"},
	}
}

// Media signs the path that all media of a session are below.
func (d *Desk) Media(id string) (path string, expires time.Time) {
	capability, expires := d.Signer.Sign(id)
	return "/v1/sessions/" + id + "/media/" + capability, expires
}

// Get tells of one session, also of one that ended a short time ago.
func (d *Desk) Get(id string) (Session, error) {
	s, err := d.Sessions.Find(id)
	if err != nil {
		return Session{}, err
	}
	return d.Tell(s.Snapshot()), nil
}

// List tells of all sessions in the order of their begin.
func (d *Desk) List() []Session {
	all := []Session{}
	for _, s := range d.Sessions.List() {
		all = append(all, d.Tell(s.Snapshot()))
	}
	return all
}

// Change changes how a session's picture is made, and returns when the worker has
// taken it.
func (d *Desk) Change(ctx context.Context, id string, c Change) (Session, error) {
	s, err := as[changer](d, id)
	if err != nil {
		return Session{}, err
	}
	to := c.change()
	if c.Model != nil {
		if _, err := Scale(d.Models, *c.Model); err != nil {
			return Session{}, err
		}
	}
	var clamped []string
	if c.Preset != "" || c.Filters != nil {
		settings := s.Snapshot().Settings
		if clamped, err = d.Grade(&settings, c.Look); err != nil {
			return Session{}, err
		}
		to.Filters, to.Cube = &settings.Filters, settings.Cube
	}
	if err := s.Set(ctx, to); err != nil {
		return Session{}, err
	}
	told := d.Tell(s.Snapshot())
	told.Clamped = clamped
	return told, nil
}

// Grade puts a look into settings: of a preset and the caller's own values, or,
// without a preset, of those that are there and the caller's own values. It
// returns the ids of values that were out of their ranges.
func (d *Desk) Grade(s *session.Settings, look Look) (clamped []string, err error) {
	own, before := filters.Overrides{}, s.Filters.LUT
	if look.Filters != nil {
		own = *look.Filters
	}
	if look.Preset == "" && s.Filters != (filters.Settings{}) {
		s.Filters = own.Apply(s.Filters)
		err = filters.CheckLUTName(s.Filters.LUT)
	} else {
		s.Filters, err = filters.Resolve(look.Preset, own)
	}
	if err != nil {
		return nil, err
	}
	s.Filters, clamped = s.Filters.Clamp()
	switch {
	case s.Filters.LUT == "":
		s.Cube = nil
	case s.Filters.LUT != before || own.LUT != nil:
		s.Cube, err = d.LUTs.Read(s.Filters.LUT)
	}
	return clamped, err
}

// Seek takes a session's player to a time of the film.
func (d *Desk) Seek(id string, to Seek) (Session, error) {
	return d.with(id, func(s *session.Session) error { return s.Seek(seconds(to.Position)) })
}

// Pause has nothing read ahead for a session any more.
func (d *Desk) Pause(id string) (Session, error) { return d.with(id, (*session.Session).Pause) }

// Resume ends a pause.
func (d *Desk) Resume(id string) (Session, error) { return d.with(id, (*session.Session).Resume) }

// Ping keeps a session whose player asks for nothing, as in a pause.
func (d *Desk) Ping(id string, p Ping) (Session, error) {
	s, err := as[pinger](d, id)
	if err != nil {
		return Session{}, err
	}
	at := time.Duration(-1)
	if p.Position != nil {
		at = seconds(*p.Position)
	}
	if err := s.Ping(at); err != nil {
		return Session{}, err
	}
	return d.Tell(s.Snapshot()), nil
}

// with does something to a session and tells what it is then.
func (d *Desk) with(id string, do func(*session.Session) error) (Session, error) {
	s, err := d.Sessions.Get(id)
	if err != nil {
		return Session{}, err
	}
	if err := do(s); err != nil {
		return Session{}, err
	}
	return d.Tell(s.Snapshot()), nil
}

// Delete ends a session and returns when its worker is gone. A session that has
// ended, or that there is not, is no error.
func (d *Desk) Delete(ctx context.Context, id string) error {
	if err := d.Sessions.Delete(ctx, id); !errors.Is(err, session.ErrNotFound) {
		return err
	}
	return nil
}

// Renew signs the URLs of a session that goes on.
func (d *Desk) Renew(id string) (URLs, error) {
	s, err := as[pinger](d, id)
	if err == nil {
		err = s.Ping(-1) // says how it ended
	}
	if err != nil {
		return URLs{}, err
	}
	return d.URLs(id), nil
}
