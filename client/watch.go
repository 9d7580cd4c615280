package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/jobs"
)

const (
	protocol = "upscaled.v1" // docs/control.md
	// gaveUp is for how long a server may be away, as while it is started again.
	gaveUp = 2 * time.Minute
	// silent is how long nothing may come: the server pings more often than that.
	silent = 2 * time.Minute
	// few is how many jobs are asked for one by one.
	few        = 10
	firstPause = 500 * time.Millisecond
	lastPause  = 10 * time.Second
)

// errOver ends a watch that has seen what it was for.
var errOver = errors.New("there is nothing more to watch")

// Watch tells what becomes of jobs: each as it is now, and then whenever it changes,
// with its progress, until seen returns false. A connection that ends is made again,
// and the jobs are told anew, as they are then. Errors are Errors, of CodeUnreachable once
// the server has been away for two minutes, and ctx's cause.
func (c *Client) Watch(ctx context.Context, ids []string, seen func(jobs.Job) bool) error {
	pause, lost := firstPause, time.Now()
	for {
		away := (*Error)(nil)
		err := c.watch(ctx, ids, func(j jobs.Job) bool {
			pause, lost = firstPause, time.Now()
			return seen(j)
		})
		switch {
		case errors.Is(err, errOver):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &away) || away.Code != CodeUnreachable, time.Since(lost) > gaveUp:
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		pause = min(2*pause, lastPause)
	}
}

// watch is Watch over one connection.
func (c *Client) watch(ctx context.Context, ids []string, seen func(jobs.Job) bool) error {
	ws, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer func() {
		farewell := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = ws.WriteControl(websocket.CloseMessage, farewell, time.Now().Add(time.Second)) // the server may be gone
		_ = ws.Close()
	}()
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	ws.SetPingHandler(func(data string) error {
		_ = ws.SetReadDeadline(time.Now().Add(silent))
		return ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(answering))
	})
	// The events come from now on, so that nothing is missed between these and them.
	known := map[string]jobs.Job{}
	now, err := c.now(ctx, ids)
	if err != nil {
		return err
	}
	for _, job := range now {
		known[job.ID] = job
		if !seen(job) {
			return errOver
		}
	}
	for {
		job, ours, err := next(ws, known)
		if err != nil {
			return c.unreachable(ctx, err)
		}
		if !ours {
			continue
		}
		known[job.ID] = job
		if !seen(job) {
			return errOver
		}
	}
}

// now returns what jobs are. Many it picks out of the list of all, which is asked for in
// large parts: nobody reads the connection meanwhile, and the server ends one on which
// that takes long.
func (c *Client) now(ctx context.Context, ids []string) ([]jobs.Job, error) {
	listed := map[string]jobs.Job{}
	if len(ids) > few {
		all, err := c.Jobs(ctx, "")
		if err != nil {
			return nil, err
		}
		for _, job := range all {
			listed[job.ID] = job
		}
	}
	now := make([]jobs.Job, 0, len(ids))
	for _, id := range ids {
		job, known := listed[id]
		if !known {
			var err error
			if job, err = c.Job(ctx, id); err != nil { // which says why it is not in the list
				return nil, err
			}
		}
		now = append(now, job)
	}
	return now, nil
}

// dial opens a connection of the control protocol.
func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	at := *c.base
	at.Scheme = map[string]string{"http": "ws", "https": "wss"}[at.Scheme]
	at.Path += "/v1/control"
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: answering, Subprotocols: []string{protocol}}
	ws, response, err := dialer.DialContext(ctx, at.String(), c.identify(http.Header{})) //nolint:bodyclose // of a handshake, it is read from memory
	if err == nil {
		return ws, ws.SetReadDeadline(time.Now().Add(silent))
	}
	if response != nil && response.StatusCode >= http.StatusBadRequest && response.StatusCode < http.StatusInternalServerError {
		return nil, c.refusal(response)
	}
	return nil, c.unreachable(ctx, err)
}

// next reads a message, and returns what it makes of a job that is watched.
func next(ws *websocket.Conn, known map[string]jobs.Job) (job jobs.Job, ours bool, err error) {
	_, data, err := ws.ReadMessage()
	if err != nil {
		return job, false, err
	}
	var event struct {
		Type    string          `json:"type"`
		Job     string          `json:"job"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return job, false, err
	}
	if job, ours = known[event.Job]; !ours {
		return job, false, nil
	}
	switch event.Type {
	case "job.state":
		var now jobs.Job
		if err := json.Unmarshal(event.Payload, &now); err != nil {
			return job, false, err
		}
		return now, now.Seq >= job.Seq, nil
	case "job.progress":
		now := struct {
			State    jobs.State     `json:"state"`
			Progress *jobs.Progress `json:"progress"`
		}{}
		if err := json.Unmarshal(event.Payload, &now); err != nil || job.State.Over() {
			return job, false, err
		}
		job.State, job.Progress = now.State, now.Progress
		return job, true, nil
	}
	return job, false, nil
}
