package webrtc

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/live"
)

// descriptors returns how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}

// visit connects a client, waits for its first packet, and has leave end it.
func visit(t *testing.T, s *Server, packets []Packet, leave func(c *client, answer Answer)) {
	t.Helper()
	c, stream := newClient(t), newReel(packets)
	c.receives(webrtc.RTPCodecTypeVideo)
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	c.accept(answer.SDP)
	_, _, err = c.track().ReadRTP()
	must(t, err)
	leave(c, answer)
	<-stream.closed
	must(t, c.GracefulClose())
}

// TestManyPeersLeaveNothing has clients come and go in every way, several at a time. serve counts goroutines.
func TestManyPeersLeaveNothing(t *testing.T) {
	const rounds, together = 40, 5
	s := serve(t, func(o *Options) { o.Peers = together })
	packets := filmH264(t, "160x96", "30")
	ways := []func(c *client, answer Answer){
		func(c *client, _ Answer) { must(t, c.Close()) },
		func(_ *client, answer Answer) { must(t, s.HangUp(t.Context(), "film", answer.Peer)) },
	}
	visit(t, s, packets, ways[0]) // what is made once is there
	before := descriptors(t)
	for round := range rounds {
		var all sync.WaitGroup
		for i := range together {
			all.Go(func() { visit(t, s, packets, ways[(round+i)%len(ways)]) })
		}
		all.Wait()
		eventually(t, "all places are free", func() bool { return s.Peers() == 0 })
	}
	eventually(t, "all descriptors are closed", func() bool { return descriptors(t) <= before })
}

// muted is a socket that can be cut off: nothing goes out any more.
type muted struct {
	net.PacketConn
	off atomic.Bool
}

// WriteTo implements net.PacketConn.
func (m *muted) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.off.Load() {
		return len(b), nil
	}
	return m.PacketConn.WriteTo(b, to)
}

// TestPeerThatVanishesIsGivenUp cuts a client off, which cannot say goodbye then.
func TestPeerThatVanishesIsGivenUp(t *testing.T) {
	s := serve(t, func(o *Options) { o.Disconnected, o.Failed = time.Second, time.Second })
	socket, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	must(t, err)
	line := &muted{PacketConn: socket}
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(true)
	e.SetICETimeouts(time.Minute, time.Minute, 100*time.Millisecond)
	mux := webrtc.NewICEUDPMux(nil, line)
	t.Cleanup(func() { must(t, mux.Close()) })
	e.SetICEUDPMux(mux)
	c := newClientOf(t, e)
	c.receives(webrtc.RTPCodecTypeVideo)
	stream := newReel(filmH264(t, "160x96", "60"))
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	c.accept(answer.SDP)
	_, _, err = c.track().ReadRTP()
	must(t, err)
	line.off.Store(true)
	select {
	case <-stream.closed:
	case <-time.After(patience):
		t.Fatal("the peer is not given up")
	}
	eventually(t, "its place is free", func() bool { return s.Peers() == 0 })
}

// TestPeersOfOneSessionAreApart watches a session twice: the end of the one does nothing to the other.
func TestPeersOfOneSessionAreApart(t *testing.T) {
	s := serve(t, nil)
	packets := filmH264(t, "160x96", "3")
	var answers []Answer
	var streams []*reel
	var clients []*client
	for range 2 {
		c, stream := newClient(t), newReel(packets)
		c.receives(webrtc.RTPCodecTypeVideo)
		answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
		must(t, err)
		c.accept(answer.SDP)
		answers, streams, clients = append(answers, answer), append(streams, stream), append(clients, c)
	}
	clients[0].track()
	must(t, s.HangUp(t.Context(), "film", answers[0].Peer))
	<-streams[0].closed
	pictures := 0
	for track := clients[1].track(); ; {
		packet, _, err := track.ReadRTP()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		if packet.Marker {
			pictures++
		}
	}
	if pictures != len(packets) {
		t.Errorf("%d pictures of %d came", pictures, len(packets))
	}
	<-streams[1].closed
}

// TestHangUpBeforeTheConnection ends a connection whose answer the client has not taken yet: nothing is waited for.
func TestHangUpBeforeTheConnection(t *testing.T) {
	s, c := serve(t, func(o *Options) { o.Connect = time.Hour }), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	stream := newReel(filmH264(t, "160x96", "1"))
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	must(t, s.HangUp(t.Context(), "film", answer.Peer))
	<-stream.closed
	c.accept(answer.SDP) // which comes to nothing
	if n := s.Peers(); n != 0 {
		t.Errorf("%d peers are left", n)
	}
}

// faulty is a Stream with a fault.
type faulty struct{ *reel }

func (faulty) Next(context.Context) (Packet, error) { panic("a parser came to nothing") }

// TestFaultCostsOnePeer has a part of a peer's life panic: it is gone, and the server is not.
func TestFaultCostsOnePeer(t *testing.T) {
	s, c := serve(t, nil), newClient(t)
	c.receives(webrtc.RTPCodecTypeVideo)
	stream := faulty{newReel(nil)}
	answer, err := s.send(t.Context(), "film", c.offer(), opened(stream, Media{}))
	must(t, err)
	s.mu.Lock()
	p := s.peers[answer.Peer]
	s.mu.Unlock()
	c.accept(answer.SDP)
	<-stream.closed
	<-p.gone
	if cause := context.Cause(p.over); !errors.Is(cause, live.ErrFault) {
		t.Error(cause)
	}
	visit(t, s, filmH264(t, "160x96", "3"), func(c *client, _ Answer) { must(t, c.Close()) })
}
