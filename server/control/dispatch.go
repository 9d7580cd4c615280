package control

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// take has a message worked on. The reader calls it, and is not kept waiting.
func (c *conn) take(ctx context.Context, data []byte) {
	r, err := parse(data)
	if err != nil {
		c.answer(ctx, r.ID, nil, err)
		return
	}
	if !c.known.Load() {
		c.authenticate(ctx, r)
		return
	}
	m, ok := c.server.requests[r.Type]
	if !ok {
		c.answer(ctx, r.ID, nil, problem.New(problem.UnknownType, "there is no request %.64q", r.Type))
		return
	}
	if !c.occupy() {
		c.answer(ctx, r.ID, nil, problem.New(problem.TooManyRequests, "%d requests of this connection are under way", maxRequests))
		return
	}
	before, after := c.line(m, r)
	started := c.start(func() {
		defer c.vacate()
		defer after()
		before(ctx)
		c.work(ctx, m, r)
	})
	if !started {
		after()
	}
}

// occupy takes one of the places for requests under way.
func (c *conn) occupy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underway == maxRequests {
		return false
	}
	c.underway++
	return true
}

func (c *conn) vacate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underway--
}

// line has an ordered request wait for the one about the same session that came
// before it, and returns what waits and what lets the next one go.
func (c *conn) line(m message, r request) (before func(context.Context), after func()) {
	id := sessionOf(r.Payload)
	if !m.ordered || id == "" {
		return func(context.Context) {}, func() {}
	}
	own := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.tails[id]
	c.tails[id] = own
	before = func(ctx context.Context) {
		if last == nil {
			return
		}
		select {
		case <-last:
		case <-ctx.Done():
		}
	}
	return before, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if close(own); c.tails[id] == own {
			delete(c.tails, id)
		}
	}
}

// sessionOf returns the session that a payload is about, "" where it names none.
// Whether it is a payload at all is seen later.
func sessionOf(payload json.RawMessage) string {
	var t target
	if json.Unmarshal(payload, &t) != nil {
		return ""
	}
	return t.Session
}

// work answers a request. A fault of ours costs this request and not the server.
func (c *conn) work(ctx context.Context, m message, r request) {
	defer func() {
		if fault := recover(); fault != nil {
			c.log.Error("control request panicked", "type", r.Type, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			c.answer(ctx, r.ID, nil, problem.New(problem.Internal, ""))
		}
	}()
	if err := c.still(); err != nil {
		c.answer(ctx, r.ID, nil, err)
		c.end(errUnauthorized)
		return
	}
	payload, err := m.do(ctx, c, r.Payload)
	then := func() {}
	if f, ok := payload.(followed); ok {
		payload, then = f.payload, f.then
	}
	c.answer(ctx, r.ID, payload, err)
	if err == nil {
		then()
	}
}

// authenticate reads the only message that a client may send whom nobody vouched
// for, and ends the connection of one that proves nothing by it. One for whom there is
// no room may ask again, until its time is over.
func (c *conn) authenticate(ctx context.Context, r request) {
	if r.Type != requestAuth {
		c.answer(ctx, r.ID, nil, problem.New(problem.Unauthorized, "send auth first"))
		return
	}
	who, capability, err := c.identify(r.Payload)
	if err != nil {
		c.answer(ctx, r.ID, nil, err)
		c.end(errUnauthorized)
		return
	}
	if err := c.server.vouch(c, who.Role); err != nil {
		c.answer(ctx, r.ID, nil, err)
		return
	}
	c.answer(ctx, r.ID, identity{who.Role, who.Session}, nil)
	c.admit(ctx, who, capability)
}

// identify returns who a client proves to be.
func (c *conn) identify(payload json.RawMessage) (who auth.Principal, capability string, err error) {
	p, err := playback.Decode[credentials](payload, "payload")
	if err != nil {
		return who, "", err
	}
	if viewer := p.Capability != "" || p.Session != ""; viewer == (p.Token != "") {
		return who, "", faulty("payload", "must have either token, or session and capability")
	} else if viewer {
		who, err = c.server.options.Gate.AdmitViewer(p.Session, p.Capability)
		return who, p.Capability, err
	}
	who, err = c.server.options.Gate.Admit(c.request, p.Token)
	if err == nil && who.Role != auth.Admin {
		err = problem.New(problem.Forbidden, "without a token the server answers on loopback names only, such as localhost; set auth.token")
	}
	return who, "", err
}

// answer sends the reply to a request.
func (c *conn) answer(ctx context.Context, id json.RawMessage, payload any, err error) {
	if err == nil {
		c.send(reply{ID: id, OK: true, Payload: payload})
		return
	}
	p := playback.Problem(err)
	if kind, _ := problem.KindOf(p.Code); kind.Level() > slog.LevelInfo { // a client's own faults are its own to see
		c.log.Log(ctx, kind.Level(), "control request failed", "code", p.Code, "error", p)
	}
	c.send(reply{ID: id, Error: failureOf(p)})
}
