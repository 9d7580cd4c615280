package webrtc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/session"
)

// Options are what a Server works with.
type Options struct {
	// Listen is the address and port of UDP that all peers share. Port 0 is one of the system's choice.
	Listen netip.AddrPort
	// Ports, where set, gives each peer a port of its own.
	Ports Ports
	// Addresses are told to peers in place of the machine's own.
	Addresses []netip.Addr
	Peers     int // at most

	Connect      time.Duration // longest wait for a connection, and then for a page's first picture
	Disconnected time.Duration // without a sign of life
	Failed       time.Duration // after that, until the peer is given up

	Sessions Sessions
	Studio   *live.Studio // where the sessions of pages are

	Log *slog.Logger
}

// Sessions finds sessions.
type Sessions interface {
	// Find returns session.ErrNotFound for one that there is not.
	Find(id string) (session.Entry, error)
}

// Ports is a range of them, both ends in it.
type Ports struct{ First, Last uint16 }

// Server has all peers. Make it with New and Run it.
type Server struct {
	o    Options
	work chan func() // that Run is to start

	mu      sync.Mutex
	network *network         // guarded by mu; nil while Run does not go
	peers   map[string]*peer // guarded by mu
	ended   chan struct{}    // closed when Run takes no more
}

// New returns a Server without peers.
func New(o Options) (*Server, error) {
	switch {
	case o.Peers < 1:
		return nil, fmt.Errorf("webrtc: at most %d peers", o.Peers)
	case min(o.Connect, o.Disconnected, o.Failed) <= 0:
		return nil, errors.New("webrtc: durations must be positive")
	case o.Ports.First > o.Ports.Last:
		return nil, fmt.Errorf("webrtc: ports from %d to %d", o.Ports.First, o.Ports.Last)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{o: o, work: make(chan func()), peers: map[string]*peer{}, ended: make(chan struct{})}, nil
}

// Run opens the port and serves peers until ctx ends, then closes all connections and returns when nothing is left of
// them. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	n, err := s.o.open()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.network = n
	s.mu.Unlock()
	var lives sync.WaitGroup
	defer func() {
		close(s.ended)
		s.hangUpAll()
		lives.Wait()
		if err := n.close(); err != nil {
			s.o.Log.Debug("port closed", "error", err)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case life := <-s.work:
			lives.Go(life)
		}
	}
}

// running returns how peers are reached, or ErrNotReady.
func (s *Server) running() (*network, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.network == nil {
		return nil, ErrNotReady
	}
	return s.network, nil
}

// Address returns the address of the port that peers share, the zero value while there is none.
func (s *Server) Address() netip.AddrPort {
	n, err := s.running()
	if err != nil {
		return netip.AddrPort{}
	}
	return n.address()
}

// Peers returns how many there are.
func (s *Server) Peers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.peers)
}

// Answer is what a client that has made an offer gets.
type Answer struct {
	Session  string
	Peer     string // by which HangUp knows it
	SDP      string
	Warnings []Warning
}

// opener opens what a peer is sent.
type opener func(ctx context.Context) (Stream, Media, error)

// send answers the offer of a client that wants to watch a session, and sends it the stream until either ends. That is
// opened when it is clear that there is somebody to be sent it. Errors are ErrOffer, ErrFull, ErrPorts, ErrNotReady,
// open's, or ctx's.
func (s *Server) send(ctx context.Context, session, text string, open opener) (_ Answer, err error) {
	o, err := parseOffer(text)
	if err != nil {
		return Answer{}, err
	}
	if _, err := o.picture(); err != nil {
		return Answer{}, err
	}
	p, err := s.meet(false)
	if err != nil {
		return Answer{}, err
	}
	defer func() {
		if err != nil {
			s.part(p)
		}
	}()
	s.name(p, session)
	stream, media, err := open(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer func() {
		if err != nil {
			stream.Close()
		}
	}()
	if err := p.arrange(o, media); err != nil {
		return Answer{}, err
	}
	answer, err := p.answer(ctx, text)
	if err != nil {
		return Answer{}, err
	}
	if err := s.start(ctx, func() {
		defer stream.Close()
		s.live(p, func() error { return p.attend(stream) })
	}); err != nil {
		return Answer{}, err
	}
	return Answer{Session: session, Peer: p.id, SDP: answer, Warnings: media.Warnings}, nil
}

// arrange chooses what a peer is sent.
func (p *peer) arrange(o offer, media Media) (err error) {
	s, err := o.picture()
	if err != nil {
		return err
	}
	own, err := profileOf(media.CodecData)
	if err != nil {
		return err
	}
	chosen, _ := s.best(own)
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: pictureRate, SDPFmtpLine: chosen.fmtp()}
	if p.picture, err = p.send(codec, s); err != nil {
		return err
	}
	if s, ok := o.out(webrtc.RTPCodecTypeAudio); ok && media.Sound {
		codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: soundRate, Channels: 2}
		if p.sound, err = p.send(codec, s); err != nil {
			return err
		}
	}
	p.log.Debug("peer answered", "profile", own, "sent_as", chosen, "sound", p.sound != nil)
	return nil
}

// profileOf returns the profile of an avcC record. Where there is none yet it is that which the encoder of workers
// makes, by the tools that it uses.
func profileOf(avcC []byte) (profile, error) {
	if avcC == nil {
		return profileBaseline, nil
	}
	if _, err := fmp4.VideoCodec(avcC); err != nil {
		return profile{}, err
	}
	return profile{avcC[1], avcC[2]}, nil
}

// live is the life of a peer, with what it is for once it is connected.
func (s *Server) live(p *peer, play func() error) {
	defer s.part(p)
	defer p.contain()
	begun := time.Now()
	err := p.connect(p.over)
	if err == nil {
		p.log.Info("peer connected", "took", time.Since(begun).Round(time.Millisecond))
		err = play()
	}
	attrs := []any{"lasted", time.Since(begun).Round(time.Millisecond), "pictures", p.picture.pictures}
	if err != nil {
		attrs = append(attrs, "cause", err)
	}
	p.log.Info("peer left", attrs...)
}

// HangUp ends the connection to a peer of a session, and returns when nothing is left of it. The error is ErrNotFound
// or ctx's.
func (s *Server) HangUp(ctx context.Context, session, id string) error {
	s.mu.Lock()
	p := s.peers[id]
	known := p != nil && p.session == session
	s.mu.Unlock()
	if !known {
		return ErrNotFound
	}
	p.end(errHungUp)
	select {
	case <-p.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Server) hangUpAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		p.end(errShutdown)
	}
}

// meet returns a peer with its place among those that may be.
func (s *Server) meet(vp8 bool) (*peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.network == nil:
		return nil, ErrNotReady
	case len(s.peers) >= s.o.Peers:
		return nil, ErrFull
	}
	pc, err := s.network.connection(vp8)
	if err != nil {
		return nil, err
	}
	p := newPeer(strings.ToLower(rand.Text()), pc, &s.o)
	s.peers[p.id] = p
	return p, nil
}

// name says which session a peer is for.
func (s *Server) name(p *peer, session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.session, p.log = session, p.log.With("session", session)
}

// part closes the connection to a peer and gives its place back.
func (s *Server) part(p *peer) {
	p.end(errClosed)
	p.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p.id)
}

// start hands the life of a peer to Run.
func (s *Server) start(ctx context.Context, life func()) error {
	select {
	case s.work <- life:
		return nil
	case <-s.ended:
		return ErrNotReady
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
