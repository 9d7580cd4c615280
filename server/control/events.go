package control

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/session"
)

// figures says whose stats a client wants. It is asked while events are published,
// so nothing else is locked while it is.
type figures struct {
	mu           sync.Mutex
	all          bool            // guarded by mu, as all that follows: those of every session
	some, except map[string]bool // and of these, or but for these
}

// want reports whether the stats of a session are wanted.
func (f *figures) want(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.some[id] || f.all && !f.except[id]
}

// set has the stats of sessions wanted, or not any more; of all where none is
// named.
func (f *figures) set(ids []string, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ids) == 0 || f.some == nil {
		f.all = on && len(ids) == 0
		f.some, f.except = map[string]bool{}, map[string]bool{}
	}
	for _, id := range ids {
		if delete(f.some, id); on && !f.all {
			f.some[id] = true
		}
		if delete(f.except, id); !on && f.all {
			f.except[id] = true
		}
	}
}

// drop forgets a session that was.
func (f *figures) drop(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.some, id)
	delete(f.except, id)
}

// admit lets a client in.
func (c *conn) admit(ctx context.Context, who auth.Principal, capability string) {
	c.who, c.capability, c.shown = who, capability, map[string]uint64{}
	events := c.server.options.Desk.Sessions.Subscribe(func(e session.Event) bool {
		return who.May(auth.Viewer, e.Session) && (e.Stats == nil || c.figures.want(e.Session))
	})
	c.server.welcome(c, c.server.hello(who))
	if !c.start(func() { c.pump(ctx, events) }) {
		events.Close()
	}
	if who.May(auth.Admin, "") {
		c.followJobs(ctx)
	}
}

// hello tells a client what it speaks to.
type hello struct {
	Protocol string    `json:"protocol"`
	Version  string    `json:"version"` // of the server
	Time     time.Time `json:"time"`
	Role     auth.Role `json:"role"`
	Session  string    `json:"session,omitempty"` // of a viewer
	Limits   limits    `json:"limits"`
}

type limits struct {
	Message    int64 `json:"message_bytes"`
	Depth      int   `json:"message_depth"`
	Requests   int   `json:"requests_under_way"`
	PerSecond  int   `json:"messages_per_second"`
	Burst      int   `json:"messages_at_once"`
	Queue      int   `json:"queue_messages"`
	PingMillis int64 `json:"ping_ms"`
}

func (s *Server) hello(who auth.Principal) hello {
	return hello{
		Protocol: Protocol, Version: s.options.Version, Time: time.Now().UTC().Truncate(time.Millisecond),
		Role: who.Role, Session: who.Session,
		Limits: limits{
			s.options.MaxMessage, maxDepth, maxRequests, messageRate, messageBurst, s.options.Queue, s.options.Ping.Milliseconds(),
		},
	}
}

// pump moves events to the client. When ctx has ended it still moves those that
// are there.
func (c *conn) pump(ctx context.Context, events *session.Subscription) {
	defer events.Close()
	for {
		e, err := events.Next(ctx)
		if errors.Is(err, session.ErrSlow) {
			c.end(errSlow)
		}
		if err != nil {
			return
		}
		c.tell(e)
	}
}

// tell sends an event.
func (c *conn) tell(e session.Event) {
	to := event{Session: e.Session, Seq: e.Seq}
	switch {
	case e.State != nil:
		c.tellState(*e.State)
	case e.Stats != nil:
		to.Type, to.Payload = eventStats, playback.StatsOf(e.Stats)
		if frame := c.encode(to); frame != nil && c.figures.want(e.Session) {
			c.out.pushStats(e.Session, frame)
		}
	case e.Playlist != nil:
		to.Type, to.Payload = eventPlaylist, playlist{e.Playlist.Generation, e.Playlist.From.Seconds(), e.Playlist.Changed}
		c.send(to)
	case e.Warning != nil:
		to.Type, to.Payload = eventWarning, warning{e.Warning.Code, e.Warning.Sentence}
		c.send(to)
	}
}

// playlist says what a player has to fetch anew.
type playlist struct {
	Generation int     `json:"generation"`
	From       float64 `json:"from"`    // seconds of the film
	Changed    bool    `json:"changed"` // the playlist's text, and not only what its URLs hold
}

// warning is something that a user should know and that ends nothing.
type warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// tellState sends the state of a session, unless a newer one has gone before.
func (c *conn) tellState(shot session.Snapshot) {
	c.order.Lock()
	defer c.order.Unlock()
	if shot.Seq < c.shown[shot.ID] {
		return
	}
	if shot.State == session.StateEnded {
		maps.DeleteFunc(c.shown, func(id string, _ uint64) bool { return !c.remembered(id) })
		c.figures.drop(shot.ID)
		c.out.forget(func(id string) bool { return id != shot.ID })
	}
	c.shown[shot.ID] = shot.Seq
	c.send(event{Type: eventState, Session: shot.ID, Seq: shot.Seq, Payload: c.own(c.server.options.Desk.Tell(shot))})
}

// remembered reports whether there is a session, or was one a short time ago: what was
// told of it last is kept as long, since older states may still be under way.
func (c *conn) remembered(id string) bool {
	_, err := c.server.options.Desk.Sessions.Find(id)
	return err == nil
}

// tellNow sends the state of a session as it is now, with which a subscription
// begins. An event that was on its way and says less is not sent after it.
func (c *conn) tellNow(s session.Entry) { c.tellState(s.Snapshot()) }
