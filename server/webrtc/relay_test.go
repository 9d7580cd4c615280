package webrtc

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

// relay is a live session without a server: a worker that draws a numbered picture for each that it is fed.
type relay struct {
	t       *testing.T
	conn    *wire.Conn
	cancel  context.CancelFunc
	packets chan made
	once    sync.Once
	late    time.Duration // that each picture takes, though many are made at once
	fed     chan error    // what the feed ended with

	mu    sync.Mutex
	asked int // for key frames
}

// made is a packet that the worker has made, and when it may be seen.
type made struct {
	wire.Packet
	due time.Time
}

// newRelay starts a worker and has it fed.
func newRelay(t *testing.T, feed live.Feed, late time.Duration) *relay {
	t.Helper()
	server, worker, err := wire.Pair()
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // End calls it
	r := &relay{t: t, conn: wire.NewConn(server.Frames), cancel: cancel, packets: make(chan made, 100), late: late, fed: make(chan error, 1)}
	var all sync.WaitGroup
	all.Go(func() { _ = workertest.Serve(worker) })
	end, from, err := os.Pipe()
	must(t, err)
	must(t, r.conn.Write(wire.Hello{Version: wire.Version}))
	must(t, errors.Join(wire.SendSource(server.Descriptors, wire.SourceStream, end), end.Close()))
	must(t, r.conn.Write(wire.Relay{ID: 1, Name: "page", Upscale: wire.Upscale{Model: "swift-s-x2", Strength: 1}, Audio: wire.AudioNone, KeyFrames: time.Second}))
	all.Go(func() {
		defer func() { _ = from.Close() }()
		r.fed <- feed(ctx, from)
	})
	all.Go(func() { r.read() })
	t.Cleanup(func() {
		r.End(nil)
		_ = server.Close()
		all.Wait()
	})
	return r
}

// read hands on what the worker makes.
func (r *relay) read() {
	defer close(r.packets)
	for {
		m, err := r.conn.Read()
		if err != nil {
			return
		}
		if p, ok := m.(wire.Packet); ok {
			r.packets <- made{p, time.Now().Add(r.late)}
		}
	}
}

func (r *relay) ID() string { return "live" }

func (r *relay) Stream() Stream { return r }

func (r *relay) End(error) { r.once.Do(r.cancel) }

func (r *relay) Next(ctx context.Context) (Packet, error) {
	select {
	case p, more := <-r.packets:
		if !more {
			return Packet{}, io.EOF
		}
		if err := pause(ctx, time.Until(p.due)); err != nil {
			return Packet{}, err
		}
		return Packet{Key: p.Key, At: time.Duration(p.PTS) * time.Second / pictureRate, Data: p.Data}, nil
	case <-ctx.Done():
		return Packet{}, context.Cause(ctx)
	}
}

func (r *relay) KeyFrame() {
	r.mu.Lock()
	r.asked++
	id := uint32(r.asked) + 1
	r.mu.Unlock()
	if err := r.conn.Write(wire.KeyFrame{ID: id, Run: wire.RelayVideo}); err != nil {
		r.t.Log(err)
	}
}

func (r *relay) Close() {}
