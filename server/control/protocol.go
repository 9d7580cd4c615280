package control

import (
	"encoding/json"
	"time"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/problem"
)

// Protocol is the subprotocol, with its version, that is spoken here.
const Protocol = "upscaled.v1"

// The limits that are no keys of the configuration, since no client that works
// comes near them.
const (
	maxDepth     = 8  // of JSON: a frame needs four
	maxRequests  = 16 // that a connection may have under way; more are refused
	messageRate  = 50 // messages a second that a client may send on average, pings among them
	messageBurst = 100
	maxNamed     = 64 // sessions in one message
)

const (
	slowWait  = time.Second      // for room among what waits for a client; events come in bursts
	writeWait = 10 * time.Second // for a frame to leave
	closeWait = 2 * time.Second  // for the client's answer to a close frame
	// lingerBytes is how much of what a client still sends is thrown away while it
	// has not seen the close frame: a connection that is closed with bytes unread is
	// reset, and the frame lost.
	lingerBytes = 16 << 20
)

// request is what a client sends.
type request struct {
	ID      json.RawMessage // a string or a whole number; nil: there is none
	Type    string
	Payload json.RawMessage // an object, {} where the client sent none
}

// reply answers a request. Either Payload or Error is set.
type reply struct {
	ID      json.RawMessage `json:"id"` // as it came, null where it could not be read
	OK      bool            `json:"ok"`
	Payload any             `json:"payload,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

// failure is a problem as the protocol tells it.
type failure struct {
	Code       problem.Code       `json:"code"`
	Message    string             `json:"message"`
	Owner      problem.Owner      `json:"owner"`
	Retryable  bool               `json:"retryable"`
	RetryAfter int64              `json:"retry_after,omitempty"` // seconds
	Figures    map[string]float64 `json:"figures,omitempty"`
	Faults     []problem.Fault    `json:"faults,omitempty"`
}

func failureOf(p *problem.Problem) *failure {
	return &failure{
		Code: p.Code, Message: p.Detail, Owner: p.Owner, Retryable: p.Retryable, RetryAfter: p.RetryAfter,
		Figures: p.Figures, Faults: p.Faults,
	}
}

// event is what a client is told unasked.
type event struct {
	Type    string `json:"type"`
	Session string `json:"session,omitempty"`
	Job     string `json:"job,omitempty"`
	Seq     uint64 `json:"seq,omitempty"` // of the session's events, or of the job's changes
	Payload any    `json:"payload"`
}

// The types of events.
const (
	eventHello    = "server.hello"
	eventNotice   = "server.notice"
	eventState    = "session.state"
	eventStats    = "session.stats"
	eventPlaylist = "session.playlist"
	eventWarning  = "session.warning"
	eventJob      = "job.state"
	eventProgress = "job.progress"
)

// closing is why a connection ends, and what its client is told of it.
type closing struct {
	code int // of the close frame
	text string
	drop bool // what waits for the client is not sent any more
}

func (c *closing) Error() string { return c.text }

// The ends of a connection that are ours to find. Numbers of 4000 and more are the
// protocol's own (RFC 6455 §7.4.2); docs/control.md has the table.
var (
	errBinary       = &closing{code: websocket.CloseUnsupportedData, text: "messages are JSON in text frames"}
	errNotUTF8      = &closing{code: websocket.CloseInvalidFramePayloadData, text: "message is not UTF-8"}
	errTooBig       = &closing{code: websocket.CloseMessageTooBig, text: "message is too large"}
	errShutdown     = &closing{code: websocket.CloseGoingAway, text: "server is ending"}
	errSlow         = &closing{code: 4001, text: "messages were not read in time", drop: true}
	errUnauthorized = &closing{code: 4401, text: "not authenticated"}
	errNoToken      = &closing{code: 4402, text: "not authenticated in time"}
	errSilent       = &closing{code: 4408, text: "ping was not answered", drop: true}
	errFlood        = &closing{code: 4429, text: "too many messages", drop: true}
)
