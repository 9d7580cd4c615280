package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gorilla/websocket" // small, complete, BSD

	"github.com/upscaled-media/upscaled/internal/daemon"
	"github.com/upscaled-media/upscaled/server/control"
	"github.com/upscaled-media/upscaled/server/playback"
)

const (
	roundTrips = 200
	// roundTripRest keeps below the server's bound of messages a second.
	roundTripRest = 25 * time.Millisecond
)

// control measures how long a request over the WebSocket takes while a session
// plays.
func (b *sessionBench) control(ctx context.Context) error {
	return b.calm(ctx, func(ctx context.Context, d *daemon.Daemon, order playback.Order) error {
		p, err := b.begin(ctx, d, order)
		if err != nil {
			return err
		}
		dialer := websocket.Dialer{Subprotocols: []string{control.Protocol}, HandshakeTimeout: ready}
		conn, answer, err := dialer.DialContext(ctx, "ws://"+d.Address()+"/v1/control", nil)
		if err != nil {
			return fmt.Errorf("WebSocket: %w", err)
		}
		defer func() { _ = conn.Close(); _ = answer.Body.Close() }() // all was read
		var took []float64
		for i := range roundTrips {
			t, err := roundTrip(conn, i, p.session.ID)
			if err != nil {
				return err
			}
			took = append(took, milliseconds(t))
			if err := pause(ctx, roundTripRest); err != nil {
				return err
			}
		}
		b.most("WebSocket, session.get → reply", "ms", 0, took...)
		b.most("its 95th percentile", "ms", 0, percentile(took, 0.95))
		return nil
	})
}

// roundTrip asks for a session and waits for the reply, past events.
func roundTrip(conn *websocket.Conn, id int, session string) (time.Duration, error) {
	begun := time.Now()
	if err := conn.SetReadDeadline(begun.Add(ready)); err != nil {
		return 0, err
	}
	err := conn.WriteJSON(map[string]any{"id": id, "type": "session.get", "payload": map[string]string{"session": session}})
	for err == nil {
		var data []byte
		_, data, err = conn.ReadMessage()
		var reply struct {
			ID *int
			OK bool
		}
		if err == nil && json.Unmarshal(data, &reply) == nil && reply.ID != nil && *reply.ID == id {
			if !reply.OK {
				return 0, fmt.Errorf("session.get: %s", data)
			}
			return time.Since(begun), nil
		}
	}
	return 0, err
}
