package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// message is a line of the table of what a client may ask.
type message struct {
	// ordered requests about a session are worked on one after another, as they came.
	ordered bool
	// do answers. Errors become problems by playback.Problem.
	do func(ctx context.Context, c *conn, payload json.RawMessage) (any, error)
}

// requestAuth is the one request that whoever has not authenticated may send.
const requestAuth = "auth"

// requests returns the table.
func requests() map[string]message {
	return map[string]message{
		requestAuth:         {do: with((*conn).again)},
		"session.create":    {do: with((*conn).create)},
		"session.get":       {ordered: true, do: with((*conn).get)},
		"session.list":      {do: with((*conn).list)},
		"session.seek":      {ordered: true, do: with((*conn).seek)},
		"session.pause":     {ordered: true, do: with((*conn).pause)},
		"session.resume":    {ordered: true, do: with((*conn).resume)},
		"session.set":       {ordered: true, do: with((*conn).set)},
		"session.ping":      {do: with((*conn).ping)},
		"session.close":     {do: with((*conn).close)},
		"job.add":           {do: withJobs((*conn).addJobs)},
		"job.get":           {do: withJobs((*conn).getJob)},
		"job.list":          {do: withJobs((*conn).listJobs)},
		"job.set":           {do: withJobs((*conn).setJob)},
		"job.cancel":        {do: withJobs((*conn).cancelJob)},
		"model.list":        {do: with((*conn).models)},
		"filter.list":       {do: with((*conn).filters)},
		"stats.subscribe":   {do: with((*conn).subscribe)},
		"stats.unsubscribe": {do: with((*conn).unsubscribe)},
	}
}

// with has a payload read, strictly, before it is answered.
func with[T any](answer func(*conn, context.Context, T) (any, error)) func(context.Context, *conn, json.RawMessage) (any, error) {
	return func(ctx context.Context, c *conn, payload json.RawMessage) (any, error) {
		p, err := playback.Decode[T](payload, "payload")
		if err != nil {
			return nil, err
		}
		return answer(c, ctx, p)
	}
}

// The payloads that are not those of package playback.
type (
	nothing struct{}
	target  struct {
		Session string `json:"session" minLength:"1" maxLength:"64"`
	}
	credentials struct {
		Token      string `json:"token,omitempty" maxLength:"256"`
		Session    string `json:"session,omitempty" maxLength:"64"`
		Capability string `json:"capability,omitempty" maxLength:"64"`
	}
	seekTo struct {
		Session string `json:"session" minLength:"1" maxLength:"64"`
		playback.Seek
	}
	pingAt struct {
		Session string `json:"session" minLength:"1" maxLength:"64"`
		playback.Ping
	}
	changeOf struct {
		Session string `json:"session" minLength:"1" maxLength:"64"`
		playback.Change
	}
	whose struct {
		Sessions []string `json:"sessions,omitempty" maxItems:"64" maxLength:"64"`
	}
)

// The answers that are not those of package playback.
type (
	identity struct {
		Role    auth.Role `json:"role"`
		Session string    `json:"session,omitempty"` // of a viewer
	}
	sessionList struct {
		Sessions []playback.Session `json:"sessions"`
	}
	modelList struct {
		Models  []models.Manifest `json:"models"`
		Default string            `json:"default"` // id
	}
	filterList struct {
		filters.Description
		LUTs []string `json:"luts"`
	}
)

// allowed checks that the client may see and steer a session. For a viewer there
// is but one.
func (c *conn) allowed(session string) error {
	if !c.who.May(auth.Viewer, session) {
		return problem.New(problem.SessionUnknown, "")
	}
	return nil
}

// own returns what the client is told of a session. A viewer has its URLs, and
// cannot have others signed that would outlast them.
func (c *conn) own(s playback.Session) playback.Session {
	if c.who.Role == auth.Viewer {
		s.URLs = nil
	}
	return s
}

// told is an answer with a session.
func (c *conn) told(s playback.Session, err error) (any, error) { return c.own(s), err }

// again answers a client that is known already.
func (c *conn) again(context.Context, credentials) (any, error) {
	return nil, problem.New(problem.BadRequest, "this connection is authenticated already; open another one")
}

func (c *conn) create(ctx context.Context, o playback.Order) (any, error) {
	if !c.who.May(auth.Admin, "") {
		return nil, problem.New(problem.Forbidden, "only who has the token may create sessions")
	}
	return c.server.options.Desk.Create(ctx, o)
}

func (c *conn) get(_ context.Context, t target) (any, error) {
	if err := c.allowed(t.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Get(t.Session))
}

func (c *conn) list(context.Context, nothing) (any, error) {
	all := slices.DeleteFunc(c.server.options.Desk.List(), func(s playback.Session) bool { return c.allowed(s.ID) != nil })
	for i := range all {
		all[i] = c.own(all[i])
	}
	return sessionList{all}, nil
}

func (c *conn) seek(_ context.Context, s seekTo) (any, error) {
	if err := c.allowed(s.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Seek(s.Session, s.Seek))
}

func (c *conn) pause(_ context.Context, t target) (any, error) {
	if err := c.allowed(t.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Pause(t.Session))
}

func (c *conn) resume(_ context.Context, t target) (any, error) {
	if err := c.allowed(t.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Resume(t.Session))
}

func (c *conn) set(ctx context.Context, s changeOf) (any, error) {
	if err := c.allowed(s.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Change(ctx, s.Session, s.Change))
}

func (c *conn) ping(_ context.Context, p pingAt) (any, error) {
	if err := c.allowed(p.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Ping(p.Session, p.Ping))
}

// close answers when the worker is gone, with what the session was.
func (c *conn) close(ctx context.Context, t target) (any, error) {
	if err := c.allowed(t.Session); err != nil {
		return nil, err
	}
	if err := c.server.options.Desk.Sessions.Delete(ctx, t.Session); err != nil {
		return nil, err
	}
	return c.told(c.server.options.Desk.Get(t.Session))
}

func (c *conn) models(context.Context, nothing) (any, error) {
	desk := c.server.options.Desk
	return modelList{desk.Models.List(), desk.Defaults.Model}, nil
}

func (c *conn) filters(context.Context, nothing) (any, error) {
	luts, err := c.server.options.Desk.LUTs.Names()
	return filterList{filters.Describe(), luts}, err
}

// subscribe answers once the figures are on their way, and sends the states of
// their sessions after its reply.
func (c *conn) subscribe(_ context.Context, w whose) (any, error) {
	if err := c.exist(w); err != nil {
		return nil, err
	}
	c.figures.set(w.Sessions, true)
	return followed{nothing{}, func() { c.tellStates(w.Sessions) }}, nil
}

// exist checks that there are sessions, which the client may see: what it names is
// kept for as long as they are there.
func (c *conn) exist(w whose) error {
	for _, id := range w.Sessions {
		if err := c.allowed(id); err != nil {
			return err
		}
		if _, err := c.server.options.Desk.Sessions.Find(id); err != nil {
			return err
		}
	}
	return nil
}

// tellStates sends the states of sessions, of all where none is named.
func (c *conn) tellStates(ids []string) {
	for _, s := range c.server.options.Desk.Sessions.List() {
		if c.allowed(s.ID()) == nil && (len(ids) == 0 || slices.Contains(ids, s.ID())) {
			c.tellNow(s)
		}
	}
}

func (c *conn) unsubscribe(_ context.Context, w whose) (any, error) {
	if err := c.exist(w); err != nil {
		return nil, err
	}
	c.figures.set(w.Sessions, false)
	c.out.forget(func(id string) bool { return strings.HasPrefix(id, jobFigures) || c.figures.want(id) })
	return nothing{}, nil
}

// followed is an answer with something that comes after its reply.
type followed struct {
	payload any
	then    func()
}
