package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/auth"
)

// conn is one client's connection.
//
// Lock order: Server.mu, conn.order, then Manager.mu, Life.mu and the outbox's.
type conn struct {
	server  *Server
	request *http.Request // that opened it
	ws      *websocket.Conn
	out     *outbox
	log     *slog.Logger
	cancel  context.CancelCauseFunc // see end

	// Set by the reader before anything that needs it is started.
	who        auth.Principal
	capability string // of a viewer

	share   auth.Role   // guarded by Server.mu: as which it is counted in Server.taken
	known   atomic.Bool // it has authenticated
	figures figures     // whose stats it wants

	order sync.Mutex        // held while an event of a state is made and pushed, so that they come in order
	shown map[string]uint64 // guarded by order: number of the last state of a session that was pushed

	mu       sync.Mutex
	over     bool                     // guarded by mu, as all that follows; nothing is started any more
	underway int                      // requests that are worked on
	tails    map[string]chan struct{} // by session: closed when the last request that keeps its place has ended
	jobs     sync.WaitGroup           // of what start started
}

// run speaks with the client until the connection has ended.
func (c *conn) run(ctx context.Context, who auth.Principal) {
	began := time.Now()
	ctx, c.cancel = context.WithCancelCause(ctx)
	defer c.cancel(nil)
	var reader, writer sync.WaitGroup
	c.server.join(c)
	writer.Go(c.write)
	if who.Role == auth.Admin {
		c.admit(ctx, who, "")
	}
	c.start(func() { c.watch(ctx) })
	reader.Go(func() { c.end(c.read(ctx)) })

	<-ctx.Done()
	why := reason(context.Cause(ctx))
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.out.finish(why.drop)
	c.jobs.Wait()
	c.out.close(why)
	writer.Wait()
	_ = c.ws.SetReadDeadline(time.Now().Add(closeWait)) // a connection that is closed has none
	reader.Wait()
	c.linger(why)
	_ = c.ws.Close() // the client has been told, or is gone
	c.log.Info("control connection ended", "remote", c.request.RemoteAddr, "code", why.code, "reason", why.text,
		"lasted", time.Since(began).Round(time.Millisecond))
}

// end has the connection end; only the first reason counts.
func (c *conn) end(why error) { c.cancel(why) }

// reason returns how a connection ends for an error.
func reason(err error) *closing {
	var why *closing
	if errors.As(err, &why) {
		return why
	}
	return errShutdown // the HTTP server ended the request
}

// start starts something that run waits for, and reports whether it did: not when
// the connection is over.
func (c *conn) start(do func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.jobs.Go(do)
	return true
}

// read takes in what the client sends until nothing can be read any more, and
// returns why. When the connection ends for another reason, it goes on until the
// client has answered the close frame.
func (c *conn) read(ctx context.Context) error {
	var received meter
	c.ws.SetReadLimit(c.server.options.MaxMessage)
	c.ws.SetCloseHandler(func(int, string) error { return nil }) // the writer answers
	c.ws.SetPongHandler(func(string) error { return c.extend(ctx) })
	c.ws.SetPingHandler(func(data string) error {
		if !received.allow(time.Now()) {
			return errFlood
		}
		c.out.pushPong(data)
		return nil
	})
	if err := c.extend(ctx); err != nil {
		return lost(err)
	}
	for {
		kind, data, err := c.ws.ReadMessage()
		switch {
		case err != nil:
			return lost(err)
		case ctx.Err() != nil: // too late
		case kind != websocket.TextMessage:
			c.end(errBinary)
		case !utf8.Valid(data):
			c.end(errNotUTF8)
		case !received.allow(time.Now()):
			c.end(errFlood)
		default:
			c.take(ctx, data)
		}
	}
}

// extend gives the client until after the next ping to answer it. The end of the
// connection has a deadline of its own.
func (c *conn) extend(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return c.ws.SetReadDeadline(time.Now().Add(2 * c.server.options.Ping))
	}
}

// lost returns why nothing can be read any more.
func lost(err error) error {
	var said *websocket.CloseError
	var ours *closing
	var network net.Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, websocket.ErrReadLimit):
		return errTooBig
	case errors.As(err, &said) && said.Code != websocket.CloseAbnormalClosure:
		return &closing{code: said.Code, text: "client closed", drop: true}
	case errors.As(err, &network) && network.Timeout():
		return errSilent
	}
	return &closing{code: websocket.CloseProtocolError, text: err.Error(), drop: true}
}

// write sends what is in the outbox until a close frame has gone or the client
// takes nothing any more.
func (c *conn) write() {
	for range c.out.ready {
		for {
			p, ok := c.out.take()
			if !ok {
				break
			}
			if err := c.put(p); err != nil {
				c.end(&closing{code: errSlow.code, text: "cannot be written to", drop: true})
				return
			}
			if p.closing != nil {
				return
			}
		}
	}
}

// put sends one thing.
func (c *conn) put(p parcel) error {
	by := time.Now().Add(writeWait)
	switch {
	case p.closing != nil:
		return c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(p.closing.code, p.closing.text), by)
	case p.ping:
		return c.ws.WriteControl(websocket.PingMessage, nil, by)
	case p.pong != nil:
		return c.ws.WriteControl(websocket.PongMessage, p.pong, by)
	}
	if err := c.ws.SetWriteDeadline(by); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, p.frame)
}

// linger throws away what the client still sends after an end that keeps it from
// being read as messages.
func (c *conn) linger(why *closing) {
	if why == errTooBig {
		_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(closeWait))
		_, _ = io.CopyN(io.Discard, c.ws.NetConn(), lingerBytes) // all that can go wrong is that it ends
	}
}

// watch keeps time: pings, the deadline of authentication, and that of a
// capability.
func (c *conn) watch(ctx context.Context) {
	ping := time.NewTicker(c.server.options.Ping)
	defer ping.Stop()
	limit := time.NewTimer(c.server.options.AuthTimeout)
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			if !c.known.Load() {
				c.end(errNoToken)
			}
		case <-ping.C:
			c.out.pushPing()
			if c.known.Load() {
				if err := c.still(); err != nil {
					c.end(errUnauthorized)
				}
			}
		}
	}
}

// still checks that a viewer's capability has not expired since.
func (c *conn) still() error {
	if c.who.Role != auth.Viewer {
		return nil
	}
	_, err := c.server.options.Gate.AdmitViewer(c.who.Session, c.capability)
	return err
}

// send puts a message into the outbox, and waits a moment for room in it. A client
// that makes none loses its connection.
func (c *conn) send(message any) {
	frame := c.encode(message)
	if frame == nil || c.out.push(frame) {
		return
	}
	late := time.NewTimer(slowWait)
	defer late.Stop()
	for !c.out.push(frame) {
		select {
		case <-c.out.room:
		case <-late.C:
			c.end(errSlow)
			return
		}
	}
}

// sendNow is send for a caller that cannot wait.
func (c *conn) sendNow(message any) {
	if frame := c.encode(message); frame != nil && !c.out.push(frame) {
		c.end(errSlow)
	}
}

// encode returns a message as it is sent, nil for one that cannot be: a figure that
// is no number.
func (c *conn) encode(message any) []byte {
	data, err := json.Marshal(message)
	if err != nil {
		c.log.Error("control message cannot be sent", "error", err)
		return nil
	}
	return data
}
